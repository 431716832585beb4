// SPDX-License-Identifier: Apache-2.0
// What a task with options passes before it may run: its start time, its resources, the kind of
// thread it needs.

#include "beamlet/sched/engine.hpp"
#include "sched/actor_extra.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::uint64_t blocking_idle_ns =
    5'000'000'000;                    // an unused thread for blocking tasks ends after this
constexpr unsigned skipped_max = 64;  // how many smaller tasks may pass the first that does not fit

/// Starts a task (`of`) at its time. Owns the queue's reference of the task until then.
struct delayed_start : timer {};

void fail_admission(cell& x, errc code, const char* text) noexcept {
  fail_waiting(x, error(code, error_layer::sched, {text, "", function_name(x), ""}));
}

bool delay(scheduler& home, cell& x, cell_extra& extra) noexcept {
  if (extra.start_ns == 0 || extra.start_ns <= home.port->now_ns()) return false;
  bool ends = home.now.load(std::memory_order_relaxed) >= phase::cancelling;
  if (ends || (x.unmet.load(std::memory_order_acquire) & cell::cancelled))
    return false;  // refused when it is claimed
  auto* d = new (std::nothrow) delayed_start;
  if (d == nullptr) {
    fail_admission(x, errc::no_memory, "no memory for a delayed task");
    return true;
  }
  d->when_ns = std::exchange(extra.start_ns, 0);
  d->fire = [](timer& self) noexcept {
    auto& start = static_cast<delayed_start&>(self);
    cell& due = *start.of;
    delete &start;
    due.home->admit(*find_context(*due.home), due);
  };
  if (home.add_task_timer(*d, x)) return true;
  delete d;
  fail_admission(x, errc::no_memory, "no memory for a delayed task");
  return true;
}

}  // namespace

void fail_waiting(cell& x, error why) noexcept {
  x.unmet.fetch_or(cell::claimed, std::memory_order_acq_rel);
  drop_arguments(x);
  counters::raise(find_context(*x.home)->count.completed);
  seal_failed(x, std::move(why));
  x.release();
}

void submit_special(context& here, cell& x) noexcept { here.home().admit(here, x); }

/// Ready to run but for its options.
void scheduler::admit(context& here, cell& x) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra == nullptr) return start(here, x);
  if (delay(*this, x, *extra)) return;
  if (!extra->needs.empty() && !extra->holds_needs && extra->isolated == nullptr) {
    std::unique_lock hold(ledger_lock);
    if (!resources.take(extra->needs)) {
      x.next = nullptr;
      *waiting_last = &x;
      waiting_last = &x.next;
      waiting_count.fetch_add(1, std::memory_order_relaxed);
      hold.unlock();
      return trade(*this);
    }
    extra->holds_needs = true;
  }
  start(here, x);
}

/// Everything it asked for is there: from now on a get may claim it, unless it is `blocking`, which
/// only threads of its own run.
void scheduler::start(context& here, cell& x) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra != nullptr && extra->isolated != nullptr) return leave_isolated(here, x);
  bool apart = extra != nullptr && extra->blocking && !simulated;
  if (!apart) x.unmet.fetch_and(~cell::special, std::memory_order_acq_rel);
  if (has_engine && leave_through_engine(here, x)) return;
  push_by_options(here, x, extra);
}

/// Into the queue that the options name. `entry` is the task or stands for it.
void scheduler::push_by_options(context& here, cell& entry, const cell_extra* extra) noexcept {
  if (extra != nullptr && extra->blocking && !simulated) return run_blocking(entry);
  bool mine = here.owner.load(std::memory_order_relaxed) == this && this_context == &here;
  push_ready(mine ? &here : nullptr, entry, extra != nullptr ? extra->urgency : priority::normal);
}

void scheduler::give_back(cell& x) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra == nullptr || !extra->holds_needs) return;
  extra->holds_needs = false;
  {
    std::lock_guard hold(ledger_lock);
    resources.give(extra->needs);
  }
  admit_waiting();
}

