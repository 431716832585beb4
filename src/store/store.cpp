// SPDX-License-Identifier: Apache-2.0
// Time, sessions, and the ranges that sessions lease and publish.
#include "store/store.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
error store_error(errc code, std::string message) {
  return error(code, error_layer::store,
               {.message = std::move(message), .type = {}, .function = {}, .cause = {}});
}
}  // namespace

store::store(const options& limits, silent_readers* readers) : limits_(limits), readers_(readers) {
  sessions_.try_emplace(shared);
}
store::~store() = default;

void store::advance(base::time_ns now_ns) {
  now_ = std::max(now_, now_ns);
  for (auto& [id, s] : segments_)
    if (s->is_live()) s->fresh = false;
  for (auto& lane : lanes_) std::erase_if(lane, [&](request& r) { return has_expired(r); });
  std::erase_if(admitted_, [&](request& r) { return has_expired(r); });
}

std::vector<action> store::take_actions() {
  complete_admitted();
  for (auto& lane : lanes_) pump_lane(lane);
  spill_in_background();
  end_whole();
  return std::exchange(actions_, {});
}

base::time_ns store::next_ns() const {
  base::time_ns next = base::never_ns;
  bool waiting = false;
  for (const auto& lane : lanes_)
    for (const request& r : lane) next = std::min(next, r.deadline_ns), waiting = true;
  for (const request& r : admitted_) next = std::min(next, r.deadline_ns);
  for (const trouble* t : {&spill_trouble_, &segment_trouble_[0], &segment_trouble_[1]})
    if (waiting && t->until > now_) next = std::min(next, t->until);
  // Others may have it then; nothing else need happen before.
  for (const auto& [id, s] : segments_)
    if (waiting && s->fresh && s->is_idle()) next = now_;
  return next;
}

void store::session_started(session_id id) {
  BEAMLET_ASSERT(id != shared, "sessions count from 1");
  sessions_.try_emplace(id);
}

void store::session_ended(session_id id) {
  auto it = sessions_.find(id);
  if (id == shared || it == sessions_.end() || it->second.ended) return;
  session& s = it->second;
  s.ended = true;
  auto is_its = [&](request& r) {
    if (r.session != id) return false;
    forget_request(r);
    return true;
  };
  for (auto& lane : lanes_) std::erase_if(lane, is_its);
  std::erase_if(admitted_, is_its);
  for (auto& [key, part] : segments_) {
    if (part->owner != id) continue;
    if (part->is_live()) part->now = segment::phase::quarantined;
    while (!part->leases.empty()) {
      auto [offset, bytes] = *part->leases.begin();
      *unlease(id, {key, offset, bytes});
    }
  }
  while (!s.pins.empty()) take_pins(s, s.pins.begin()->first, ~std::uint32_t{0});
}

void store::session_gone(session_id id) {
  if (id == shared || !sessions_.contains(id)) return;
  session_ended(id);
  sessions_.erase(id);
  // Nobody else was ever able to write there: from now on the agent may.
  for (auto& [key, part] : segments_)
    if (part->owner == id) {
      part->owner = shared;
      if (part->now == segment::phase::quarantined) part->now = segment::phase::live;
    }
}

void store::lease(session_id id, std::uint64_t ticket, std::uint64_t bytes,
                  base::time_ns deadline_ns, bool whole) {
  request r{
      .session = id, .ticket = ticket, .bytes = bytes, .deadline_ns = deadline_ns, .whole = whole};
  enqueue(std::move(r), 0);
}

void store::reserve(std::uint64_t ticket, const reservation& wanted) {
  request r{.what = request::kind::reserve,
            .ticket = ticket,
            .bytes = wanted.bytes,
            .deadline_ns = wanted.deadline_ns,
            .ids = {wanted.id},
            .primary = wanted.primary};
  enqueue(std::move(r), wanted.urgency);
}

void store::pin_all(session_id id, std::uint64_t ticket, std::span<const object_id> ids,
                    std::uint8_t urgency, base::time_ns deadline_ns) {
  request r{.what = request::kind::pins,
            .session = id,
            .ticket = ticket,
            .deadline_ns = deadline_ns,
            .ids = {ids.begin(), ids.end()}};
  enqueue(std::move(r), urgency);
}

