// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/sched/core.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// A queued task fails with errc::cancelled when it comes up, a coroutine at its next wait (a
/// suspended one now), a running function sees `this_task::cancelled()`. `recursive`: so does
/// everything it submitted.
void cancel(context& here, cell& x, bool recursive, bool force = false) noexcept;
bool this_attempt_cancelled(const context& here) noexcept;
void wake_cancelled_coroutines(scheduler& home) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
