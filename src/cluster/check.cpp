// SPDX-License-Identifier: Apache-2.0
// For tests: what must hold after every step, counted again from scratch.
#include <algorithm>

#include "cluster/node_state.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace {
std::string check_holds(const objects& table) {
  std::size_t holds = 0, listed = 0;
  for (const auto& [id, o] : table.all()) {
    holds += o.holds.size();
    for (const object::hold& h : o.holds) {
      if (!h.own && h.mentions == 0) return "an empty hold is kept";
      auto mine = table.held().find(h.who);
      if (mine == table.held().end() || !mine->second.contains(id)) return "a hold is not listed";
    }
  }
  for (const auto& [who, ids] : table.held()) listed += ids.size();
  return holds == listed ? "" : "a session lists what it does not hold";
}
}  // namespace

std::string node_state::check() const {
  std::string wrong = check_holds(objects_);
  if (wrong.empty()) wrong = check_uses();
  if (wrong.empty()) wrong = check_waits();
  if (wrong.empty()) wrong = check_calls();
  if (wrong.empty()) wrong = check_ledger();
  if (wrong.empty() && lineage_.bytes() > limits_.lineage_bytes_max) wrong = "lineage is too big";
  return wrong;
}

std::string node_state::check_uses() const {
  std::map<object_id, std::uint32_t> uses;
  auto use = [&](const object_id& id) { ++uses[id]; };
  for (const auto& [id, o] : objects_.all())
    for (const object_id& inner : o.made.contained) use(inner);
  for (const auto& [key, w] : waits_)
    if (w.task.is_null()) std::for_each(w.objects.begin(), w.objects.end(), use);
  for (const auto& [id, t] : tasks_) {
    for_each_held(t.what, use);
    if (t.what.kind == wire::call_kind::actor_call) use(t.what.actor);
  }
  for (const auto& [id, a] : actors_) {
    if (a.holds_arguments) for_each_held(a.creation, use);
    if (a.creation.options.detached && a.at != actor::state::ended) use(id);
  }
  for (const auto& [id, o] : objects_.all()) {
    auto counted = uses.extract(id);
    if (o.uses != (counted.empty() ? 0 : counted.mapped())) return "the uses are miscounted";
    if (o.uses == 0 && o.holds.empty()) return "an object is kept that nobody holds";
    if (o.doubted) return "an object was not looked at";
    if ((o.what == object::state::actor) != actors_.contains(id)) return "actor or not?";
  }
  return uses.empty() ? "" : "something uses an object that was freed";
}

std::string node_state::check_waits() const {
  std::size_t tickets = 0;
  for (const auto& [number, s] : sessions_)
    for (const auto& [ticket, key] : s.tickets) {
      ++tickets;
      auto w = waits_.find(key);
      if (w == waits_.end() || w->second.session != number) return "a ticket without its wait";
    }
  for (const auto& [key, w] : waits_) {
    std::set<object_id> missing;
    for (const object_id& id : w.objects) {
      const object* o = objects_.find(id);
      if (o == nullptr) return "a wait for what is not there";
      if (o->what != object::state::sealed && o->waiting.contains(key)) missing.insert(id);
      if (o->what == object::state::sealed && !o->waiting.empty()) return "nobody was woken";
    }
    if (missing.size() != w.missing) return "what is missing is miscounted";
    if (w.task.is_null()) {
      --tickets;
      if (w.missing == 0 && !w.pinning) return "a complete require was not answered";
    } else if (auto t = tasks_.find(w.task); t == tasks_.end() || t->second.wait_key != key) {
      return "a wait without its call";
    } else if (w.missing == 0 && t->second.at == task::state::waiting) {
      return "a call waits for nothing";
    }
  }
  return tickets == 0 ? "" : "a require that its session does not know";
}

