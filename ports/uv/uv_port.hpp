// SPDX-License-Identifier: Apache-2.0
#pragma once

// The default port, on libuv. The only folder of Beamlet that includes <uv.h>.

#include <beamlet/base/result.hpp>

#include <memory>

#include "ports/port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// A port with a loop of its own, which the thread that calls turn() drives. Changes no signal
/// disposition, starts no thread, opens four descriptors (the first also two that libuv keeps).
///
/// Thread: any; the thread of the first turn() becomes the loop thread.   Blocks: no.
/// Errors: exhausted (with libuv's negative errno: descriptors), no_memory.
result<std::unique_ptr<port>> make_uv_port();

/// A port inside the caller's loop: adds one async handle and one timer to it and never runs it.
/// Neither keeps the loop alive until keep_alive(true).
///
/// REQUIRES: `uv_loop` is an initialised `uv_loop_t*`; the loop's thread.   Blocks: no.
/// Errors: invalid_argument (null), exhausted, no_memory.
/// Lifetime: the loop must outlive the port's close() and run once more after it.
result<std::unique_ptr<port>> make_uv_port(void* uv_loop);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
