// SPDX-License-Identifier: Apache-2.0
// Sessions come and go, and what they say about refs and names.
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
error end_of_process(const session_ended& e) {
  std::string sentence = "the process ended";
  if (e.signal != 0) sentence += " by signal " + std::to_string(e.signal);
  if (!e.how.empty()) sentence += ": " + e.how;
  error_detail detail;
  detail.message = std::move(sentence);
  if (e.out_of_memory) detail.message = e.how;  // tells all
  return error(e.out_of_memory ? errc::no_memory : errc::worker_died, error_layer::cluster,
               std::move(detail), e.signal);
}
}  // namespace

void node_state::on(session_opened&& e) {
  auto [at, opened] = sessions_.try_emplace(e.session);
  if (!opened) return;
  at->second.functions_hash = e.functions_hash;
  at->second.slots = e.slots;
  at->second.program = e.session;
  may_start_ = true;
  auto from = pools_.find(e.pool);
  if (from == pools_.end()) return;
  at->second.pool = e.pool;
  if (from->second.starting > 0) --from->second.starting;
  else ++workers_;
  worker_free(e.session);
}

void node_state::on(session_said&& e) {
  if (!sessions_.contains(e.session)) return;
  std::visit([&](auto& m) { said(e.session, std::move(m)); }, e.what);
}

void node_state::on(session_ended&& e) {
  auto ended = sessions_.extract(e.session);
  if (ended.empty()) return;
  session& s = ended.mapped();
  if (s.pool != 0) --workers_;
  idle_.erase({s.idle_since_ns, e.session});
  forget_share(e.session);
  may_start_ = true;
  end_loans(e.session, s);
  const error how = end_of_process(e);
  for (const auto& [ticket, key] : s.tickets) end_wait(key);
  std::erase_if(asked_early_, [&](const auto& each) { return each.second.first == e.session; });
  // Actors first, so that no call is handed to one that is no more.
  for (const object_id& id : s.actors) restart_or_end(id, how);
  for (const object_id& id : s.serving) worker_died(id, how);
  for (const object_id& id : s.running) worker_died(id, how);
  objects_.end(holder_of(e.session));
  for (const object_id& id : objects_.promised_by(holder_of(e.session))) {
    drop_name(id);
    seal_failed(
        id, cluster_error(errc::object_lost, "the program that was to make the object has ended"));
  }
  bereaved_.emplace(e.session, std::move(s.submitted));
}

void node_state::on(session_gone&& e) {
  on(session_ended{.session = e.session, .signal = 0, .how = {}});
  out_->push_back(reclaim{e.session});
}

void node_state::refuse(std::uint32_t to, std::uint64_t ticket, error why) {
  tell(to, wire::refused{.ticket = ticket, .why = std::move(why)});
}

bool node_state::minted_by(std::uint32_t s, const object_id& id) const {
  return id.node == self_.node && id.boot == self_.boot && id.session == s;
}

// An id is a secret: who knows it was given it. A session's own may come before the agent has heard
// of them.
bool node_state::knows(std::uint32_t s, const object_id& id) const {
  return minted_by(s, id) || objects_.find(id) != nullptr;
}

object& node_state::make(const object_id& id) {
  const bool is_new = objects_.find(id) == nullptr;
  if (is_new) lineage_.result_made(id);
  object& made = objects_.get_or_make(id);
  if (is_new) made.since_ns = now_ns_;
  return made;
}

void node_state::said(std::uint32_t from, wire::publish&& m) {
  if (!minted_by(from, m.id))
    return refuse(from, 0,
                  cluster_error(errc::permission, "publish: another session minted the id"));
  if (objects_.held_count(holder_of(from)) >= limits_.holds_max)
    return refuse(from, 0, limit_error(errc::exhausted, "holds_max", limits_.holds_max));
  make(m.id);
  objects_.own(holder_of(from), m.id);
}

