// SPDX-License-Identifier: Apache-2.0
// How a call ends, or is tried once more.
#include <algorithm>
#include <utility>
#include <variant>

#include "cluster/chaos.hpp"
#include "cluster/errors.hpp"
#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace {
// Errc::ok: none.
error first_error(const std::vector<wire::value>& values) {
  for (const wire::value& v : values)
    if (const auto* why = std::get_if<error>(&v.body)) return *why;
  return {};
}
}  // namespace

void node_state::discard_extents(std::uint32_t from, const std::vector<wire::value>& values) {
  for (const wire::value& v : values)
    if (const auto* where = std::get_if<wire::extent>(&v.body))
      out_->push_back(discard{from, *where});
}

void node_state::said(std::uint32_t from, wire::done&& m) {
  auto at = tasks_.find(m.task);
  const bool late = at == tasks_.end() || at->second.at != task::state::running ||
                    at->second.session != from || at->second.what.attempt != m.attempt;
  const bool taken_late = chaos::planted(chaos::bug::late_result) && at != tasks_.end() &&
                          at->second.at == task::state::running;
  if (late && !taken_late) return discard_extents(from, m.results);
  task& t = at->second;
  if (m.results.size() != t.what.results.size()) {
    discard_extents(from, m.results);
    m.results.assign(t.what.results.size(), {});
    for (wire::value& v : m.results)
      v.body = cluster_error(errc::malformed, "the call ended with too few or too many results",
                             t.what.function);
  }
  const error why = first_error(m.results);
  const bool failed = why.code() != errc::ok;
  const bool creation = t.what.kind == wire::call_kind::create_actor;
  if (failed && t.what.options.retry_errors && try_again(m.task, t))
    return discard_extents(from, m.results);
  const std::vector<object_id> results = t.what.results;
  const object_id actor_id = t.what.actor;
  if (creation && !failed) actor_created(t);
  for (std::size_t i = 0; i < results.size(); ++i) {
    object* o = objects_.find(results[i]);
    if (o != nullptr && o->what == object::state::pending)
      fill(from, results[i], std::move(m.results[i]));
    else discard_extents(from, {std::move(m.results[i])});
  }
  conclude(m.task, !failed);
  if (creation && failed && actors_.contains(actor_id)) end_now(actor_id, why, false);
}

// REQUIRES: nothing else of the task is under way. Takes the record out of every list.
void node_state::conclude(const object_id& id, bool succeeded) {
  task& t = tasks_.at(id);
  leave_session(id, t);
  give_back(t);
  if (t.wait_key != 0) end_wait(t.wait_key);
  task ended = std::move(tasks_.extract(id).mapped());
  wire::call& c = ended.what;
  release_arguments(c);
  ended.children.clear();
  if (auto s = sessions_.find(ended.submitter); s != sessions_.end()) s->second.submitted.erase(id);
  if (auto parent = tasks_.find(c.parent); parent != tasks_.end())
    parent->second.children.erase(id);
  if (c.kind != wire::call_kind::task) {
    auto a = actors_.find(c.actor);
    if (c.kind == wire::call_kind::actor_call) {
      if (a != actors_.end()) a->second.calls.erase(id);
      objects_.unuse(c.actor);
    }
    end_if_done(c.actor);
  }
  barred why = barred::forgotten;
  if (c.kind != wire::call_kind::task) why = barred::actor_call;
  else if (ended.cancelled) why = barred::cancelled;
  else if (ended.retries_left == 0) why = barred::no_retries;
  std::size_t held = 0;
  for (const object_id& result : c.results)
    if (object* o = objects_.find(result)) {
      o->why_not = why;
      ++held;
    }
  if (succeeded && why == barred::forgotten) lineage_.keep(std::move(ended), held);
  else lineage_.forget(id);
}

// Ends a call in whatever state it is.
void node_state::fail_task(const object_id& id, const error& why) {
  auto at = tasks_.find(id);
  if (at == tasks_.end()) return;
  task& t = at->second;
  withdraw(id, t);
  fail_results(t.what, why);
  const bool creation = t.what.kind == wire::call_kind::create_actor;
  const object_id actor_id = t.what.actor;
  conclude(id, false);
  if (creation && actors_.contains(actor_id)) end_now(actor_id, why, false);
}

// Out of the lists that have it because it does not run yet.
void node_state::withdraw(const object_id& id, task& t) {
  const bool of_actor = t.what.kind == wire::call_kind::actor_call;
  if (t.at == task::state::resting) resting_.erase({t.rests_until_ns, id});
  if (t.at == task::state::queued && !of_actor) dequeue(t);
  if (t.at == task::state::granted) std::erase(pools_.at(t.kind.pool).granted, id);
  if (of_actor && t.at != task::state::running) call_left(id, t);
}

// The same call, one attempt later. The arguments are held since it was submitted.
bool node_state::try_again(const object_id& id, task& t) {
  if (t.cancelled || t.retries_left == 0) return false;
  if (t.retries_left > 0) --t.retries_left;
  ++t.what.attempt;
  leave_session(id, t);
  give_back(t);
  if (t.what.kind == wire::call_kind::actor_call) queue_call(id, t);
  await_arguments(id, t);
  return true;
}

// The session that had the call is gone.
void node_state::worker_died(const object_id& id, const error& how) {
  auto at = tasks_.find(id);
  if (at == tasks_.end()) return;
  task& t = at->second;
  if (t.at == task::state::pinning) {  // it never began, so no attempt is lost
    const std::uint64_t key = t.wait_key;
    wait& w = waits_.at(key);
    out_->push_back(cancel_pins{key});
    return unready(key, w);
  }
  if (t.cancelled)
    return fail_task(id, cluster_error(errc::cancelled, "the call was cancelled", t.what.function));
  if (t.what.kind == wire::call_kind::create_actor)
    return restart_or_end(object_id(t.what.actor), how);
  const bool of_actor = t.what.kind == wire::call_kind::actor_call;
  if (!of_actor) rest(t, how);  // an actor's calls wait for the actor
  if (try_again(id, t)) return;
  fail_task(id, cluster_error(of_actor ? errc::actor_died : how.code(),
                              "'" + t.what.function + "': " + std::string(how.message()),
                              t.what.function, &how));
}

void node_state::said(std::uint32_t, wire::cancel&& m) {
  std::vector<object_id> all{m.task};
  for (std::size_t i = 0; m.recursive && i < all.size(); ++i)
    if (auto at = tasks_.find(all[i]); at != tasks_.end())
      all.insert(all.end(), at->second.children.begin(), at->second.children.end());
  for (const object_id& id : all) cancel_one(id, m.force);
}

void node_state::cancel_one(const object_id& id, bool force) {
  auto at = tasks_.find(id);
  if (at == tasks_.end()) return;
  task& t = at->second;
  t.cancelled = true;
  if (t.at != task::state::running)
    return fail_task(id, cluster_error(errc::cancelled, "the call was cancelled", t.what.function));
  tell(t.session, wire::abort_call{.task = id, .attempt = t.what.attempt});
  auto s = sessions_.find(t.session);
  // A process that an actor lives in is not this call's to end.
  if (!force || t.what.kind == wire::call_kind::actor_call || s == sessions_.end()) return;
  if (s->second.pool == 0 || std::exchange(s->second.killed, true)) return;
  s->second.draining = true;
  out_->push_back(kill_worker{t.session});
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
