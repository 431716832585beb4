// SPDX-License-Identifier: Apache-2.0
// Who gets memory and pins, and when. One budget for leases, reserves, restores and pinned sets.
//
// Why it cannot block itself: a waiting request holds nothing; a set is admitted whole or not at
// all; what may be pinned leaves room for leases (pin_tenths); no lane waits for another; restores
// and pulls have memory that no session can take (options::shared_bytes); and all have a deadline.
#include <algorithm>
#include <utility>

#include "store/chaos.hpp"
#include "store/store.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
constexpr unsigned passes_max = 64;          // smaller requests that may pass one that does not fit
constexpr unsigned looks_max_per_pump = 64;  // requests that are found blocked

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }
}  // namespace

void store::refuse(const request& r, errc code, std::string why) {
  actions_.push_back(
      failed{r.session, r.ticket,
             error(code, error_layer::store,
                   {.message = std::move(why), .type = {}, .function = {}, .cause = {}})});
}

void store::enqueue(request&& r, std::uint8_t urgency) {
  auto it = sessions_.find(r.session);
  if (it == sessions_.end() || it->second.ended)
    return refuse(r, errc::not_found, "there is no session " + std::to_string(r.session));
  if (it->second.used.requests >= limits_.session_requests)
    return refuse(r, errc::queue_full,
                  "session " + std::to_string(r.session) + " has " +
                      std::to_string(limits_.session_requests) +
                      " requests waiting: await some, or raise options.session_requests");
  if (!is_feasible(r)) return;
  r.deadline_ns =
      std::min(r.deadline_ns, base::deadline_after(now_, duration(limits_.wait_ns_max)));
  ++it->second.used.requests;
  lanes_[lane_of(r.what, urgency)].push_back(std::move(r));
}

/// Fails what could never be granted.
bool store::is_feasible(request& r) {
  std::uint64_t memory = limits_.memory_bytes;
  if (r.what == request::kind::lease && r.session != shared)
    memory -= std::min(memory, limits_.shared_bytes);
  std::uint64_t limit = std::max(memory, limits_.fallback_bytes) / page_bytes * page_bytes;
  if (r.what == request::kind::pins) {
    limit = limits_.memory_bytes + limits_.fallback_bytes;
    std::vector<object_id> distinct = r.ids;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (const object_id& id : distinct) {
      object* x = find(id);
      if (x == nullptr || x->doomed)
        return refuse(r, errc::not_found, "object " + id.to_string() + " is not here"), false;
      r.bytes += x->size;
    }
  } else if (r.bytes == 0) {
    return refuse(r, errc::invalid_argument, "0 bytes were asked for"), false;
  }
  if (r.bytes <= limit) return true;
  refuse(r, errc::too_large,
         bytes_text(r.bytes) +
             " were asked for at once, and the store could never give more than " +
             bytes_text(limit) + ": ask for less, or raise options.memory_bytes or fallback_bytes");
  return false;
}

void store::pump_lane(std::list<request>& lane) {
  std::size_t index = static_cast<std::size_t>(&lane - lanes_.data());
  request* blocked = nullptr;  // the first that could not be admitted
  unsigned looks = 0;
  for (auto it = lane.begin(); it != lane.end() && looks < looks_max_per_pump;) {
    effort how = effort::reclaim;
    if (blocked != nullptr) {
      // Smaller ones may pass, but not for ever; what is a session's own harms no other's wait.
      bool passes = it->bytes < blocked->bytes && blocked->passed < passes_max;
      bool own = index == 0 && it->session != blocked->session;
      if (!passes && !own) {
        ++it, ++looks;
        continue;
      }
      how = passes ? effort::growth : effort::free_space;
    }
    if (!attempt(*it, index, how)) {
      if (blocked == nullptr) blocked = &*it;
      ++it, ++looks;
      continue;
    }
    if (blocked != nullptr) ++blocked->passed;
    it = lane.erase(it);
  }
}

