// SPDX-License-Identifier: Apache-2.0
// A failed task that may be tried again: at once, or after its back-off through a timer. It stays
// claimed all the while, so that nothing else starts it; its arguments stay held until it succeeds.

#include <algorithm>

#include "beamlet/sched/engine.hpp"
#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

/// Stands in the queues for a task that runs again: the task's own entry may still lie in one.
struct next_attempt : cell, timer {
  cell* task = nullptr;  // counted
};

void enter_next_attempt(context& here, cell& self) {
  cell& x = *static_cast<next_attempt&>(self).task;
  if (!leave_again(here, x)) run_claimed(here, x, x.unmet.load(std::memory_order_acquire));
  self.release();
}

void destroy_next_attempt(cell& self) {
  auto& mine = static_cast<next_attempt&>(self);
  mine.task->release();
  delete &mine;
}

constexpr cell_ops next_attempt_ops{.enter = enter_next_attempt, .destroy = destroy_next_attempt};

bool wants_retry(const cell_extra& extra, const error& e) {
  if (extra.retries_left == 0) return false;
  switch (e.code()) {
    case errc::cancelled:
    case errc::stopped:
    case errc::deadline: return false;
    default: return !extra.retry_on || extra.retry_on(e);
  }
}

}  // namespace

bool retry(context& here, cell& x) noexcept {
  cell_extra& extra = *x.extra.load(std::memory_order_relaxed);
  if (!wants_retry(extra, x.failure())) return false;
  auto* again = new (std::nothrow) next_attempt;
  if (again == nullptr) return false;  // the error stands
  if (extra.retries_left > 0) --extra.retries_left;
  ++extra.attempt;
  counters::raise(here.count.retried);
  std::destroy_at(&x.failure());
  scheduler& home = here.home();
  again->ops = &next_attempt_ops;
  again->home = &home;
  again->task = &x;
  x.add_reference();
  std::uint64_t wait_ns = extra.backoff_ns;
  extra.backoff_ns = std::min(2 * extra.backoff_ns, extra.backoff_ns_max);
  if (wait_ns != 0 && home.now.load(std::memory_order_relaxed) < phase::cancelling) {
    again->when_ns = home.port->now_ns() + wait_ns;
    again->fire = [](timer& self) noexcept {
      auto& due = static_cast<next_attempt&>(self);
      scheduler& its = *due.home;
      its.push_by_options(*find_context(its), due, due.task->extra.load());
    };
    if (home.add_task_timer(*again, x)) return true;
  }
  home.push_by_options(here, *again, &extra);
  return true;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
