// SPDX-License-Identifier: Apache-2.0
// What node_state and the store ask for.
#include <algorithm>
#include <utility>
#include <variant>

#include "beamlet/base/panic.hpp"
#include "cluster/mentions.hpp"
#include "node/agent.hpp"
#include "node/agent_limits.hpp"
#include "node/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
// The first that the store no longer has; null: it has all.
object_id first_missing(const store::store& s, const std::vector<object_id>& ids) {
  auto at = std::find_if(ids.begin(), ids.end(), [&](const object_id& id) { return !s.has(id); });
  return at == ids.end() ? object_id{} : *at;
}
}  // namespace

// -- node_state: messages

void agent::carry_out(cluster::send&& a) {
  if (auto* here = std::get_if<wire::here>(&a.what)) return tell_here(a.session, std::move(*here));
  if (const auto* execute = std::get_if<wire::execute>(&a.what)) {
    show_segments(a.session, execute->objects);
    note_call_given(a.session, execute->what);
    begin_watch(a.session);
  }
  tell(a.session, std::move(a.what));
}

// A session that sees a place must have the segment before.
void agent::show_segments(std::uint32_t to, const std::vector<wire::object_here>& objects) {
  if (chaos::planted(chaos::bug::unseen_place)) return;
  for (const wire::object_here& each : objects) {
    const auto* where = std::get_if<wire::extent>(&each.what.body);
    if (where == nullptr || segments_.has(where->segment, to)) continue;
    auto at = members_.find(to);
    if (at == members_.end() || at->second.link == nullptr) return;
    segments::handle shown = segments_.give_to_reader(where->segment, to);
    tell(to, wire::new_segment{.segment = where->segment, .size = shown.bytes, .writable = false},
         shown.descriptor);
  }
}

// Who was given an object once may read it again without asking, and so may all that have it.
void agent::show_in_index(std::uint32_t to, const std::vector<wire::object_here>& objects) {
  auto at = members_.find(to);
  if (at == members_.end() || at->second.link == nullptr) return;
  for (const wire::object_here& each : objects) {
    if (!index_.takes(each.what)) continue;
    if (!std::exchange(at->second.has_index, true)) give_index(to, at->second);
    const object_id other = index_.in_the_way_of(each.id);
    if (!other.is_null()) store_.stop_silent_reading(other);
    index_.show(each.id, each.what);
  }
}

// It can do without: then it asks for everything.
void agent::give_index(std::uint32_t to, member& m) {
  auto opened = index_.open_to(to);
  result<void> sent;
  if (!opened.has_value()) {
    sent = opened.error();
  } else {
    const wire::new_segment index{.segment = wire::index_segment, .size = sizeof(shared_index)},
        pins{.segment = wire::pins_segment, .size = sizeof(pin_page), .writable = true};
    sent = m.link->send(index, opened->index);
    if (sent.has_value()) sent = m.link->send(pins, opened->pins);
  }
  if (sent.has_value()) return;
  index_.close_to(to);
  logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                "session " + std::to_string(to) + " has no index: " + sent.error().describe());
}

// In parts where one message could not hold it: the session has all when it has as many as it asked
// for.
void agent::tell_here(std::uint32_t to, wire::here&& message) {
  show_segments(to, message.objects);
  show_in_index(to, message.objects);
  wire::here part{.ticket = message.ticket, .objects = {}};
  std::size_t bytes = 0;
  for (wire::object_here& each : message.objects) {
    const std::size_t more = cluster::message_bytes(each.what);
    if (!part.objects.empty() && (bytes + more > options_.limits.answer_bytes_max ||
                                  part.objects.size() == wire::limits::ids_max)) {
      tell(to, std::exchange(part, {.ticket = message.ticket, .objects = {}}));
      bytes = 0;
    }
    bytes += more;
    part.objects.push_back(std::move(each));
  }
  tell(to, std::move(part));
}

// -- node_state: the store, and the world

void agent::carry_out(cluster::adopt&& a) {
  // What its writer has not mapped cannot be sealed, and so not be shown to others.
  auto done = segments_.close(a.where.segment, a.session);
  if (done.has_value() && !segments_.is_sealed(a.where.segment))
    done = node_error(errc::permission, "the segment was not mapped by its writer");
  if (done.has_value()) done = store_.adopt(a.session, a.id, a.where);
  error why = done.has_value() ? error() : done.error();
  if (why.code() != errc::ok) tell(a.session, wire::returned{.where = a.where});
  step(cluster::adopted{.id = a.id, .why = std::move(why)});
}

void agent::carry_out(cluster::discard&& a) { tell(a.session, wire::returned{.where = a.where}); }

void agent::carry_out(cluster::pin_set&& a) {
  const std::uint64_t ticket = ask(a.session, {.name = a.key, .objects = a.objects});
  pin_sets_[a.key] = {a.session, ticket};
  store_.pin_all(a.session, ticket, a.objects, a.urgency, a.deadline_ns);
}

void agent::carry_out(cluster::cancel_pins&& a) {
  auto set = pin_sets_.extract(a.key);
  if (!set.empty()) cancel(set.mapped().first, set.mapped().second);
}

void agent::carry_out(cluster::unpin&& a) { store_.unpin(a.session, a.objects); }

void agent::carry_out(cluster::drop&& a) { store_.drop(a.id); }

void agent::carry_out(cluster::reclaim&& a) {
  store_.session_gone(a.session);
  segments_.inherit(a.session);
}

