// SPDX-License-Identifier: Apache-2.0
// The end of a scheduler: drain or cancel, let the threads go, then take the actors apart.

#include <algorithm>

#include "beamlet/base/time.hpp"
#include "beamlet/sched/cancel.hpp"
#include "beamlet/sched/engine.hpp"
#include "sched/actor_extra.hpp"
#include "sched/actor_turn.hpp"
#include "sched/internal.hpp"
#include "sched/statistics.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::uint64_t quiet_poll_ns = 10'000'000;
constexpr std::uint64_t complain_every_ns = 10'000'000'000;

/// Tasks that wait for a cell of another runtime would never be told: they fail now. Their memory
/// stays until that cell lets go of them.
void fail_bridged(scheduler& home) noexcept {
  std::vector<cell*> waiting;
  {
    std::lock_guard hold(home.bridged_lock);
    waiting.swap(home.bridged);
  }
  for (cell* x : waiting) {
    bool message = x->ops->link != nullptr;  // the actor's turn fails those
    if (!message && (x->unmet.load(std::memory_order_acquire) & cell::count_mask) != 0 &&
        !(claim(*x) & cell::claimed)) {
      home.dropped.fetch_add(1, std::memory_order_relaxed);
      counters::raise(find_context(home)->count.completed);
      seal_failed(*x, error(errc::stopped, error_layer::sched,
                            {"the runtime stopped before the task was started", "",
                             function_name(*x), ""}));
    }
    x->release();
  }
}

void raise_all_turns(scheduler& home) noexcept {
  std::vector<actor_core*> all;
  {
    std::lock_guard hold(home.actors_lock);
    for (actor_core* a = home.actors; a != nullptr; a = a->following) {
      a->add_reference();
      all.push_back(a);
    }
  }
  for (actor_core* a : all) {
    raise_turn(*a);
    a->release();
  }
}

}  // namespace

void note_progress(scheduler& home) noexcept {
  home.quiet.fetch_add(1, std::memory_order_release);
  ports::wake_all(home.quiet);
}

/// Counters only grow: when all that was submitted is among what was completed a moment before,
/// nothing runs.
bool scheduler::quiescent() noexcept {
  std::uint64_t completed = 0, submitted = 0;
  {
    std::lock_guard hold(contexts_lock);
    completed += gone.completed.load(std::memory_order_relaxed);
  }
  for_each_context(
      *this, [&](context& c) { completed += c.count.completed.load(std::memory_order_acquire); });
  for_each_context(
      *this, [&](context& c) { submitted += c.count.submitted.load(std::memory_order_acquire); });
  {
    std::lock_guard hold(contexts_lock);
    submitted += gone.submitted.load(std::memory_order_relaxed);
  }
  return completed >= submitted;
}

/// False: the time is over first.
bool scheduler::wait_quiet(std::uint64_t deadline_ns) noexcept {
  bool drives = solo && (simulated || port->external());
  std::uint64_t complain_ns = port->now_ns() + complain_every_ns;
  for (;;) {
    std::uint32_t seen = quiet.load(std::memory_order_acquire);
    if (quiescent()) return true;
    std::uint64_t time = port->now_ns();
    if (time >= deadline_ns) return false;
    if (time >= complain_ns) {
      complain_ns = time + complain_every_ns;
      if (log.enabled(log_level::warning))
        log.write(log_level::warning, error_layer::sched, time,
                  "stop waits for running work:\n" + dump_state(*this));
    }
    if (drives) {
      if (!drive_once(std::min(deadline_ns, time + quiet_poll_ns)) && simulated) return false;
    } else {
      ports::wait_on(quiet, seen, std::min(quiet_poll_ns, deadline_ns - time));
    }
  }
}

stop_report scheduler::stop(const stop_options& how) noexcept {
  std::lock_guard hold(stop_lock);
  if (stopped_once) return report;
  stopped_once = true;
  bool drained = false;
  if (how.drain) {
    now.store(phase::draining, std::memory_order_seq_cst);
    drained = wait_quiet(base::deadline_after(port->now_ns(), how.drain_timeout));
  }
  now.store(phase::cancelling, std::memory_order_seq_cst);
  if (engine* out = outside.load(std::memory_order_acquire)) out->cancel_all();
  fail_bridged(*this);
  admit_waiting();
  while (timer* due = timers.pop_due(forever)) due->fire(*due);
  wake_cancelled_coroutines(*this);
  raise_all_turns(*this);
  wake_all();
  wait_quiet(forever);
  end_threads();
  end_actors();
  if (engine* out = outside.load(std::memory_order_acquire)) out->end();
  port->close();
  runtime_stats s = collect_stats(*this);
  report.dropped = dropped.load(std::memory_order_relaxed);
  report.completed = s.completed - report.dropped;
  report.drained = drained || report.dropped == 0;
  return report;
}

void scheduler::end_threads() noexcept {
  now.store(phase::stopped, std::memory_order_seq_cst);
  wake_all();
  for (auto& w : workers)
    if (!w->spare && w->thread.joinable()) w->thread.join();
  decltype(blocking_pool) blocking;
  {
    std::lock_guard hold(spares_lock);  // a spare may still be starting; none does after this
    blocking.swap(blocking_pool);
  }
  for (auto& w : workers)
    if (w->thread.joinable()) w->thread.join();
  for (auto& t : blocking) {
    blocking_epoch.fetch_add(1, std::memory_order_seq_cst);
    ports::wake_all(blocking_epoch);
    if (t->thread.joinable()) t->thread.join();
  }
  loop_stop.store(1, std::memory_order_seq_cst);
  port->wake();
  if (loop_thread.joinable()) loop_thread.join();
  // Timers that something added on the way down, and entries that came up stale.
  while (timer* due = timers.pop_due(forever)) due->fire(*due);
  context* outer = this_context;
  for (auto& w : workers) {
    this_context = &w->here;
    while (w->run_one()) {}
  }
  this_context = &loop_context;
  while (cell* x = loop_queue.pop()) x->ops->enter(loop_context, *x);
  this_context = outer;
}

/// No thread is left: states are destroyed here. Handles that outlive the runtime keep the bare
/// core.
void scheduler::end_actors() noexcept {
  context* outer = std::exchange(this_context, &loop_context);
  while (actor_core* a = actors) {
    {
      std::lock_guard hold(actors_lock);
      actors = a->following;
      if (actors != nullptr) actors->previous = nullptr;
      a->listed = false;
    }
    if (cell* call = std::exchange(a->suspended, nullptr)) call->release();
    if (std::exchange(a->constructed, false)) a->type->destroy_state(*a);
    a->add_reference();
    a->stage.store(actor_core::life::orphan, std::memory_order_seq_cst);
    if (std::exchange(a->detached, false)) drop_handle(*a);  // orphan: releases with the last one
    else if (a->handles.load(std::memory_order_seq_cst) == 0) a->release();
    a->release();
  }
  for (actor_core* a : std::exchange(retired_actors, {})) a->release();
  actor_names.clear();
  this_context = outer;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
