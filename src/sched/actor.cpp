// SPDX-License-Identifier: Apache-2.0
// Actors: the turn, one call, the end.

#include "beamlet/sched/actor_core.hpp"

#include <algorithm>

#include "beamlet/sched/async.hpp"
#include "beamlet/sched/engine.hpp"
#include "sched/actor_extra.hpp"
#include "sched/actor_turn.hpp"
#include "sched/frames.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"
#include "sched/statistics.hpp"
#include "sched/timeline.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr int calls_per_turn = 256;         // then others get the worker
constexpr std::size_t retired_actors = 64;  // freed together: one heavy fence for all

using life = actor_core::life;

/// Seals a message with the reason why it does not run.
void fail_message(context& here, actor_core& a, cell& m) noexcept {
  drop_arguments(m);
  bool stopping = here.face->now.load(std::memory_order_relaxed) >= phase::cancelling;
  if (stopping) {
    here.home().dropped.fetch_add(1, std::memory_order_relaxed);
    m.set_failure(
        error(errc::stopped, error_layer::sched,
              {"the runtime stopped before the call was started", "", function_name(m), ""}));
  } else {
    error death = death_of(a);
    m.set_failure(
        error(errc::actor_died, error_layer::sched,
              {"the actor " + std::string(a.type->name) + " has ended", "", function_name(m),
               death.code() == errc::ok ? std::string() : death.describe()}));
  }
}

/// A failed `send`: the log is the only place where anybody can learn of it.
void tell_unheard(context& here, const cell& m) noexcept {
  scheduler& home = here.home();
  if (!home.log.enabled(log_level::warning)) return;
  home.log.write(log_level::warning, error_layer::sched, now_ns(here),
                 "a call that nobody waits for failed: " + m.failure().describe());
}

void seal_message(context& here, cell& m, outcome how) noexcept {
  counters::raise(here.count.completed);
  counters::raise(here.count.messages);
  if (how == outcome::failed)
    counters::raise(m.failure().code() == errc::cancelled ? here.count.cancelled
                                                          : here.count.failed);
  std::uintptr_t state = how == outcome::value ? cell::value : cell::failed;
  if (m.references.load(std::memory_order_acquire) == 1) {  // nobody waits and nobody will
    m.state.store(state, std::memory_order_relaxed);
    if (how == outcome::failed) tell_unheard(here, m);
  } else {
    seal(m, state);
  }
  if (here.face->now.load(std::memory_order_relaxed) != phase::running) note_progress(here.home());
  m.release();
}

/// Why a message is not run, if so; seals it then.
bool refuse_call(context& here, actor_core& a, cell& m) noexcept {
  life stage = a.stage.load(std::memory_order_acquire);
  if (stage >= life::dying || here.face->now.load(std::memory_order_relaxed) >= phase::cancelling) {
    fail_message(here, a, m);
  } else {
    std::uint32_t flags = m.unmet.load(std::memory_order_relaxed);
    cell_extra* extra = m.extra.load(std::memory_order_relaxed);
    bool ancestor =
        here.face->ancestors_matter.load(std::memory_order_relaxed) && ancestor_cancelled(m);
    bool late =
        extra != nullptr && extra->deadline_ns != forever && now_ns(here) > extra->deadline_ns;
    if (!(flags & cell::cancelled) && !ancestor && !late) return false;
    drop_arguments(m);
    m.set_failure(error(late ? errc::deadline : errc::cancelled, error_layer::sched,
                        {"", "", function_name(m), ""}));
  }
  seal_message(here, m, outcome::failed);
  return true;
}

outcome run_call(context& here, actor_core& a, cell& m) noexcept {
  frame_guard inside(here, m, &a);
  task_sample sample(here, m);
  outcome how = m.ops->run(m);
  sample.end(how == outcome::failed);
  return how;
}

bool special_call(context& here, cell& m) {
  return (m.unmet.load(std::memory_order_relaxed) & cell::cancelled) != 0 ||
         m.extra.load(std::memory_order_relaxed) != nullptr ||
         here.face->now.load(std::memory_order_relaxed) != phase::running ||
         here.face->ancestors_matter.load(std::memory_order_relaxed);
}

/// The constructor's message is always the first; a failed one is the actor's death.
void after_construction(actor_core& a, cell& m, outcome how) noexcept {
  if (how == outcome::value) {
    a.constructed = true;
    life seen = life::starting;  // unless it was killed meanwhile
    a.stage.compare_exchange_strong(seen, life::alive, std::memory_order_acq_rel);
    return;
  }
  if (actor_extra* extra = extra_of(a)) {
    std::lock_guard hold(extra->lock);
    extra->death = m.failure();
  }
  a.stage.store(life::dying, std::memory_order_release);
}