std::string node_state::check_calls() const {
  std::size_t queued = 0, workers = 0, given = 0, resting = resting_.size();
  for (const auto& [kind, queue] : queues_) queued += queue.size();
  for (const auto& [number, p] : pools_) {
    workers += p.starting;
    if (p.granted.size() > p.starting) return "a granted call without a worker to come";
    for (const object_id& id : p.granted)
      if (!tasks_.contains(id) || tasks_.at(id).at != task::state::granted) return "stale grant";
  }
  for (const auto& [number, s] : sessions_) {
    workers += s.pool != 0;
    given += s.running.size() + s.serving.size();
    if (s.pool != 0 && s.running.size() > 1) return "a worker process has two calls";
  }
  std::map<object_id, std::size_t> of_actors;
  for (const auto& [id, t] : tasks_) {
    const bool of_actor = t.what.kind == wire::call_kind::actor_call;
    const bool away = t.at == task::state::pinning || t.at == task::state::running;
    if (away != (t.session != 0)) return "a call is somewhere and nowhere";
    if (away) {
      auto s = sessions_.find(t.session);
      if (s == sessions_.end()) return "a call runs in a session that has ended";
      if (!(of_actor ? s->second.serving : s->second.running).contains(id)) return "unlisted call";
      --given;
      if (of_actor) ++of_actors[t.what.actor];
    }
    if (t.at == task::state::queued && !of_actor) --queued;
    if (t.at == task::state::resting && !resting_.contains({t.rests_until_ns, id}))
      return "a call rests for ever";
    resting -= t.at == task::state::resting;
    if ((t.at == task::state::running) != (t.wait_key == 0)) return "a wait too many or too few";
    if (!of_actor && t.has_needs != (away || t.at == task::state::granted))
      return "a call has resources and does not run, or the other way round";
    if (of_actor && !actors_.at(t.what.actor).calls.contains(id)) return "an actor lost a call";
  }
  for (const auto& [id, a] : actors_) {
    if (a.at == actor::state::ended) continue;
    if (a.given != of_actors[id]) return "the calls that an actor has are miscounted";
  }
  if (queued != 0 || given != 0 || resting != 0)
    return "a list names a call that is not in that state";
  return workers == workers_ ? "" : "the worker processes are miscounted";
}

std::string node_state::check_ledger() const {
  std::map<std::uint32_t, std::int64_t> taken;
  std::map<std::uint32_t, std::size_t> running;
  for (const auto& [id, t] : tasks_) {
    if (!t.has_needs) continue;
    if (!t.lent) ++running[t.kind.program];
    for (const quantity& q : t.needs)
      if (!t.lent || q.resource != resource::cpu) taken[q.resource] += q.amount;
  }
  for (const auto& [program, its] : shares_) {
    if (its.running != running[program]) return "a program's calls are miscounted";
    if (its.running == 0 && !sessions_.contains(program) && actors_.empty())
      return "a share of nobody";
    running.erase(program);
  }
  if (std::any_of(running.begin(), running.end(), [](const auto& r) { return r.second != 0; }))
    return "a program's calls are not counted";
  std::map<std::uint32_t, std::size_t> borrows;
  for (const auto& [order, b] : borrowers_) ++borrows[b.session];
  for (const auto& [number, s] : sessions_) {
    if (s.borrows != borrows[number]) return "what a session wants to borrow is miscounted";
    for (const auto& [resource, l] : s.borrowed) {
      taken[resource] += l.amount;
      if (l.recalled < 0 || l.recalled > l.amount) return "more is recalled than was borrowed";
    }
  }
  for (const auto& [id, a] : actors_) {
    for (const quantity& q : a.taken) taken[q.resource] += q.amount;
    taken[resource::cpu] += a.cpu;
    if (a.cpu != cpu_for(a, a.given)) return "an actor has a cpu too many or too few";
    if (a.turn != 0 && (!hungry_.contains(a.turn) || a.at != actor::state::alive))
      return "an actor waits for a turn that never comes";
  }
  for (std::uint32_t r = 0; r < beamlet::limits::resources_max; ++r) {
    const std::int64_t available = ledger_.available(r);
    if (ledger_.total(r) - available != taken[r]) return "what is taken is miscounted";
    if (available < 0 && r != resource::cpu) return "more is taken than there is";
  }
  return "";
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
