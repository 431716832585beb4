// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/beamlet.hpp>

#include "job.hpp"

namespace demo {

/// The same figures of every photo, computed by ops on devices (`rt.device_task`). They are near
/// those of the plain loop, not the same: areas that shrink to a pixel are weighted exactly here,
/// and the outermost pixels count.
///
/// Blocks until the job is done; `done` is called on this thread.
/// Errors: those of the runtime (stopped, no_memory), and of the device that is wanted (not_found).
beamlet::result<std::vector<row>> run_on_devices(beamlet::runtime& rt, const job& work,
                                                 const on_photo& done);

/// Devices round differently, and where a steepness is just about that of an edge they may decide
/// differently: so much of a figure, or of 1 if that is more.
inline constexpr double device_tolerance = 1e-3;

/// Between the figures of two reports of the same job, as device_tolerance is meant. Infinite where
/// they disagree about which photos there are.
double largest_difference(const std::vector<row>& a, const std::vector<row>& b);

}  // namespace demo