concurrency_group* group_of(const cell& m) noexcept {
  cell_extra* extra = m.extra.load(std::memory_order_relaxed);
  return extra != nullptr ? extra->group : nullptr;
}

/// Calls of a group run beside the turn, at most as many as its limit.
void start_in_group(context& here, actor_core& a, concurrency_group& g, cell& m) noexcept {
  if (g.running.load(std::memory_order_acquire) >= g.limit) return g.waiting.push(m);
  g.running.fetch_add(1, std::memory_order_relaxed);
  a.more.load(std::memory_order_relaxed)->group_calls.fetch_add(1, std::memory_order_relaxed);
  schedule(here, m);
}

void start_waiting_groups(context& here, actor_core& a) noexcept {
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (extra == nullptr) return;
  for (auto& g : extra->groups)
    while (g->waiting.first != nullptr && g->running.load(std::memory_order_acquire) < g->limit)
      start_in_group(here, a, *g, *g->waiting.pop());
}

/// Runs one message in the turn, or sends it to another worker where calls may overlap.
void run_in_turn(context& here, actor_core& a, cell& m) noexcept {
  life stage = a.stage.load(std::memory_order_relaxed);
  if ((stage >= life::dying || special_call(here, m)) && refuse_call(here, a, m)) {
    if (stage == life::starting) a.stage.store(life::dying, std::memory_order_release);
    return;
  }
  if (a.away) return send_away(here, a, m);
  if (concurrency_group* g = group_of(m)) return start_in_group(here, a, *g, m);
  bool beside = a.concurrency > 1 && stage == life::alive;
  if (beside) {  // another worker may run it meanwhile
    a.running_calls.fetch_add(1, std::memory_order_relaxed);
    return here.home().push_by_options(here, m, m.extra.load(std::memory_order_relaxed));
  }
  bool may_suspend = (m.unmet.load(std::memory_order_relaxed) & cell::may_suspend) != 0;
  if (may_suspend) a.running_calls.fetch_add(1, std::memory_order_relaxed);
  if (may_suspend)
    m.add_reference();  // the suspended call may end on another worker before we look
  outcome how = run_call(here, a, m);
  if (how == outcome::suspended) {
    if (a.suspended != nullptr) a.suspended->release();
    a.suspended = &m;
    return;  // whether there is room for another is busy()'s to say
  }
  if (may_suspend) {
    m.release();
    a.running_calls.fetch_sub(1, std::memory_order_relaxed);
  }
  if (stage == life::starting) after_construction(a, m, how);
  drop_arguments(m);
  seal_message(here, m, how);
}

bool busy(const actor_core& a) noexcept {
  std::uint32_t calls = a.running_calls.load(std::memory_order_acquire);
  return calls >= a.concurrency &&
         !(a.concurrency == 1 && a.type->reentrant && calls < reentrant_calls_max);
}

void unlist(actor_core& a) noexcept {
  scheduler& home = *a.home;
  std::lock_guard hold(home.actors_lock);
  if (!a.listed) return;
  a.listed = false;
  (a.previous != nullptr ? a.previous->following : home.actors) = a.following;
  if (a.following != nullptr) a.following->previous = a.previous;
}

/// Null: it lives here.
engine* outside_of(const actor_core& a) noexcept {
  return a.away ? a.home->outside.load(std::memory_order_acquire) : nullptr;
}

void destroy_state(actor_core& a) noexcept {
  if (cell* call = std::exchange(a.suspended, nullptr)) call->release();
  release_name(a);
  if (std::exchange(a.constructed, false)) a.type->destroy_state(a);
  if (engine* out = outside_of(a)) out->leave_actor(a, false);
  if (actor_extra* extra = a.more.load(std::memory_order_acquire);
      extra != nullptr && !extra->needs.empty())
    give_actor_needs(*a.home, *extra);
  a.stage.store(life::dead, std::memory_order_release);
}

/// At the end of a turn with nothing left: the state of a dying actor goes, the actor of no handle
/// goes. True: the actor is gone for good and its memory's last reference with it.
bool settle_actor(actor_core& a) noexcept {
  if (a.running_calls.load(std::memory_order_acquire) != 0) return false;
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (extra != nullptr && extra->group_calls.load(std::memory_order_acquire) != 0) return false;
  bool nothing_held = extra == nullptr || extra->held.empty();
  // In this order: what the last handle has sent is there before the handle goes.
  bool unused = a.handles.load(std::memory_order_acquire) == 0 && nothing_held &&
                a.batch == nullptr && mailbox_reader(a).empty();
  life stage = a.stage.load(std::memory_order_acquire);
  if (stage == life::dying || (unused && stage == life::alive)) destroy_state(a);
  if (!unused || a.stage.load(std::memory_order_acquire) != life::dead) return false;
  unlist(a);
  return true;
}