void node_state::said(std::uint32_t from, wire::fulfil&& m) {
  object* to = objects_.find(m.id);
  const bool own = minted_by(from, m.id);
  if (to == nullptr || to->what != object::state::pending || !to->maker.is_null() || !own) {
    discard_extents(from, {m.made});
    if (!own)
      refuse(from, 0, cluster_error(errc::permission, "fulfil: another session minted the id"));
    return;
  }
  for (object::hold& h : to->holds)
    if (h.who == holder_of(from)) h.told = true;
  fill(from, m.id, std::move(m.made));
}

void node_state::said(std::uint32_t from, wire::hold&& m) {
  if (!knows(from, m.id))
    return refuse(from, 0, cluster_error(errc::not_found, "hold: there is no such object"));
  object& held = make(m.id);
  tell_if_ready(m.id, held, objects_.own(holder_of(from), m.id));
}

void node_state::said(std::uint32_t from, wire::release&& m) {
  objects_.release(holder_of(from), m.id, m.mentions);
}

void node_state::said(std::uint32_t from, wire::name_actor&& m) {
  auto answer = [&](const object_id& actor, error why) {
    tell_mentioning(from, wire::named{.ticket = m.ticket, .actor = actor, .why = std::move(why)});
  };
  const names::key name{std::move(m.space), std::move(m.name)};
  object_id taken = names_.find(name);
  if (!m.create && taken.is_null()) return answer({}, errc::not_found);
  if (!m.create && !actors_.contains(taken)) {  // about to be made: until then nobody can call it
    if (asked_early_.size() >= limits_.names_max)
      return answer({}, limit_error(errc::exhausted, "names_max", limits_.names_max));
    asked_early_.emplace(taken, std::pair(from, m.ticket));
    return;
  }
  if (!taken.is_null())
    return answer(taken, m.create && taken != m.actor ? error(errc::already_exists) : error());
  if (name.first.size() > limits_.name_bytes_max || name.second.size() > limits_.name_bytes_max)
    return answer({}, limit_error(errc::too_large, "name_bytes_max", limits_.name_bytes_max));
  if (names_.size() >= limits_.names_max)
    return answer({}, limit_error(errc::exhausted, "names_max", limits_.names_max));
  if (!knows(from, m.actor)) return answer({}, errc::not_found);
  auto known = actors_.find(m.actor);
  if (known != actors_.end() && known->second.at == actor::state::ended)
    return answer({}, errc::actor_died);
  if (names_.has_name(m.actor))
    return answer({}, cluster_error(errc::already_exists, "the actor has another name"));
  make(m.actor);
  objects_.own(holder_of(from), m.actor);
  names_.take(name, m.actor);
  answer(m.actor, error());
}

// To who asked for the actor before it was made: it is now, or never will be.
void node_state::answer_early(const object_id& actor, const error& why) {
  auto [first, last] = asked_early_.equal_range(actor);
  for (auto at = first; at != last; ++at) {
    const object_id known = why.code() == errc::ok ? actor : object_id{};
    tell_mentioning(at->second.first,
                    wire::named{.ticket = at->second.second, .actor = known, .why = why});
  }
  asked_early_.erase(first, last);
}

void node_state::drop_name(const object_id& actor) {
  names_.drop(actor);
  answer_early(actor, errc::not_found);
}

// An inline value goes along, but not to whom a message only mentioned the ref: nobody waits for it
// there, and values inside values inside values have no end.
void node_state::tell_if_ready(const object_id& id, const object& what, object::hold& who,
                               bool with_value) {
  if (who.told) return;
  auto ended = actors_.find(id);
  if (what.what == object::state::sealed) {
    who.told = true;  // before its own mention asks
    const error* failed = std::get_if<error>(&what.made.body);
    wire::sealed news{.id = id, .why = failed != nullptr ? *failed : error()};
    news.has_value = with_value && std::holds_alternative<wire::bytes>(what.made.body);
    if (news.has_value) news.what = what.made;
    if (chaos::planted(chaos::bug::unmentioned)) tell(who.who.session, std::move(news));
    else tell_mentioning(who.who.session, std::move(news));
  } else if (ended != actors_.end() && ended->second.at == actor::state::ended) {
    tell(who.who.session, wire::actor_ended{.actor = id, .why = ended->second.why});
  } else {
    return;
  }
  who.told = true;
}

