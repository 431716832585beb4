// SPDX-License-Identifier: Apache-2.0
// Calls from `submit` to the moment they run, and how what they made is made again.
#include <algorithm>
#include <utility>
#include <variant>

#include "cluster/errors.hpp"
#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace {
bool is_cpu(const quantity& q) { return q.resource == resource::cpu; }
}  // namespace

void node_state::said(std::uint32_t from, wire::submit&& m) {
  wire::call& c = m.what;
  if (error why = check_ids(from, c); why.code() != errc::ok) return refuse(from, 0, why);
  if (tasks_.contains(c.task) || lineage_.find(c.task) != nullptr) return;
  for (const object_id& id : c.results)
    if (object* o = objects_.find(id); o != nullptr && o->maker == c.task) return;  // it has ended
  for (const object_id& id : c.results) {
    make(id).maker = c.task;
    objects_.own(holder_of(from), id);
  }
  task t;
  t.submitter = from;
  t.functions_hash = sessions_.at(from).functions_hash;
  t.retries_left = c.options.retries;
  if (error why = admit(from, c, t.needs); why.code() != errc::ok) {
    if (c.kind == wire::call_kind::actor_call) pass_turn(c.actor, {from, c.caller}, c.sequence);
    return fail_results(c, why);
  }
  if (c.kind == wire::call_kind::actor_call && t.retries_left == 0)
    t.retries_left = actors_.at(c.actor).creation.options.retries;
  t.what = std::move(c);
  t.kind.urgency = t.what.options.urgency;
  t.kind.pool = pool_of(t);
  t.kind.functions_hash = t.functions_hash;
  t.kind.program = sessions_.at(from).program;
  t.kind.depth = sessions_.at(from).depth;
  for (const quantity& q : t.needs) t.kind.needs.emplace_back(q.resource, q.amount);
  if (auto parent = tasks_.find(t.what.parent);
      parent != tasks_.end() && parent->second.session == from)
    parent->second.children.insert(t.what.task);
  sessions_.at(from).submitted.insert(t.what.task);
  if (t.what.kind == wire::call_kind::create_actor) create_actor(t);
  begin(std::move(t));
}

// Ids that are not the session's to use make the whole message void: there is no ref to fail.
error node_state::check_ids(std::uint32_t from, const wire::call& c) const {
  if (c.results.size() > limits_.results_max)
    return limit_error(errc::too_large, "results_max", limits_.results_max);
  bool own = minted_by(from, c.task) &&
             (c.kind != wire::call_kind::create_actor || minted_by(from, c.actor));
  for (const object_id& id : c.results) own = own && minted_by(from, id);
  if (!own)
    return cluster_error(errc::permission, "submit: another session minted an id", c.function);
  std::vector<object_id> sorted = c.results;
  sorted.push_back(c.task);
  if (c.kind == wire::call_kind::create_actor) sorted.push_back(c.actor);
  std::sort(sorted.begin(), sorted.end());
  bool fresh = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  for (const object_id& id : c.results)
    if (const object* o = objects_.find(id))
      fresh = fresh &&
              (o->maker == c.task || (o->maker.is_null() && o->what == object::state::pending));
  if (!fresh)
    return cluster_error(errc::invalid_argument, "submit: an id is used twice", c.function);
  return {};
}

// Everything else that is wrong with a call makes its results fail.
error node_state::admit(std::uint32_t from, const wire::call& c, std::vector<quantity>& needs) {
  if (sessions_.at(from).submitted.size() >= limits_.calls_max)
    return limit_error(errc::queue_full, "calls_max", limits_.calls_max);
  if (objects_.held_count(holder_of(from)) > limits_.holds_max)
    return limit_error(errc::exhausted, "holds_max", limits_.holds_max);
  if (c.arguments.size() > limits_.arguments_max)
    return limit_error(errc::too_large, "arguments_max", limits_.arguments_max);
  for (const wire::argument& argument : c.arguments) {
    if (argument.contained.size() > limits_.contained_max)
      return limit_error(errc::too_large, "contained_max", limits_.contained_max);
    if (argument.inline_value.size() > limits_.inline_bytes_max)
      return limit_error(errc::too_large, "inline_bytes_max", limits_.inline_bytes_max);
    if (!argument.by_ref && actors_.contains(argument.object))
      return cluster_error(errc::invalid_argument, "an actor has no value to wait for", c.function);
  }
  bool known = true;
  for_each_held(c, [&](const object_id& id) { known = known && knows(from, id); });
  if (!known)
    return cluster_error(errc::not_found, "an argument is a ref that nobody holds", c.function);
  if (error why = find_needs(c.options.needs, needs); why.code() != errc::ok)
    return cluster_error(why.code(), std::string(why.message()), c.function);
  // Its constructor runs as a task does.
  if (c.kind == wire::call_kind::create_actor && std::none_of(needs.begin(), needs.end(), is_cpu))
    needs.push_back({.resource = resource::cpu, .amount = amount_per_unit});
  if (!ledger_.feasible(needs))
    return cluster_error(errc::infeasible, "the call asks for more resources than this box has",
                         c.function);
  if (c.options.where == wire::isolation::process && pool_keys_.size() >= limits_.pools_max &&
      !pool_keys_.contains(key_of_pool(sessions_.at(from).functions_hash, c.options)))
    return limit_error(errc::exhausted, "pools_max", limits_.pools_max);
  if (c.kind == wire::call_kind::create_actor) return admit_creation(c);
  if (c.kind == wire::call_kind::actor_call) return admit_call(from, c);
  return {};
}