void fail_held(context& here, actor_core& a) noexcept {
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (extra == nullptr) return;
  for (held_calls& h : extra->held)
    while (cell* m = h.calls.pop()) {
      fail_message(here, a, *m);
      seal_message(here, *m, outcome::failed);
    }
  extra->held.clear();
  for (auto& g : extra->groups)
    while (cell* m = g->waiting.pop()) {
      fail_message(here, a, *m);
      seal_message(here, *m, outcome::failed);
    }
}

/// Runs what may run. False: the turn was given up for others to go first.
bool run_mail(context& here, actor_core& a, std::uint64_t mail, cell* until, int& budget,
              bool& parked) noexcept {
  mailbox_reader mailbox(a);
  mailbox.accept(mail);
  parked = false;
  for (;;) {
    bool ending = a.stage.load(std::memory_order_acquire) >= life::dying ||
                  here.face->now.load(std::memory_order_relaxed) >= phase::cancelling;
    if (ending) fail_held(here, a);
    else start_waiting_groups(here, a);
    parked = !ending && busy(a);
    if (parked) break;
    bool enough = --budget < 0 || (until != nullptr && until->sealed());
    if (enough && !mailbox.empty()) {
      mailbox.put_back();
      if (a.mail.yield()) schedule(here, a);
      return false;
    }
    cell* m = mailbox.next();
    if (m == nullptr) break;
    run_in_turn(here, a, *m);
  }
  mailbox.put_back();
  return true;
}

/// REQUIRES: the turn is ours. Leaves it at the end.
void run_turn(context& here, actor_core& a, std::uint64_t mail, cell* until) noexcept {
  int budget = calls_per_turn;
  bool parked = false;
  do {
    if (!run_mail(here, a, std::exchange(mail, 0), until, budget, parked)) return;
    if (!parked && settle_actor(a)) {
      if (a.mail.retire()) retire_actor(a);  // else the entry that is still queued does
      return;
    }
    chaos::point(chaos::place::mailbox_before_idle);
  } while (!(parked ? a.mail.leave_parked() : a.mail.leave()));
}

}  // namespace

bool runs_below(const context& here, const actor_core& a) noexcept {
  for (const frame* f = here.current; f != nullptr; f = f->outer)
    if (f->actor.load(std::memory_order_relaxed) == &a) return true;
  return false;
}

void enter_actor(context& here, cell& self) {
  auto& a = static_cast<actor_core&>(self);
  std::uint64_t mail;
  if (a.mail.enter(mail)) run_turn(here, a, mail, nullptr);
  else if (mail == mail_word::retired) retire_actor(a);
}

bool help_actor(context& here, actor_core& a, cell* until) noexcept {
  std::uint64_t mail;
  if (take_newest(here, a)) {
    if (!a.mail.enter(mail)) {
      if (mail == mail_word::retired) retire_actor(a);
      return false;
    }
  } else if (!a.mail.claim(mail)) {
    return false;
  }
  run_turn(here, a, mail, until);
  return true;
}

void enter_message(context& here, cell& m) {
  actor_core& a = *m.ops->link(m).actor;
  m.add_reference();  // for call_finished
  outcome how = outcome::suspended;
  if (!special_call(here, m) || !refuse_call(here, a, m)) {
    how = run_call(here, a, m);
    if (how == outcome::suspended) return m.release();
    drop_arguments(m);
    seal_message(here, m, how);
  }
  call_finished(a, m);
  m.release();
}

void call_finished(actor_core& a, cell& m) noexcept {
  // The call kept the actor from ending: after the count fell it may be gone.
  a.add_reference();
  if (concurrency_group* g = group_of(m)) {
    g->running.fetch_sub(1, std::memory_order_acq_rel);
    a.more.load(std::memory_order_relaxed)->group_calls.fetch_sub(1, std::memory_order_acq_rel);
  } else {
    a.running_calls.fetch_sub(1, std::memory_order_acq_rel);
  }
  raise_turn(a);
  a.release();
}

void send_away(context& here, actor_core& a, cell& m) noexcept {
  a.running_calls.fetch_add(1, std::memory_order_relaxed);
  leave_for_actor(here, m);
}

void call_came_back(actor_core& a, cell& m) noexcept { call_finished(a, m); }