/// True: it was granted, admitted or refused, and leaves the lane.
bool store::attempt(request& r, std::size_t lane, effort how) {
  switch (r.what) {
    case request::kind::lease: return attempt_lease(r, how);
    case request::kind::reserve: return attempt_reserve(r, how);
    case request::kind::pins: return attempt_pins(r, lane, how);
  }
  return true;
}

/// Fails what goes over a quota of its session.
bool store::is_within_quota(request& r) {
  const session_usage& used = sessions_.at(r.session).used;
  auto over = [&](const std::string& limit, const char* remedy, const char* option) {
    std::string why = "session " + std::to_string(r.session) + " may not ";
    why.append(limit).append(": ").append(remedy).append(", or raise options.").append(option);
    fail(r, error(errc::exhausted, error_layer::store,
                  {.message = std::move(why), .type = {}, .function = {}, .cause = {}}));
    return false;
  };
  if (r.what == request::kind::lease) {
    std::uint64_t bytes = pages_for(r.bytes) * page_bytes, most = limits_.session_lease_bytes;
    if (bytes > most || used.unpublished > most - bytes)
      return over("lease more than " + bytes_text(most), "publish or unlease some",
                  "session_lease_bytes");
    if (used.leases >= limits_.session_leases)
      return over("have more than " + std::to_string(limits_.session_leases) + " leases",
                  "lease more at once", "session_leases");
    return true;
  }
  if (used.pins + r.ids.size() > limits_.session_pins)
    return over("have more than " + std::to_string(limits_.session_pins) + " pins", "unpin some",
                "session_pins");
  std::uint64_t most = limits_.session_pinned_bytes;
  if (r.bytes > most || used.pinned > most - r.bytes)
    return over("pin more than " + bytes_text(most), "unpin some", "session_pinned_bytes");
  return true;
}

bool store::attempt_lease(request& r, effort how) {
  if (!is_within_quota(r)) return true;
  spot where;
  if (!place(r.session, r.bytes, r, how, where)) return false;
  std::uint64_t bytes = pages_for(r.bytes) * page_bytes;
  where.home->leases.emplace(where.offset, bytes);
  session_usage& used = sessions_.at(r.session).used;
  ++used.leases;
  used.leased += bytes;
  used.unpublished += bytes;
  used_.leased += bytes;
  forget_request(r);
  actions_.push_back(granted{r.session, r.ticket, {where.home->id, where.offset, bytes}});
  return true;
}

bool store::attempt_reserve(request& r, effort how) {
  const object_id& id = r.ids.front();
  if (find(id) != nullptr || objects_.size() >= limits_.objects) {
    bool there = find(id) != nullptr;
    refuse(r, there ? errc::already_exists : errc::exhausted,
           there ? "object " + id.to_string() + " is there already"
                 : "the store has " + std::to_string(limits_.objects) +
                       " objects: drop some, or raise options.objects");
    return forget_request(r), true;
  }
  spot where;
  if (!place(shared, r.bytes, r, how, where)) return false;
  object& x = objects_[id];
  x.id = id, x.size = r.bytes, x.primary = r.primary;
  enter(x, *where.home, where.offset);
  forget_request(r);
  actions_.push_back(granted{shared, r.ticket, {where.home->id, where.offset, r.bytes}});
  return true;
}

void store::hold(object& x) {
  ++x.holds;
  refile(x);
}

void store::unhold(const request& r) {
  for (const object_id& id : r.ids) {
    object* x = find(id);
    if (x == nullptr) continue;
    --x->holds;
    erase_if_doomed(*x);
  }
}

bool store::attempt_pins(request& r, std::size_t lane, effort how) {
  for (const object_id& id : r.ids) {
    object* x = find(id);
    if (x != nullptr && !x->doomed) continue;
    refuse(r, errc::not_found, "object " + id.to_string() + " is not here any more");
    return forget_request(r), true;
  }
  if (!is_within_quota(r)) return true;
  std::uint64_t before = used_.pinned;
  for (const object_id& id : r.ids) hold(*find(id));
  // One set larger than its lane's part is admitted when nothing else is pinned.
  bool too_much = before > 0 && used_.pinned > before &&
                  used_.pinned > limits_.memory_bytes / 10 * pin_tenths[lane];
  if (too_much || !read_missing(r, how)) {
    if (too_much) {
      r.blocked_by = request::wait::pins;
      if (how == effort::reclaim) press(r);
    }
    unhold(r);
    return false;
  }
  r.admitted = true;
  r.blocked_by = request::wait::reading;
  admitted_.push_back(std::move(r));
  complete_admitted();
  return true;
}

