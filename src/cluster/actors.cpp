// SPDX-License-Identifier: Apache-2.0
// Actors: created by a call, called in each caller's order, restarted, ended.
#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/errors.hpp"
#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

// REQUIRES: admitted; before `begin`.
void node_state::create_actor(const task& t) {
  const wire::call& c = t.what;
  object& o = make(c.actor);
  o.what = object::state::actor;
  objects_.own(holder_of(t.submitter), c.actor);
  if (c.options.detached) objects_.use(c.actor);
  actor& a = actors_[c.actor];
  a.creation = c;
  a.submitter = t.submitter;
  a.functions_hash = t.functions_hash;
  a.kind = t.kind;
  a.needs = t.needs;
  a.restarts_left = c.options.restarts;
  a.holds_arguments = a.restarts_left != 0;
  if (a.holds_arguments) hold_arguments(c);
  answer_early(c.actor, error());
}

// The creating call has ended well. An idle actor holds no cpu, everything else for life.
void node_state::actor_created(task& t) {
  actor& a = actors_.at(t.what.actor);
  a.at = actor::state::alive;
  a.session = t.session;
  a.creation.attempt = t.what.attempt;
  sessions_.at(t.session).actors.insert(t.what.actor);
  for (const quantity& q : has_ended(t)) {
    if (q.resource != resource::cpu) a.taken.push_back(q);
    else ledger_.give({&q, 1});
  }
  deliver_all(t.what.actor);
}

void node_state::queue_call(const object_id& id, const task& t) {
  actor& a = actors_.at(t.what.actor);
  if (a.callers.size() >= limits_.callers_max)  // those whose session has gone make room
    std::erase_if(a.callers, [&](const auto& c) {
      return c.second.held.empty() && !sessions_.contains(c.first.first);
    });
  a.callers[{t.submitter, t.what.caller}].held[t.what.sequence].task = id;
  a.calls.insert(id);
}

// Hands over this caller's calls as far as they are ready, strictly in order: one whose arguments
// are missing holds up the later ones.
void node_state::deliver(const object_id& actor_id, const caller_key& who) {
  auto at = actors_.find(actor_id);
  if (at == actors_.end() || at->second.at != actor::state::alive) return;
  auto from = at->second.callers.find(who);
  if (from == at->second.callers.end()) return;
  caller& c = from->second;
  while (!c.busy && !c.held.empty()) {
    const auto [sequence, turn] = *c.held.begin();
    if (sequence > c.next) return;  // an earlier one is still on its way here
    if (turn.task.is_null()) {
      c.held.erase(c.held.begin());
      c.next = std::max(c.next, turn.until);
      continue;
    }
    const object_id id = turn.task;
    task& t = tasks_.at(id);
    if (t.at != task::state::queued || has_enough(at->second)) return;
    if (!take_cpu_for_call(actor_id, at->second)) return;
    c.busy = true;
    ++at->second.given;
    at->second.last_given = who;
    assign(id, t, at->second.session);
  }
}

bool node_state::has_enough(const actor& a) const {
  return a.given >= limits_.calls_ahead_max + a.creation.options.concurrency;
}

// Callers in turn, where not all can have theirs delivered.
void node_state::deliver_all(const object_id& actor_id) {
  auto at = actors_.find(actor_id);
  if (at == actors_.end()) return;
  std::vector<caller_key> all;
  for (const auto& [who, c] : at->second.callers) all.push_back(who);
  std::rotate(all.begin(), std::upper_bound(all.begin(), all.end(), at->second.last_given),
              all.end());
  for (const caller_key& who : all) {
    if (has_enough(at->second) || at->second.turn != 0) return;
    deliver(actor_id, who);
  }
}

void node_state::delivered(const task& t) {
  caller& c = actors_.at(t.what.actor).callers.at({t.submitter, t.what.caller});
  c.held.erase(t.what.sequence);
  c.next = std::max(c.next, t.what.sequence + 1);
  c.busy = false;
}

// A call that was not delivered ends: its turn is passed over.
void node_state::call_left(const object_id& id, const task& t) {
  auto at = actors_.find(t.what.actor);
  if (at == actors_.end()) return;
  const caller_key who{t.submitter, t.what.caller};
  auto from = at->second.callers.find(who);
  if (from == at->second.callers.end()) return;
  caller& c = from->second;
  auto turn = c.held.find(t.what.sequence);
  if (turn == c.held.end() || turn->second.task != id) return;
  if (t.at == task::state::pinning) c.busy = false;
  turn->second = {.task = {}, .until = turn->first + 1};
  deliver(t.what.actor, who);
}

