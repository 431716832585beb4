// SPDX-License-Identifier: Apache-2.0
// The loop's thread: timers, what is bound to it, and without workers the tasks too. Polls and
// ready work alternate; nothing runs inside a callback of the port but on the caller's own loop,
// where there is no other place.

#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
constexpr int tasks_per_step = 64;  // without workers: then the loop polls again
}  // namespace

bool scheduler::add_timer(timer& t) noexcept {
  auto added = timers.add(t);
  if (added == timer_heap::added::earliest) port->wake();
  return added != timer_heap::added::no_memory;
}

bool scheduler::add_task_timer(timer& t, cell& x) noexcept {
  x.add_reference();
  t.of = &x;
  bool added = add_timer(t);
  // A cancel, or the end of the runtime, that came before looked for the timer in vain.
  bool hurry = (x.unmet.load(std::memory_order_acquire) & cell::cancelled) != 0 ||
               now.load(std::memory_order_acquire) >= phase::cancelling;
  if (added && hurry)
    if (timer* mine = timers.take(x)) mine->fire(*mine);
  x.release();
  return added;
}

void scheduler::fire_timers() noexcept {
  while (timer* due = timers.pop_due(port->now_ns())) {
    port->note(0x71);
    due->fire(*due);
  }
}

void scheduler::post_to_loop(cell& x) noexcept {
  loop_queue.push(x);
  port->wake();
}

bool scheduler::loop_step() noexcept {
  fire_timers();
  for (int i = 0; i < tasks_per_step; ++i) {
    cell* x = loop_queue.pop();
    if (x == nullptr) break;
    x->ops->enter(loop_context, *x);
  }
  if (solo && !simulated)
    for (int i = 0; i < tasks_per_step; ++i)
      if (!workers[0]->run_one()) break;
  bool more = !loop_queue.empty() || (solo && !simulated && has_work());
  if (!more && now.load(std::memory_order_relaxed) != phase::running) note_progress(*this);
  return more;
}

void scheduler::loop_main() noexcept {
  this_context = solo ? &workers[0]->here : &loop_context;
  std::uint64_t ran = 0, looks_until_ns = 0;
  while (loop_stop.load(std::memory_order_acquire) == 0) {
    bool more = loop_step();
    if (solo && !more) {
      // Sleepers of the solo worker are the poll itself: submitters wake the port.
      workers[0]->queue.shrink();
      offer_trim();
    }
    if (loop_stop.load(std::memory_order_acquire) != 0) break;
    if (options.loop_looks_ns != 0) {
      std::uint64_t completed = this_context->count.completed.load(std::memory_order_relaxed);
      if (std::exchange(ran, completed) != completed)
        looks_until_ns = port->now_ns() + options.loop_looks_ns;
      if (looks_until_ns != 0 && port->now_ns() > looks_until_ns) looks_until_ns = 0;
    }
    port->turn(more || looks_until_ns != 0 ? 0 : timers.earliest());
  }
}

/// On the caller's own loop this is a callback: without workers tasks run here because there is no
/// other place, and a get that would need the loop again is refused.
void scheduler::step_on_callers_loop() noexcept {
  context& here = solo ? workers[0]->here : loop_context;
  context* outer = std::exchange(this_context, &here);
  loop_context.in_callback = true;
  bool more = loop_step();
  loop_context.in_callback = false;
  this_context = outer;
  // With workers only the timers need the loop.
  port->keep_alive(more || (solo ? !quiescent() : timers.size() > (trim_pending ? 1 : 0)));
  port->set_deadline(more ? 0 : timers.earliest());
}

bool scheduler::turn_once(std::uint64_t until_ns) noexcept {
  if (port->external()) return false;
  std::uint64_t next = std::min(timers.earliest(), until_ns);
  if (simulated && next == forever && loop_queue.empty()) return false;
  port->turn(loop_queue.empty() ? next : 0);
  fire_timers();
  if (cell* x = loop_queue.pop()) x->ops->enter(loop_context, *x);
  return true;
}

bool scheduler::drive_once(std::uint64_t until_ns) noexcept {
  if (!simulated) {
    context* outer = std::exchange(this_context, &workers[0]->here);
    bool ran = workers[0]->run_one();
    this_context = outer;
    return ran || turn_once(until_ns);
  }
  // The seed decides which worker goes next; one that finds nothing gives way to the others.
  unsigned first = port->choose(workers_wanted);
  for (unsigned i = 0; i < workers_wanted; ++i) {
    worker& w = *workers[(first + i) % workers_wanted];
    context* outer = std::exchange(this_context, &w.here);
    port->note(0x100 + w.index);
    bool ran = w.run_one();
    this_context = outer;
    if (ran) return true;
  }
  return turn_once(until_ns);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