/// First come, first served, but what fits may pass what does not.
void scheduler::admit_waiting() noexcept {
  if (waiting_count.load(std::memory_order_relaxed) == 0) return trade(*this);
  cell* admitted = nullptr;
  cell** tail = &admitted;
  {
    std::lock_guard hold(ledger_lock);
    bool all = now.load(std::memory_order_relaxed) >= phase::cancelling;
    unsigned skipped = 0;
    for (cell** link = &waiting_first; *link != nullptr && skipped < skipped_max;) {
      cell& x = **link;
      cell_extra& extra = *x.extra.load(std::memory_order_relaxed);
      bool dropped = (x.unmet.load(std::memory_order_relaxed) & cell::cancelled) != 0 || all;
      if (!dropped && !resources.take(extra.needs)) {
        ++skipped;
        link = &x.next;
        continue;
      }
      extra.holds_needs = !dropped;
      *link = x.next;
      if (*link == nullptr) waiting_last = link;
      waiting_count.fetch_sub(1, std::memory_order_relaxed);
      x.next = nullptr;
      *tail = &x;
      tail = &x.next;
    }
  }
  while (cell* x = admitted) {
    admitted = x->next;
    start(*find_context(*this), *x);
  }
  trade(*this);
}

void scheduler::lend_cpu(cell& x, bool lend) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  {
    std::lock_guard hold(ledger_lock);
    for (const quantity& q : extra->needs) {
      if (q.resource != resource::cpu) continue;
      // Taken back even when another has it by now: the waiting task must go on.
      if (lend) resources.give({&q, 1});
      else resources.overdraw(q);
    }
  }
  if (lend) admit_waiting();
}

void lend_cpu_away(scheduler& home, cell& x, bool lent) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra != nullptr && extra->came_in)
    home.outside.load(std::memory_order_acquire)->lend_cpu(x, lent);
}

result<void> scheduler::check_feasible(const std::vector<quantity>& needs, bool away) {
  std::lock_guard hold(ledger_lock);
  const bool shared = shares.load(std::memory_order_relaxed);
  auto where = [&](const quantity& q) -> const ledger& {
    return shared && (away || !is_own(*this, q.resource)) ? box : resources;
  };
  for (const quantity& q : needs) {
    std::int64_t wanted = 0, total = where(q).total(q.resource);
    for (const quantity& each : needs)
      if (each.resource == q.resource) wanted += each.amount;
    if (wanted > total)
      return error(
          errc::infeasible, error_layer::sched,
          {"asks for " + std::to_string(static_cast<double>(wanted) / amount_per_unit) + " of '" +
               std::string(names.name(q.resource)) + "', of which this node has " +
               std::to_string(static_cast<double>(total) / amount_per_unit),
           "", "", ""});
  }
  return {};
}

void give_actor_needs(scheduler& home, actor_extra& extra) noexcept {
  {
    std::lock_guard hold(home.ledger_lock);
    home.resources.give(extra.needs);
    extra.needs.clear();
  }
  home.admit_waiting();
}

// -- blocking tasks

void scheduler::run_blocking(cell& x) noexcept {
  bool start_thread = false;
  {
    std::lock_guard hold(blocking_lock);
    x.next = nullptr;
    *blocking_last = &x;
    blocking_last = &x.next;
    if (blocking_idle == 0 && blocking_threads < options.blocking_threads_max) {
      ++blocking_threads;
      start_thread = true;
    }
  }
  if (start_thread && !start_blocking_thread()) {
    std::lock_guard hold(blocking_lock);
    --blocking_threads;  // the queue waits for those there are; with none, for the next submission
    if (blocking_threads == 0) start_thread = false;
  }
  blocking_epoch.fetch_add(1, std::memory_order_seq_cst);
  ports::wake_one(blocking_epoch);
}

void scheduler::blocking_main() noexcept {
  context* here = find_context(*this);
  bool timed_out = false;
  for (;;) {
    std::uint32_t seen = blocking_epoch.load(std::memory_order_seq_cst);
    cell* x = nullptr;
    {
      std::lock_guard hold(blocking_lock);
      x = blocking_first;
      if (x != nullptr) {
        blocking_first = x->next;
        if (blocking_first == nullptr) blocking_last = &blocking_first;
      } else if (timed_out || now.load(std::memory_order_relaxed) == phase::stopped) {
        --blocking_threads;
        return;
      } else {
        ++blocking_idle;
      }
    }
    if (x != nullptr) {
      x->ops->enter(*here, *x);
      timed_out = false;
      continue;
    }
    timed_out = !ports::wait_on(blocking_epoch, seen, blocking_idle_ns);
    std::lock_guard hold(blocking_lock);
    --blocking_idle;
  }
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
