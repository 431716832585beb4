// SPDX-License-Identifier: Apache-2.0
// Objects: how they come into memory and leave it, and who reads them.
#include <algorithm>
#include <utility>

#include "store/chaos.hpp"
#include "store/spill_record.hpp"
#include "store/store.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
constexpr unsigned restore_failures_max = 3;  // a disk that cannot read it will not learn to

error object_error(errc code, const object_id& id, const char* what) {
  return error(code, error_layer::store,
               {.message = "object " + id.to_string() + ' ' + what,
                .type = {},
                .function = {},
                .cause = {}});
}
}  // namespace

object* store::find(const object_id& id) {
  auto it = objects_.find(id);
  return it != objects_.end() ? &it->second : nullptr;
}

bool store::has(const object_id& id) const {
  auto it = objects_.find(id);
  return it != objects_.end() && it->second.sealed && !it->second.doomed;
}

/// Puts the object where its state says: among those that may leave memory, or not.
void store::refile(object& x) {
  if (x.in_use() != x.counted) {
    x.counted = x.in_use();
    if (x.counted) used_.pinned += x.size;
    else used_.pinned -= x.size;
  }
  age_list* list = nullptr;
  // What lies in a live lease would go back to its session, and give nobody room.
  if (x.home != nullptr && x.sealed && !x.leased && !x.is_busy() && !x.doomed)
    list = !x.primary || x.file != 0 ? &x.home->clean : &x.home->dirty;
  if (list == x.list) return;
  if (x.list != nullptr) x.list->remove(x);
  x.used = ++uses_;
  if (list != nullptr) list->push(x);
}

void store::enter(object& x, segment& home, std::uint64_t offset) {
  x.home = &home, x.offset = offset;
  home.objects.emplace(offset, &x);
  used_.published += x.size;
  refile(x);
}

void store::leave_memory(object& x) {
  segment& home = *x.home;
  if (x.list != nullptr) x.list->remove(x);
  if (x.leased) {
    actions_.push_back(returned{home.owner, {home.id, x.offset, x.size}});
    sessions_.at(home.owner).used.unpublished += x.size;
    if (chaos::planted(chaos::bug::double_free)) x.leased = false;
  }
  home.forget(x);
  used_.published -= x.size;
  x.home = nullptr;
  x.carved = x.leased = false;
}

/// REQUIRES: it is on its segment's clean list, and nobody reads it silently.
void store::evict(object& x) {
  leave_memory(x);
  if (x.file != 0) return;
  actions_.push_back(evicted{x.id});
  erase(x);
}

void store::forget_record(object& x) {
  used_.spilled -= x.size;
  auto it = files_.find(std::exchange(x.file, 0));
  if (--it->second.records > 0) return;
  used_.spill_files -= it->second.bytes;
  actions_.push_back(remove_spill{it->first});
  files_.erase(it);
}

/// REQUIRES: nobody uses it.
void store::erase(object& x) {
  if (x.home != nullptr) leave_memory(x);
  if (x.file != 0) forget_record(x);
  if (x.counted) used_.pinned -= x.size;
  objects_.erase(object_id(x.id));
}

void store::erase_if_doomed(object& x) {
  if (x.doomed && !x.is_busy() && !is_read_silently(x)) erase(x);
  else refile(x);
}

result<void> store::seal(const object_id& id) {
  object* x = find(id);
  if (x == nullptr || x->sealed) return object_error(errc::not_found, id, "is not being filled");
  x->sealed = true;
  refile(*x);
  return {};
}

result<void> store::set_primary(const object_id& id, bool primary) {
  object* x = find(id);
  if (x == nullptr || x->doomed) return object_error(errc::not_found, id, "is not here");
  x->primary = primary;
  refile(*x);
  return {};
}

void store::drop(const object_id& id) {
  object* x = find(id);
  if (x == nullptr || x->doomed) return;
  if (!x->sealed) {  // its filler has given up, and has stopped writing
    fail_waiting_for(id, object_error(errc::not_found, id, "was dropped before it was filled"));
    return erase(*x);
  }
  x->doomed = true;
  erase_if_doomed(*x);
}

void store::unpin(session_id id, std::span<const object_id> ids) {
  auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  for (const object_id& each : ids) take_pins(it->second, each, 1);
}

void store::add_pin(session& s, object& x) {
  ++x.pins;
  ++s.used.pins;
  if (++s.pins[x.id] == 1) s.used.pinned += x.size;
}

/// To be asked before its memory is used for something else. True: it is pinned from now on.
bool store::is_read_silently(object& x) {
  if (readers_ == nullptr || x.home == nullptr) return false;
  reading_.clear();
  readers_->stop(x.id, reading_);
  for (session_id each : reading_) {
    auto it = sessions_.find(each);
    if (it != sessions_.end() && !it->second.ended) add_pin(it->second, x);
  }
  if (x.pins > 0) refile(x);
  return x.pins > 0;
}

void store::stop_silent_reading(const object_id& id) {
  if (object* x = find(id)) is_read_silently(*x);
}

void store::take_pins(session& s, const object_id& id, std::uint32_t count) {
  auto it = s.pins.find(id);
  if (it == s.pins.end()) return;
  if (chaos::planted(chaos::bug::lost_release) && count == 1 && it->second == 2) return;
  count = std::min(count, it->second);
  object& x = objects_.at(id);
  s.used.pins -= count;
  x.pins -= count;
  if ((it->second -= count) == 0) {
    s.pins.erase(it);
    s.used.pinned -= x.size;
  }
  erase_if_doomed(x);
}

void store::spill_written(file_id file, const result<void>& how) {
  auto it = files_.find(file);
  if (it == files_.end() || it->second.writing.empty()) return;
  auto batch = std::exchange(it->second.writing, {});
  --spills_in_flight_;
  used_.spilling -= it->second.bytes;
  if (how.has_value()) spill_trouble_ = {};
  else add_trouble(spill_trouble_, how.error(), now_);
  std::uint64_t offset = 0;
  for (const object_id& id : batch) {
    object& x = objects_.at(id);
    x.spilling = false;
    --x.home->spilling;
    if (how.has_value()) x.file = file, x.record = offset, used_.spilled += x.size;
    else --it->second.records;
    offset += spill_record_bytes(x.size);
  }
  if (!how.has_value()) {
    used_.spill_files -= it->second.bytes;
    actions_.push_back(remove_spill{file});
    files_.erase(it);
  }
  for (const object_id& id : batch) erase_if_doomed(objects_.at(id));
}

void store::restored(const object_id& id, const result<void>& how) {
  object* x = find(id);
  if (x == nullptr || !x->restoring) return;
  if (how.has_value()) {
    x->restoring = false;
    x->failures = 0;
    return erase_if_doomed(*x);
  }
  leave_memory(*x);
  bool is_lost = how.error().code() == errc::malformed || ++x->failures >= restore_failures_max;
  fail_waiting_for(id, is_lost ? object_error(errc::object_lost, id,
                                              "was spilled, and its record on disk is damaged")
                               : how.error());
  x->restoring = false;  // not before: those who waited must not take it away
  if (is_lost && !x->doomed) actions_.push_back(lost{id, how.error()});
  if (is_lost) erase(*x);
  else erase_if_doomed(*x);
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