/// Finds memory for every object of the set that is on disk only, or for none of them.
bool store::read_missing(request& r, effort how) {
  std::vector<object*> missing;
  for (const object_id& id : r.ids) {
    object& x = *find(id);
    if (x.home != nullptr) continue;
    spot where;
    if (!place(shared, x.size, r, how, where)) {
      for (object* y : missing) {
        leave_memory(*y);
        y->restoring = false;
      }
      return false;
    }
    x.restoring = true;
    enter(x, *where.home, where.offset);
    missing.push_back(&x);
  }
  for (object* x : missing)
    actions_.push_back(read_spill{x->file, {x->id, {x->home->id, x->offset, x->size}, x->record}});
  return true;
}

void store::complete_admitted() {
  std::erase_if(admitted_, [&](request& r) {
    for (const object_id& id : r.ids)
      if (const object& x = *find(id); x.restoring || !x.sealed) return false;
    grant_pins(r);
    return true;
  });
}

void store::grant_pins(request& r) {
  session& s = sessions_.at(r.session);
  std::vector<extent> places;
  for (const object_id& id : r.ids) {
    object& x = *find(id);
    if (!chaos::planted(chaos::bug::unpinned_read)) add_pin(s, x);
    places.push_back({x.home->id, x.offset, x.size});
  }
  forget_request(r);
  actions_.push_back(pinned{r.session, r.ticket, std::move(places)});
}

/// It leaves its queue: what it is counted in, and what it holds.
void store::forget_request(const request& r) {
  --sessions_.at(r.session).used.requests;
  if (r.admitted) unhold(r);
}

void store::fail(request& r, error why) {
  forget_request(r);
  actions_.push_back(failed{r.session, r.ticket, std::move(why)});
}

void store::fail_waiting_for(const object_id& id, const error& why) {
  std::erase_if(admitted_, [&](request& r) {
    if (std::find(r.ids.begin(), r.ids.end(), id) == r.ids.end()) return false;
    fail(r, why);
    return true;
  });
}

bool store::has_expired(request& r) {
  if (r.deadline_ns > now_) return false;
  fail(r, timed_out(r));
  return true;
}

error store::timed_out(const request& r) const {
  usage u = used();
  std::string why = bytes_text(r.bytes) + " waited for ";
  switch (r.blocked_by) {
    case request::wait::turn: why += "requests before it"; break;
    case request::wait::segment: why += "a segment from the system"; break;
    case request::wait::memory: why += "memory that is in use"; break;
    case request::wait::spill: why += "objects to be written to disk"; break;
    case request::wait::pins: why += "other objects to be unpinned"; break;
    case request::wait::reading: why += "an object to be read or received"; break;
  }
  why += ": of " + bytes_text(limits_.memory_bytes) + ' ' + std::to_string(u.pinned) +
         " are pinned, " + std::to_string(u.leased) + " leased, " + std::to_string(u.quarantined) +
         " quarantined";
  auto most = std::max_element(sessions_.begin(), sessions_.end(), [](auto& a, auto& b) {
    return a.second.used.pinned + a.second.used.leased <
           b.second.used.pinned + b.second.used.leased;
  });
  if (most->second.used.pinned + most->second.used.leased > 0)
    why += "; session " + std::to_string(most->first) + " has most of it";
  std::string cause;
  for (const trouble* t : {&segment_trouble_[0], &segment_trouble_[1], &spill_trouble_})
    if (cause.empty() && t->pause > 0) cause = t->why.describe();
  why += "; unpin or unlease some, or raise options.memory_bytes, fallback_bytes or spill_bytes";
  return error(errc::timeout, error_layer::store,
               {.message = std::move(why), .type = {}, .function = {}, .cause = std::move(cause)});
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
