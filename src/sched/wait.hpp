// SPDX-License-Identifier: Apache-2.0
#pragma once

// Helping and parking, shared by everything that blocks a thread.

#include <atomic>
#include <cstdint>
#include <vector>

#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// From an awaited cell down to something that this thread may run.
class walk {
 public:
  walk(context& here, cell& want) noexcept : here_(here), want_(want) {}
  walk(const walk&) = delete;
  walk& operator=(const walk&) = delete;
  ~walk() { restart(); }

  /// One step. False: nothing to run here, wait for `bottom()`.
  bool advance() noexcept;
  /// Gives back what was claimed but not run; the next step begins at the awaited cell.
  void restart() noexcept;
  /// What everything above waits for.
  cell& bottom() noexcept { return empty() ? want_ : *top().x; }
  /// The last step met an actor whose call runs further down on this stack.
  bool deadlocked() const noexcept { return deadlocked_; }

 private:
  struct step {
    cell* x;
    bool mine;     // claimed by this walk
    bool counted;  // this walk holds a reference
    std::uint32_t flags;
  };
  bool push(cell& x, bool counted) noexcept;
  void pop() noexcept;
  bool help_producer(cell& x) noexcept;
  bool help_claimed(cell& x) noexcept;
  bool help_message(cell& m) noexcept;
  bool help_blocker(cell& m, actor_core& a) noexcept;

  context& here_;
  cell& want_;
  bool empty() const noexcept { return size_ == 0; }
  step& top() noexcept { return size_ <= few ? few_[size_ - 1] : many_.back(); }
  template <class F>
  void each(F&& visit) noexcept {
    for (std::size_t i = 0; i < size_; ++i) visit(i < few ? few_[i] : many_[i - few]);
  }
  bool contains(const cell& x) noexcept {
    bool found = false;
    each([&](step& s) { found = found || s.x == &x; });
    return found;
  }

  static constexpr std::size_t few = 8;  // deeper walks take memory
  step few_[few];
  std::vector<step> many_;
  std::size_t size_ = 0;
  bool deadlocked_ = false;
};

/// A thread that waits, as others see it: in `dump`, in the search for rings, when work comes and
/// nobody is awake.
struct parked_get {
  context* here = nullptr;
  const frame* top = nullptr;  // where it waits: what is above may run meanwhile, on other frames
  const cell* want = nullptr;  // null: several, or room in a mailbox
  const actor_core* actor = nullptr;
  std::atomic<std::uint32_t>* word = nullptr;
  std::uint64_t since_ns = 0;
  parked_get* next = nullptr;
  parked_get* previous = nullptr;
};

class park_guard {
 public:
  park_guard(context& here, const cell* want, const actor_core* actor,
             std::atomic<std::uint32_t>* word);
  park_guard(const park_guard&) = delete;
  park_guard& operator=(const park_guard&) = delete;
  ~park_guard();
  /// Following who waits for whom comes back here.
  bool ring() const noexcept { return ring_; }

 private:
  context& here_;
  parked_get me_;
  bool counts_ = false;
  bool ring_ = false;
};

/// A task that waits lends its cpu to others, as in Ray. One that came in does so when its thread
/// is about to sleep, and not before, because that takes a message.
class lent_cpu {
 public:
  explicit lent_cpu(context& here) noexcept : here_(here) {
    cell* x = here.depth > 0 ? here.current->running.load(std::memory_order_relaxed) : nullptr;
    cell_extra* extra = x != nullptr ? x->extra.load(std::memory_order_relaxed) : nullptr;
    if (extra == nullptr || !extra->holds_needs) return;
    x_ = x;
    here.home().lend_cpu(*x, true);
  }
  lent_cpu(const lent_cpu&) = delete;
  lent_cpu& operator=(const lent_cpu&) = delete;
  ~lent_cpu() {
    if (x_ != nullptr) here_.home().lend_cpu(*x_, false);
    if (came_in_ != nullptr) lend_cpu_away(here_.home(), *came_in_, false);
  }
  void before_sleep() noexcept {
    if (here_.home().hosts_calls) lend_away();
  }

 private:
  void lend_away() noexcept;

  context& here_;
  cell* x_ = nullptr;
  cell* came_in_ = nullptr;
};

// spare.cpp
/// A queue of its own for a foreign thread that helps with anything; null when all are lent.
worker* lease_helper(scheduler& home) noexcept;
void return_helper(scheduler& home, worker& lent) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