error node_state::admit_creation(const wire::call& c) const {
  const object* o = objects_.find(c.actor);
  const bool used = o != nullptr && (o->what != object::state::pending || !o->waiting.empty() ||
                                     !o->maker.is_null());
  if (used) return cluster_error(errc::invalid_argument, "the actor's id is in use", c.function);
  return {};
}

error node_state::admit_call(std::uint32_t from, const wire::call& c) const {
  auto at = actors_.find(c.actor);
  if (at == actors_.end())
    return cluster_error(errc::actor_died, "there is no such actor", c.function);
  const actor& a = at->second;
  if (a.at == actor::state::ended || a.ending) return actor_died_error(a, c.function);
  auto who = a.callers.find({from, c.caller});
  if (who == a.callers.end())
    return a.callers.size() < limits_.callers_max
               ? error()
               : limit_error(errc::exhausted, "callers_max", limits_.callers_max);
  if (c.sequence < who->second.next || who->second.held.contains(c.sequence))
    return cluster_error(errc::invalid_argument, "the caller has used this sequence number",
                         c.function);
  if (who->second.held.size() >= limits_.early_calls_max)
    return limit_error(errc::queue_full, "early_calls_max", limits_.early_calls_max);
  return {};
}

void node_state::hold_arguments(const wire::call& c) {
  for_each_held(c, [&](const object_id& id) {
    make(id);
    objects_.use(id);
  });
}

void node_state::release_arguments(const wire::call& c) {
  for_each_held(c, [&](const object_id& id) { objects_.unuse(id); });
}

// Those that were made by an earlier attempt stay.
void node_state::fail_results(const wire::call& c, const error& why) {
  for (const object_id& id : c.results)
    if (object* o = objects_.find(id); o != nullptr && o->what == object::state::pending)
      seal_failed(id, why);
}

void node_state::begin(task&& t) {
  const object_id id = t.what.task;
  hold_arguments(t.what);
  // A creation does not hold its actor: one that nobody waits for any more need not come to be.
  if (t.what.kind == wire::call_kind::actor_call) objects_.use(t.what.actor);
  task& begun = tasks_.emplace(id, std::move(t)).first->second;
  if (begun.what.kind == wire::call_kind::actor_call) queue_call(id, begun);
  await_arguments(id, begun);
}

void node_state::await_arguments(const object_id& id, task& t) {
  t.at = task::state::waiting;
  wait w;
  w.task = id;
  w.urgency = t.what.options.urgency;
  for (const wire::argument& argument : t.what.arguments)
    if (!argument.object.is_null() && !argument.by_ref) w.objects.push_back(argument.object);
  // The first attempt starts in time or not at all; the later ones repair something.
  if (t.what.attempt == 0) w.deadline_ns = t.what.options.deadline_ns;
  t.wait_key = start_wait(std::move(w));
}

void node_state::arguments_ready(const object_id& id, task& t) {
  if (t.rests_until_ns > now_ns_) {
    t.at = task::state::resting;
    resting_.emplace(t.rests_until_ns, id);
    return;
  }
  t.at = task::state::queued;
  if (t.what.kind == wire::call_kind::actor_call)
    deliver(t.what.actor, {t.submitter, t.what.caller});
  else enqueue(id, t);
}

void node_state::execute(task& t, const pinned* answer) {
  const wait& w = waits_.at(t.wait_key);
  wire::execute message{t.what, gathered(w, answer)};
  t.at = task::state::running;
  sessions_.at(t.session).begun = ++last_key_;
  end_wait(std::exchange(t.wait_key, 0));
  tell_mentioning(t.session, std::move(message));
  if (t.what.kind != wire::call_kind::actor_call) return;
  const caller_key who{t.submitter, t.what.caller};
  delivered(t);
  if (answer != nullptr) deliver(t.what.actor, who);
}

void node_state::lose(const object_id& id) {
  object* o = objects_.find(id);
  if (o == nullptr || !o->stored()) return;
  objects_.empty(*o);
  make_again(id);
}

// Runs the call once more that made the object, and those that made its arguments if these have
// gone too. Each call runs at most once at a time, so the loop ends.
void node_state::make_again(const object_id& id) {
  std::vector<object_id> wanted{id};
  while (!wanted.empty()) {
    const object_id next = wanted.back();
    wanted.pop_back();
    object& o = *objects_.find(next);
    if (o.what != object::state::pending || tasks_.contains(o.maker)) continue;
    lineage::entry* kept = lineage_.find(o.maker);
    if (kept == nullptr || kept->ended.retries_left == 0) {
      seal_failed(next, why_lost(o));
      continue;
    }
    task t = kept->ended;
    if (t.retries_left > 0) --t.retries_left;
    ++t.what.attempt;
    for_each_held(t.what, [&](const object_id& argument) {
      if (objects_.find(argument) != nullptr) return;
      make(argument).maker = lineage_.maker_of(argument);
      wanted.push_back(argument);
    });
    begin(std::move(t));
  }
}

error node_state::why_lost(const object& what) const {
  const char* why = "it was put, and only what a call made can be made again";
  if (!what.maker.is_null()) {
    why = "its call has been forgotten (limits::lineage_bytes_max)";
    if (what.why_not == barred::actor_call) why = "an actor made it, whose calls are not repeated";
    if (what.why_not == barred::no_retries) why = "its call has no retries left";
    if (what.why_not == barred::cancelled) why = "its call was cancelled";
  }
  return cluster_error(errc::object_lost, std::string("the object is lost: ") + why);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