void store::cancel(session_id id, std::uint64_t ticket) {
  auto is_it = [&](request& r) {
    if (r.session != id || r.ticket != ticket) return false;
    forget_request(r);
    return true;
  };
  for (auto& lane : lanes_) std::erase_if(lane, is_it);
  std::erase_if(admitted_, is_it);
}

result<void> store::adopt(session_id id, const object_id& name, const extent& where, bool primary) {
  auto home = segments_.find(where.segment);
  if (home == segments_.end())
    return store_error(errc::not_found, "there is no segment " + std::to_string(where.segment));
  segment& s = *home->second;
  auto writer = sessions_.find(id);
  if (s.owner != id || !s.is_live() || writer == sessions_.end())
    return store_error(errc::permission, "segment " + std::to_string(where.segment) +
                                             " is not session " + std::to_string(id) + "'s");
  if (limits_.whole_from_bytes != 0 && where.size >= limits_.whole_from_bytes && !s.whole)
    return store_error(errc::permission,
                       "an object of " + std::to_string(where.size) +
                           " bytes does not lie in a segment of its own (strict mode)");
  BEAMLET_TRY_VOID(s.check_adoption(where));
  if (objects_.size() >= limits_.objects)
    return store_error(errc::exhausted, "the store has " + std::to_string(limits_.objects) +
                                            " objects: drop some, or raise options.objects");
  auto [it, is_new] = objects_.try_emplace(name);
  if (!is_new)
    return store_error(errc::already_exists, "object " + name.to_string() + " is there already");
  object& x = it->second;
  x.id = name, x.size = where.size, x.primary = primary;
  x.sealed = x.carved = x.leased = true;
  writer->second.used.unpublished -= x.size;
  s.closed = s.whole;
  enter(x, s, where.offset);
  return {};
}

result<void> store::unlease(session_id id, const extent& where) {
  auto home = segments_.find(where.segment);
  if (home == segments_.end())
    return store_error(errc::not_found, "there is no segment " + std::to_string(where.segment));
  segment& s = *home->second;
  auto it = sessions_.find(id);
  if (s.owner != id || it == sessions_.end())
    return store_error(errc::permission, "segment " + std::to_string(where.segment) +
                                             " is not session " + std::to_string(id) + "'s");
  std::size_t leases = s.leases.size();
  BEAMLET_TRY_VOID(s.end_lease(where.offset, where.size));
  session_usage& used = it->second.used;
  used.leases = used.leases + s.leases.size() - leases;
  used.leased -= where.size;
  used_.leased -= where.size;
  std::uint64_t published = 0;
  auto x = s.objects.lower_bound(where.offset),
       end = s.objects.lower_bound(where.offset + where.size);
  for (; x != end; ++x) {
    published += x->second->size;
    refile(*x->second);
  }
  used.unpublished -= where.size - published;
  return {};
}

usage store::used() const {
  usage u = used_;
  for (const auto& [id, s] : segments_) {
    if (s->is_live()) u.free += s->free_bytes();
    if (s->now == segment::phase::quarantined) u.quarantined += s->size;
    u.evictable += s->clean.bytes();
  }
  u.objects = objects_.size();
  u.waiting = admitted_.size();
  for (const auto& lane : lanes_) u.waiting += lane.size();
  return u;
}

store::object_usage store::used(const object_id& id) const {
  object_usage u;
  auto it = objects_.find(id);
  if (it == objects_.end()) return u;
  u.in_memory = it->second.home != nullptr;
  u.on_disk = it->second.file != 0;
  if (u.in_memory) u.where = {it->second.home->id, it->second.offset, it->second.size};
  if (it->second.pins == 0) return u;
  for (const auto& [number, s] : sessions_)
    if (auto pinned = s.pins.find(id); pinned != s.pins.end())
      u.pins.emplace_back(number, pinned->second);
  return u;
}

session_usage store::used(session_id id) const {
  auto it = sessions_.find(id);
  if (it == sessions_.end()) return {};
  session_usage u = it->second.used;
  for (const auto& [key, s] : segments_)
    if (s->owner == id) u.segments += s->size;
  return u;
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
