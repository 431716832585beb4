// SPDX-License-Identifier: Apache-2.0
// Sets of objects that wait to be ready (sealed anywhere) and then to be here (pinned together).
#include <algorithm>
#include <utility>
#include <variant>

#include "beamlet/base/panic.hpp"
#include "cluster/errors.hpp"
#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
void node_state::said(std::uint32_t from, wire::require&& m) {
  session& s = sessions_.at(from);
  if (s.tickets.contains(m.ticket))
    return refuse(from, m.ticket, cluster_error(errc::invalid_argument, "the ticket is in use"));
  if (s.tickets.size() >= limits_.requires_max)
    return refuse(from, m.ticket,
                  limit_error(errc::exhausted, "requires_max", limits_.requires_max));
  if (m.objects.size() > limits_.require_objects_max)
    return refuse(from, m.ticket,
                  limit_error(errc::too_large, "require_objects_max", limits_.require_objects_max));
  for (const object_id& id : m.objects) {
    if (!knows(from, id))
      return refuse(from, m.ticket, cluster_error(errc::not_found, "there is no such object"));
    if (actors_.contains(id))
      return refuse(from, m.ticket, cluster_error(errc::invalid_argument, "an actor has no value"));
  }
  for (const object_id& id : m.objects) {
    make(id);
    objects_.use(id);
  }
  const std::uint64_t ticket = m.ticket;
  wait w;
  w.session = from;
  w.ticket = ticket;
  w.objects = std::move(m.objects);
  w.urgency = m.urgency;
  w.deadline_ns = m.deadline_ns;
  s.tickets.emplace(ticket, start_wait(std::move(w)));
}

void node_state::said(std::uint32_t from, wire::abandon&& m) {
  session& s = sessions_.at(from);
  auto at = s.tickets.find(m.ticket);
  if (at != s.tickets.end()) end_wait(at->second);
}

std::uint64_t node_state::start_wait(wait&& w) {
  const std::uint64_t key = ++last_key_;
  if (w.deadline_ns != ~std::uint64_t{0}) deadlines_.emplace(w.deadline_ns, key);
  watch(key, waits_.emplace(key, std::move(w)).first->second);
  return key;
}

// Waits for those that are not sealed; a set that has a failed one is complete at once.
void node_state::watch(std::uint64_t key, wait& w) {
  w.missing = 0;
  bool failed = false;
  for (const object_id& id : w.objects) {
    object& o = *objects_.find(id);
    failed |= o.failed();
    if (o.what != object::state::sealed && o.waiting.insert(key).second) ++w.missing;
  }
  if (failed || w.missing == 0) complete_.push_back(key);
}

const object* node_state::first_failed(const wait& w, object_id& which) const {
  for (const object_id& id : w.objects)
    if (const object* o = objects_.find(id); o->failed()) {
      which = id;
      return o;
    }
  return nullptr;
}

bool node_state::all_sealed(const wait& w) const {
  return std::all_of(w.objects.begin(), w.objects.end(), [&](const object_id& id) {
    return objects_.find(id)->what == object::state::sealed;
  });
}

// Errc::ok when one message can hold the call with all that does not lie in the store.
error node_state::check_message(const wait& w, const task& t) const {
  std::size_t bytes = 0;
  for (const object_id& id : w.objects) bytes += message_bytes(objects_.find(id)->made);
  for (const wire::argument& each : t.what.arguments)
    bytes += each.inline_value.size() + each.contained.size() * sizeof(object_id);
  if (bytes <= limits_.answer_bytes_max) return {};
  return cluster_error(errc::too_large,
                       "the call's inline arguments take " + std::to_string(bytes) +
                           " bytes together, and answer_bytes_max is " +
                           std::to_string(limits_.answer_bytes_max) + ": put them as one object",
                       t.what.function);
}

void node_state::on_complete(std::uint64_t key) {
  auto at = waits_.find(key);
  if (at == waits_.end() || at->second.pinning) return;
  wait& w = at->second;
  object_id which;
  const object* failed = first_failed(w, which);
  if (failed == nullptr && !all_sealed(w)) {  // one of them was lost again
    if (w.missing == 0) watch(key, w);
    return;
  }
  if (!w.task.is_null()) {
    task& t = tasks_.at(w.task);
    if (t.at != task::state::waiting) return;
    error why = failed != nullptr ? std::get<error>(failed->made.body) : check_message(w, t);
    if (why.code() == errc::ok) return arguments_ready(w.task, t);
    return fail_task(object_id(w.task), why);
  }
  if (failed == nullptr) return pin(key, w);
  wire::here answer;
  answer.ticket = w.ticket;
  answer.objects.push_back({which, failed->made});
  tell_mentioning(w.session, std::move(answer));
  end_wait(key);
}

