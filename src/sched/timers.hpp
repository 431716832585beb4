// SPDX-License-Identifier: Apache-2.0
#pragma once

// Deadlines in a 4-ary heap. Any thread adds and removes; the loop's thread fires.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct cell;

/// Owned by whoever waits; `fire` runs on the loop's thread, without a lock held, after it left the
/// heap.
struct timer {
  static constexpr std::size_t not_queued = ~std::size_t{0};
  std::uint64_t when_ns = 0;
  void (*fire)(timer& self) noexcept = nullptr;
  cell* of = nullptr;  // the task that starts then
  std::size_t index = not_queued;
};

class timer_heap {
 public:
  enum class added { no_memory, later, earliest };
  /// `earliest`: the loop must look again.
  added add(timer& t) noexcept;
  /// True when it was taken out; false when it has fired, fires now or was never added.
  bool remove(timer& t) noexcept;
  /// The next that is due, taken out; null when none is.
  timer* pop_due(std::uint64_t now_ns) noexcept;
  /// The timer that will start `x`, taken out; null when there is none.   Cost: linear.
  timer* take(const cell& x) noexcept;
  /// ~0 when empty.
  std::uint64_t earliest() const noexcept;
  std::size_t size() const noexcept;

 private:
  void up(std::size_t i) noexcept;
  void down(std::size_t i) noexcept;
  void take_out(std::size_t i) noexcept;

  mutable std::mutex lock_;
  std::vector<timer*> heap_;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