void finish_suspended_call(context& here, cell& m, outcome how) noexcept {
  actor_core& a = *m.ops->link(m).actor;
  drop_arguments(m);
  seal_message(here, m, how);  // the root still holds a reference
  call_finished(a, m);
}

cell* blocker_of(context& here, actor_core& a, cell& m) noexcept {
  // Only the turn runs and drops messages: whoever holds it may look at them.
  if (!a.mail.take()) return nullptr;
  cell* found = nullptr;
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (a.running_calls.load(std::memory_order_acquire) != 0) {
    found = a.suspended;
  } else if (extra != nullptr && !m.sealed()) {
    std::uint64_t caller = m.ops->link(m).caller;
    for (held_calls& h : extra->held)
      if (h.caller == caller && h.calls.first->ops->unready != nullptr)
        found = h.calls.first->ops->unready(*h.calls.first);
  }
  if (found != nullptr) found->add_reference();
  if (!a.mail.untake()) run_turn(here, a, 0, &m);
  return found;
}

// -- handles and the end

bool try_add_handle(actor_core& a) noexcept {
  std::uint32_t seen = a.handles.load(std::memory_order_relaxed);
  while (seen != 0)
    if (a.handles.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return true;
  return false;
}

void drop_handle(actor_core& a) noexcept {
  if (a.handles.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (a.stage.load(std::memory_order_acquire) == life::orphan) return a.release();
  raise_turn(a);
}

void detach_actor(actor_core& a) noexcept {
  add_handle(a);
  std::lock_guard hold(a.home->actors_lock);
  a.detached = true;
}

namespace {

void undetach(actor_core& a) noexcept {
  bool held;
  {
    std::lock_guard hold(a.home->actors_lock);
    held = std::exchange(a.detached, false);
  }
  if (held) drop_handle(a);
}

}  // namespace

error death_of(const actor_core& a) {
  actor_extra* extra = a.more.load(std::memory_order_acquire);
  if (extra == nullptr) return {};
  std::lock_guard hold(extra->lock);
  return extra->death;
}

void kill_actor(context&, actor_core& a, error why) noexcept {
  if (a.stage.load(std::memory_order_acquire) == life::orphan) return;
  if (actor_extra* extra = extra_of(a)) {
    std::lock_guard hold(extra->lock);
    if (extra->death.code() == errc::ok) extra->death = std::move(why);
  }
  life seen = a.stage.load(std::memory_order_acquire);
  while (seen < life::dying &&
         !a.stage.compare_exchange_weak(seen, life::dying, std::memory_order_acq_rel)) {}
  release_name(a);
  if (engine* out = outside_of(a)) out->leave_actor(a, true);
  else cancel_calls_of(a);
  raise_turn(a);
  undetach(a);
}

void exit_current_actor(context& here) noexcept {
  if (actor_core* a = current_actor(here))
    kill_actor(
        here, *a,
        error(errc::actor_died, error_layer::sched, {"the actor left by itself", "", "", ""}));
}

actor_core* current_actor(const context& here) noexcept {
  return here.current->actor.load(std::memory_order_relaxed);
}

actor_extra* extra_of(actor_core& a) noexcept {
  actor_extra* seen = a.more.load(std::memory_order_acquire);
  if (seen != nullptr) return seen;
  auto* fresh = new (std::nothrow) actor_extra;
  if (fresh == nullptr) return nullptr;
  if (a.more.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return seen;
}

void destroy_actor(cell& self) noexcept {
  auto& a = static_cast<actor_core&>(self);
  delete a.more.load(std::memory_order_acquire);
  a.type->destroy_memory(a);
}

void retire_actor(actor_core& a) noexcept {
  scheduler& home = *a.home;
  std::vector<actor_core*> due;
  {
    std::lock_guard hold(home.actors_lock);
    if (!try_push_back(home.retired_actors, &a)) return;  // leaked rather than freed under a reader
    if (home.retired_actors.size() < retired_actors) return;
    due.swap(home.retired_actors);
  }
  // A reader of a message's actor marks it, then looks whether the message is still pending
  // (wait.cpp).
  ports::heavy_fence();
  std::vector<const actor_core*> marked;
  for_each_context(home, [&](context& c) {
    if (const actor_core* h = c.hazard.load(std::memory_order_acquire)) try_push_back(marked, h);
  });
  for (actor_core* dead : due) {
    bool in_use = std::find(marked.begin(), marked.end(), dead) != marked.end();
    if (!in_use) {
      dead->release();
      continue;
    }
    std::lock_guard hold(home.actors_lock);
    try_push_back(home.retired_actors, dead);
  }
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