// A call was refused: those after it must not wait for it. Runs of them take one entry, so that a
// caller who goes on against a full queue fills no memory.
void node_state::pass_turn(const object_id& actor_id, const caller_key& who,
                           std::uint64_t sequence) {
  auto at = actors_.find(actor_id);
  if (at == actors_.end() || at->second.at == actor::state::ended) return;
  auto& callers = at->second.callers;
  if (!callers.contains(who) && callers.size() >= limits_.callers_max) return;
  caller& c = callers[who];
  auto after = c.held.lower_bound(sequence);
  if (sequence < c.next || (after != c.held.end() && after->first == sequence)) return;
  if (after != c.held.begin()) {
    caller::turn& before = std::prev(after)->second;
    if (before.task.is_null() && before.until >= sequence) {
      before.until = std::max(before.until, sequence + 1);
      return deliver(actor_id, who);
    }
  }
  // One more than there may be calls, for the run that begins where they end.
  if (c.held.size() > limits_.early_calls_max) return;
  c.held[sequence] = {.task = {}, .until = sequence + 1};
  deliver(actor_id, who);
}

void node_state::said(std::uint32_t, wire::end_actor&& m) {
  auto at = actors_.find(m.actor);
  if (at == actors_.end() || at->second.at == actor::state::ended) return;
  if (m.kill) {
    end_now(m.actor, cluster_error(errc::actor_died, "it was killed"), true);
    return;
  }
  at->second.ending = true;
  end_if_done(m.actor);
}

void node_state::end_if_done(const object_id& actor_id) {
  auto at = actors_.find(actor_id);
  if (at == actors_.end() || !at->second.ending || at->second.at != actor::state::alive) return;
  if (!at->second.calls.empty()) return;
  end_now(actor_id, cluster_error(errc::actor_died, "it was ended"), false);
}

// The process that an actor lives in, or is created in, is gone.
void node_state::restart_or_end(const object_id& actor_id, const error& how) {
  auto at = actors_.find(actor_id);
  if (at == actors_.end() || at->second.at == actor::state::ended) return;
  actor& a = at->second;
  if (a.restarts_left == 0) return end_now(actor_id, how, false);
  if (a.restarts_left > 0) --a.restarts_left;
  a.at = actor::state::creating;
  a.session = 0;
  a.given = a.lent = 0;
  settle_cpu(a);
  leave_turn(a);
  ledger_.give(std::exchange(a.taken, {}));
  may_start_ = true;
  if (auto creating = tasks_.find(a.creation.task); creating != tasks_.end()) {
    task& t = creating->second;
    rest(t, how);
    ++t.what.attempt;
    t.session = 0;
    give_back(t);
    return await_arguments(creating->first, t);
  }
  ++a.creation.attempt;
  task again;
  again.what = a.creation;
  again.submitter = a.submitter;
  again.functions_hash = a.functions_hash;
  again.kind = a.kind;
  again.needs = a.needs;
  rest(again, how);
  begin(std::move(again));
}

// Ends an actor in whatever state it is. The host learns it by `actor_ended` as holders do.
void node_state::end_now(const object_id& actor_id, error why, bool kill) {
  actor& a = actors_.at(actor_id);
  if (a.at == actor::state::ended) return;
  a.at = actor::state::ended;
  a.why = std::move(why);
  settle_cpu(a);
  leave_turn(a);
  forget_share(a.kind.program);
  drop_name(actor_id);
  std::uint32_t host = std::exchange(a.session, 0);
  if (auto t = tasks_.find(a.creation.task);
      t != tasks_.end() && t->second.at == task::state::running)
    host = t->second.session;
  auto at = sessions_.find(host);
  if (at != sessions_.end()) {
    at->second.actors.erase(actor_id);
    tell(host, wire::actor_ended{.actor = actor_id, .why = a.why});
    if (kill && at->second.pool != 0 && !std::exchange(at->second.killed, true))
      out_->push_back(kill_worker{host});
    // Before its calls are taken from it: no others must come there.
    if (at->second.pool != 0) drain_worker(host);
  }
  a.callers.clear();
  for (const object_id& id : std::exchange(a.calls, {}))
    if (auto call = tasks_.find(id); call != tasks_.end())
      fail_task(id, actor_died_error(a, call->second.what.function));
  fail_task(a.creation.task, a.why);
  ledger_.give(std::exchange(a.taken, {}));
  may_start_ = true;
  if (std::exchange(a.holds_arguments, false)) release_arguments(a.creation);
  if (a.creation.options.detached) objects_.unuse(actor_id);
  if (object* o = objects_.find(actor_id))
    for (object::hold& h : o->holds)
      if (h.who.session != host) tell_if_ready(actor_id, *o, h);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
