// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test-only: random delays at the points where threads meet, and three planted bugs which the
// stress tests must catch. Without BEAMLET_CHAOS every call here is nothing.

#include <cstdint>

#ifdef BEAMLET_CHAOS
#include <atomic>
#endif

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {
namespace chaos {

enum class place : std::uint8_t {
  pop_between_store_and_load,
  steal_after_fence,
  steal_before_take,
  sleep_before_announce,
  sleep_before_recheck,
  sleep_before_wait,
  wake_before_look,
  claim_before,
  claim_before_give_back,
  seal_before,
  waiter_before_add,
  waiters_taken,
  park_before_announce,
  park_before_wait,
  turn_before_raise,
  turn_before_leave,
  mailbox_before_push,
  mailbox_before_idle,
  inbox_before_push,
  inbox_taken,
  spare_before_start,
  spare_before_retire,
};

enum class bug : std::uint32_t { none = 0, missing_fence = 1, lost_wakeup = 2, double_take = 4 };

#ifdef BEAMLET_CHAOS
inline std::atomic<std::uint32_t> planted_bugs{0};
inline std::atomic<void (*)(place)> hook{nullptr};
inline void point(place where) noexcept {
  if (auto* h = hook.load(std::memory_order_relaxed)) h(where);
}
inline bool planted(bug which) noexcept {
  return (planted_bugs.load(std::memory_order_relaxed) & static_cast<std::uint32_t>(which)) != 0;
}
#else
inline constexpr void point(place) noexcept {}
inline constexpr bool planted(bug) noexcept { return false; }
#endif

}  // namespace chaos
}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
