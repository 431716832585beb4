// SPDX-License-Identifier: Apache-2.0
// Counts everything once more, for tests.
#include <algorithm>

#include "store/store.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
/// Pages that objects or leases of a session's segment keep.
std::uint64_t kept_pages(const segment& s) {
  std::uint64_t pages = 0, next = 0;  // `next`: the first page not counted yet
  auto count = [&](std::uint64_t begin, std::uint64_t end) {
    begin = std::max(begin / page_bytes, next), end = pages_for(end);
    if (begin < end) pages += end - begin, next = end;
  };
  auto lease = s.leases.begin();
  for (const auto& [offset, x] : s.objects) {
    for (; lease != s.leases.end() && lease->first <= offset; ++lease)
      count(lease->first, lease->first + lease->second);
    count(offset, offset + x->size);
  }
  for (; lease != s.leases.end(); ++lease) count(lease->first, lease->first + lease->second);
  return pages;
}

std::string audit_segment(const segment& s) {
  std::string name = "segment " + std::to_string(s.id);
  if (!s.memory.audit()) return name + ": its free pages are not what its lists say";
  std::uint64_t end = 0;
  bool carved_only = true;
  std::size_t spilling = 0;
  for (const auto& [offset, x] : s.objects) {
    if (x->home != &s || x->offset != offset || offset < end || offset + x->size > s.size)
      return name + ": objects overlap or lie elsewhere";
    end = offset + x->size;
    carved_only &= x->carved;
    spilling += x->spilling;
    if (x->leased != (x->carved && s.lease_of(offset, x->size) != s.leases.end()))
      return name + ": an object is wrong about its lease";
  }
  if (spilling != s.spilling) return name + ": objects being spilled";
  std::uint64_t kept = kept_pages(s),
                used = s.memory.pages().pages() - s.memory.pages().free_pages();
  // A slab keeps more pages than its objects touch.
  if (carved_only ? kept != used : kept > used) return name + ": pages leaked or free in use";
  return {};
}
}  // namespace

std::string store::audit() const {
  usage u;
  u.leased = used_.leased;
  std::uint64_t leased = 0;
  for (const auto& [id, s] : segments_) {
    (s->kind == backing::memory ? u.memory : u.files) += s->size;
    if (std::string what = audit_segment(*s); !what.empty()) return what;
    for (const auto& [offset, bytes] : s->leases) leased += bytes;
  }
  std::map<object_id, std::uint32_t> pins, holds;
  for (const auto& [id, s] : sessions_) {
    session_usage counted{.requests = s.used.requests};
    for (const auto& [key, part] : segments_) {
      if (part->owner != id) continue;
      counted.leases += part->leases.size();
      for (const auto& [offset, bytes] : part->leases) counted.leased += bytes;
      counted.unpublished = counted.leased;
    }
    for (const auto& [key, part] : segments_)
      for (const auto& [offset, x] : part->objects)
        if (part->owner == id && x->leased) counted.unpublished -= x->size;
    for (const auto& [object, count] : s.pins) {
      auto x = objects_.find(object);
      if (x == objects_.end()) return "session " + std::to_string(id) + " pins what is gone";
      pins[object] += count;
      counted.pins += count;
      counted.pinned += x->second.size;
    }
    if (counted != s.used) return "session " + std::to_string(id) + ": counts differ";
  }
  for (const request& r : admitted_)
    for (const object_id& id : r.ids) ++holds[id];
  std::map<file_id, std::uint32_t> records;
  for (const auto& [id, x] : objects_) {
    auto count = [&name = id](const auto& counts) {
      return counts.contains(name) ? counts.at(name) : 0;
    };
    if (x.pins != count(pins) || x.holds != count(holds)) return "pins of " + id.to_string();
    if (x.home == nullptr && (x.file == 0 || x.is_busy())) return "no bytes of " + id.to_string();
    if (x.doomed && !x.is_busy()) return "nobody needs " + id.to_string();
    if (x.home != nullptr) u.published += x.size;
    if (x.in_use()) u.pinned += x.size;
    if (x.file != 0) u.spilled += x.size, ++records[x.file];
  }
  for (const auto& [id, file] : files_) {
    u.spill_files += file.bytes;
    if (!file.writing.empty()) u.spilling += file.bytes;
    if (file.writing.empty() && records[id] != file.records) return "records of a spill file";
  }
  if (leased != used_.leased || !(u == used_)) return "what is counted in all differs";
  return {};
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
