// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/beamlet.hpp>

#include "job.hpp"

namespace demo {

/// The job on all cores: a graph of tasks per photo, and an actor that keeps the ranking. A photo
/// that cannot be decoded is a row of the report, as in the plain loop. With `killed` the decoding
/// runs in worker processes, one of which is ended mid-way by SIGKILL; its number goes there.
///
/// Blocks until the job is done; `done` is called on this thread.
/// Errors: those of the runtime (stopped, no_memory).
beamlet::result<findings> run_with_beamlet(beamlet::runtime& rt, const job& work,
                                           const on_photo& done, int* killed = nullptr);

}  // namespace demo