// Errc::ok when `from` may say that this is the value of `id`.
error node_state::check_value(std::uint32_t from, const object_id& id,
                              const wire::value& made) const {
  if (made.contained.size() > limits_.contained_max)
    return limit_error(errc::too_large, "contained_max", limits_.contained_max);
  const wire::bytes* carried = std::get_if<wire::bytes>(&made.body);
  if (carried != nullptr && carried->size() > limits_.inline_bytes_max)
    return limit_error(errc::too_large, "inline_bytes_max", limits_.inline_bytes_max);
  for (const object_id& inner : made.contained) {
    if (inner == id) return cluster_error(errc::invalid_argument, "the value contains itself");
    if (!knows(from, inner))
      return cluster_error(errc::not_found, "the value contains a ref that nobody holds");
  }
  return {};
}

// REQUIRES: the object exists and is pending.
void node_state::fill(std::uint32_t from, const object_id& id, wire::value&& made) {
  error why = check_value(from, id, made);
  if (why.code() == errc::ok)
    if (const error* failed = std::get_if<error>(&made.body)) {
      why = *failed;
      // An error must not read as success.
      if (why.code() == errc::ok) why = errc::unknown;
    }
  if (why.code() != errc::ok) {
    discard_extents(from, {made});
    return seal_failed(id, std::move(why));
  }
  for (const object_id& inner : made.contained) make(inner);
  const wire::extent* where = std::get_if<wire::extent>(&made.body);
  if (where != nullptr) out_->push_back(adopt{from, id, *where});
  else sealed_.push_back(id);
  objects_.fill(*objects_.find(id), std::move(made),
                where != nullptr ? object::state::adopting : object::state::sealed);
}

void node_state::seal_failed(const object_id& id, error why) {
  objects_.fill(*objects_.find(id), wire::value{.body = std::move(why), .contained = {}},
                object::state::sealed);
  sealed_.push_back(id);
}

void node_state::on(adopted&& e) {
  object* to = objects_.find(e.id);
  if (to == nullptr || to->what != object::state::adopting) {
    // Freed meanwhile: what the store sealed has nobody.
    if (e.why.code() == errc::ok && (to == nullptr || !to->stored())) out_->push_back(drop{e.id});
    return;
  }
  if (e.why.code() == errc::ok) {
    to->what = object::state::sealed;
    sealed_.push_back(e.id);
  } else {
    objects_.empty(*to);
    seal_failed(e.id, std::move(e.why));
  }
}

void node_state::on(object_lost&& e) { lose(e.id); }

void node_state::on_sealed(const object_id& id) {
  object* what = objects_.find(id);
  if (what == nullptr || what->what != object::state::sealed) return;
  for (object::hold& h : what->holds) tell_if_ready(id, *what, h);
  for (std::uint64_t key : std::exchange(what->waiting, {})) {
    auto at = waits_.find(key);
    if (at == waits_.end()) continue;
    --at->second.missing;
    if (at->second.missing == 0 || what->failed()) complete_.push_back(key);
  }
}

void node_state::on_freed(const object_id& id, object&& what) {
  if (what.stored()) out_->push_back(drop{id});
  else if (what.what == object::state::sealed && !what.failed()) out_->push_back(forget{id});
  lineage_.result_freed(id);
  drop_name(id);
  if (!actors_.contains(id)) return;
  end_now(id, cluster_error(errc::actor_died, "nobody holds the actor any more"), false);
  actors_.erase(id);
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