void agent::carry_out(cluster::need_worker&& a) {
  pool_hashes_[a.pool] = a.functions_hash;
  auto fits = [&](const auto& each) {
    const member& m = each.second;
    return m.open && m.link && m.has_entry && m.functions_hash == a.functions_hash;
  };
  auto like = std::find_if(members_.begin(), members_.end(), fits);
  world_.start_worker({.pool = a.pool,
                       .like = like != members_.end() ? like->first : 0,
                       .environment = std::move(a.environment),
                       .memory_max = a.memory_max,
                       .cpu_ms_max = a.cpu_ms_max});
}

void agent::carry_out(cluster::kill_worker&& a) {
  if (a.for_memory) {
    memory_victim_ = a.session;
    members_.at(a.session).ended_for_memory = out_of_memory(a.session);
  }
  world_.kill_worker(a.session);
}

void agent::carry_out(cluster::set_timer&& a) { timer_ns_ = a.at_ns; }

// -- the store

void agent::pump_store() {
  for (;;) {
    for (store::segment_id id : segments_.take_ended()) store_.segment_ended(id);
    // What was cancelled before this was answered by now, or never will be.
    auto stale = std::exchange(cancelled_, {});
    std::vector<store::action> asked = store_.take_actions();
    for (store::action& a : asked) {
      port_.note(32 + a.index());
      std::visit([&](auto& each) { carry_out(std::move(each)); }, a);
    }
    for (const request_key& key : stale) requests_.erase(key);
    if (asked.empty()) return;
  }
}

std::uint64_t agent::ask(std::uint32_t session, request what) {
  requests_.emplace(request_key(session, ++last_ticket_), std::move(what));
  return last_ticket_;
}

void agent::cancel(std::uint32_t session, std::uint64_t ticket) {
  requests_.at({session, ticket}).cancelled = true;
  cancelled_.emplace_back(session, ticket);
  store_.cancel(session, ticket);
}

/// False: of a session that has ended, which has no request any more.
bool agent::take(std::uint32_t session, std::uint64_t ticket, request& out) {
  auto found = requests_.extract({session, ticket});
  if (found.empty()) return false;
  out = std::move(found.mapped());
  if (out.cancelled) return true;
  if (out.is_lease) members_.at(session).leases.erase(out.name);
  else pin_sets_.erase(out.name);
  return true;
}

void agent::carry_out(store::granted&& a) {
  request r;
  if (!take(a.session, a.ticket, r)) return;
  if (!r.cancelled) return tell(a.session, wire::leased{.ticket = r.name, .where = a.where});
  auto freed = store_.unlease(a.session, a.where);
  BEAMLET_ASSERT(freed.has_value(), "a lease that nobody has seen can be ended");
}

void agent::carry_out(store::pinned&& a) {
  request r;
  if (!take(a.session, a.ticket, r)) return;
  if (r.cancelled) return store_.unpin(a.session, r.objects);
  step(cluster::pinned{.key = r.name,
                       .session = a.session,
                       .objects = std::move(r.objects),
                       .places = std::move(a.where),
                       .why = {},
                       .lost = {}});
}

void agent::carry_out(store::failed&& a) {
  request r;
  if (!take(a.session, a.ticket, r) || r.cancelled) return;
  if (r.is_lease) return refuse(a.session, r.name, std::move(a.why));
  // A set that waited may fail because another one found out first.
  object_id lost;
  if (a.why.code() == errc::object_lost || a.why.code() == errc::not_found)
    lost = first_missing(store_, r.objects);
  if (!lost.is_null() && a.why.code() != errc::object_lost)
    a.why = node_error(errc::object_lost, std::string(a.why.message()));
  step(cluster::pinned{.key = r.name,
                       .session = a.session,
                       .objects = std::move(r.objects),
                       .places = {},
                       .why = std::move(a.why),
                       .lost = lost});
}

void agent::carry_out(store::make_segment&& a) {
  auto made = segments_.make(a);
  if (!made.has_value()) {
    logger_.write(log_level::warning, error_layer::node, port_.now_ns(), made.error().describe());
    return store_.segment_refused(a.segment, made.error());
  }
  store_.segment_made(a.segment);
  auto owner = members_.find(a.owner);
  if (owner == members_.end() || owner->second.link == nullptr) return;
  segments::handle given = segments_.give_to_writer(a.segment);
  tell(a.owner,
       wire::new_segment{
           .segment = a.segment, .size = given.bytes, .writable = true, .whole = given.whole},
       given.descriptor);
}

void agent::carry_out(store::end_segment&& a) {
  for (std::uint32_t each : segments_.begin_end(a.segment, port_.now_ns() + unmap_ns_max))
    tell(each, wire::segment_gone{.segment = a.segment});
}

void agent::carry_out(store::returned&& a) { tell(a.session, wire::returned{.where = a.where}); }

void agent::carry_out(store::evicted&& a) { step(cluster::object_lost{.id = a.id}); }

void agent::carry_out(store::lost&& a) {
  logger_.write(log_level::warning, error_layer::node, port_.now_ns(), a.why.describe());
  step(cluster::object_lost{.id = a.id});
}

void agent::carry_out(store::pressure&& a) { tell(a.session, wire::pressure{.size = a.size}); }

void agent::on_spill_written(store::file_id file, const result<void>& how) {
  handle([&] {
    refresh_time();
    if (!how.has_value())
      logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                    "nothing could be spilled: " + how.error().describe());
    store_.spill_written(file, how);
  });
}

void agent::on_restored(const object_id& id, const result<void>& how) {
  handle([&] {
    refresh_time();
    store_.restored(id, how);
  });
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