// Ready: now here. All that lie in the store are pinned for the session as one set.
void node_state::pin(std::uint64_t key, wait& w) {
  if (!all_sealed(w)) return unready(key, w);
  std::vector<object_id> stored;
  for (const object_id& id : w.objects)
    if (objects_.find(id)->stored()) stored.push_back(id);
  if (stored.empty()) return on_here(key, w, nullptr);
  w.pinning = true;
  out_->push_back(pin_set{.key = key,
                          .session = w.session,
                          .objects = std::move(stored),
                          .urgency = w.urgency,
                          .deadline_ns = w.deadline_ns});
}

// One of them was lost after all were sealed: back to waiting, with nothing taken.
void node_state::unready(std::uint64_t key, wait& w) {
  w.pinning = false;
  if (auto t = tasks_.find(w.task); t != tasks_.end()) {
    leave_session(t->first, t->second);
    give_back(t->second);
    t->second.at = task::state::waiting;
  }
  watch(key, w);
}

void node_state::on(pinned&& e) {
  auto at = waits_.find(e.key);
  if (at == waits_.end() || !at->second.pinning || at->second.session != e.session) {
    if (e.why.code() == errc::ok)
      out_->push_back(unpin{.session = e.session, .objects = std::move(e.objects)});
    return;
  }
  wait& w = at->second;
  if (e.why.code() == errc::ok) {
    BEAMLET_ASSERT(e.places.size() == e.objects.size(), "a place for each pinned object");
    if (all_sealed(w)) {
      w.pinning = false;
      return on_here(e.key, w, &e);
    }
    out_->push_back(unpin{.session = e.session, .objects = std::move(e.objects)});
    return unready(e.key, w);
  }
  if (e.why.code() == errc::object_lost && !e.lost.is_null()) {
    lose(e.lost);
    return unready(e.key, w);
  }
  w.pinning = false;
  if (!w.task.is_null()) return fail_task(object_id(w.task), e.why);
  refuse(w.session, w.ticket, e.why);
  end_wait(e.key);
}

void node_state::on_here(std::uint64_t key, wait& w, const pinned* answer) {
  if (!w.task.is_null()) return execute(tasks_.at(w.task), answer);
  tell_mentioning(w.session, wire::here{.ticket = w.ticket, .objects = gathered(w, answer)});
  end_wait(key);
}

// The values; where the store just moved one, its new place.
std::vector<wire::object_here> node_state::gathered(const wait& w, const pinned* answer) const {
  std::vector<wire::object_here> all;
  all.reserve(w.objects.size());
  std::size_t place = 0;
  for (const object_id& id : w.objects) {
    const object& o = *objects_.find(id);
    all.push_back({id, o.made});
    if (o.stored()) {
      BEAMLET_ASSERT(
          answer != nullptr && place < answer->places.size() && answer->objects[place] == id,
          "the store answers in the order of the question");
      all.back().what.body = answer->places[place++];
    }
  }
  return all;
}

void node_state::end_wait(std::uint64_t key) {
  auto ended = waits_.extract(key);
  if (ended.empty()) return;
  wait& w = ended.mapped();
  if (w.pinning) out_->push_back(cancel_pins{key});
  deadlines_.erase({w.deadline_ns, key});
  for (const object_id& id : w.objects)
    if (object* o = objects_.find(id)) o->waiting.erase(key);
  if (!w.task.is_null()) return;
  for (const object_id& id : w.objects) objects_.unuse(id);
  if (auto s = sessions_.find(w.session); s != sessions_.end()) s->second.tickets.erase(w.ticket);
}

void node_state::expire() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ns_) {
    const std::uint64_t key = deadlines_.begin()->second;
    const wait& w = waits_.at(key);
    if (!w.task.is_null()) {
      fail_task(object_id(w.task), errc::deadline);
    } else {
      refuse(w.session, w.ticket,
             cluster_error(errc::timeout, "the objects were not here in time"));
      end_wait(key);
    }
  }
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
