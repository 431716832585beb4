// SPDX-License-Identifier: Apache-2.0
#include "store/segment.hpp"

#include <algorithm>
#include <string>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
error range_error(errc code, const extent& where, const char* what) {
  return error(code, error_layer::store,
               {.message = "range of " + std::to_string(where.size) + " bytes at " +
                           std::to_string(where.offset) + " of segment " +
                           std::to_string(where.segment) + ' ' + what,
                .type = {},
                .function = {},
                .cause = {}});
}

constexpr std::uint64_t page_floor(std::uint64_t offset) {
  return offset / page_bytes * page_bytes;
}
constexpr std::uint64_t page_ceiling(std::uint64_t offset) {
  return pages_for(offset) * page_bytes;
}
}  // namespace

std::map<std::uint64_t, std::uint64_t>::const_iterator segment::lease_of(
    std::uint64_t offset, std::uint64_t bytes) const {
  auto after = leases.upper_bound(offset);
  if (after == leases.begin()) return leases.end();
  auto it = std::prev(after);
  // Written so that no hostile number overflows.
  std::uint64_t within = offset - it->first;
  return within <= it->second && bytes <= it->second - within ? it : leases.end();
}

result<void> segment::check_adoption(const extent& where) const {
  if (where.size == 0) return range_error(errc::invalid_argument, where, "is empty");
  if (where.offset % (where.size >= paged_from_bytes ? page_bytes : payload_alignment) != 0)
    return range_error(errc::invalid_argument, where,
                       "is misaligned: payloads start at a multiple of 64, those of 64 KiB and "
                       "more on a page");
  if (lease_of(where.offset, where.size) == leases.end())
    return range_error(errc::permission, where, "lies in no lease of the session");
  auto after = objects.lower_bound(where.offset);
  bool overlaps = after != objects.end() && after->first < where.offset + where.size;
  if (after != objects.begin()) {
    const object& before = *std::prev(after)->second;
    overlaps |= before.offset + before.size > where.offset;
  }
  if (overlaps) return range_error(errc::already_exists, where, "overlaps a published object");
  return {};
}

result<void> segment::end_lease(std::uint64_t offset, std::uint64_t bytes) {
  extent where{id, offset, bytes};
  if (offset % page_bytes != 0 || bytes % page_bytes != 0 || bytes == 0)
    return range_error(errc::invalid_argument, where, "is not whole pages");
  auto it = lease_of(offset, bytes);
  if (it == leases.end()) return range_error(errc::not_found, where, "is no lease of the session");
  std::uint64_t end = offset + bytes;
  auto first = objects.lower_bound(offset), last = objects.lower_bound(end);
  auto reaches_past = [](auto object, std::uint64_t limit) {
    return object->second->offset + object->second->size > limit;
  };
  if ((first != objects.begin() && reaches_past(std::prev(first), offset)) ||
      (last != first && reaches_past(std::prev(last), end)))
    return range_error(errc::invalid_argument, where, "cuts a published object in two");

  auto [lease_begin, lease_bytes] = *it;
  leases.erase(it);
  if (lease_begin < offset) leases[lease_begin] = offset - lease_begin;
  if (end < lease_begin + lease_bytes) leases[end] = lease_begin + lease_bytes - end;
  std::uint64_t cursor = offset;
  for (auto x = first; x != last; ++x) {
    x->second->leased = false;
    free_pages(cursor, page_floor(x->first));
    cursor = std::max(cursor, page_ceiling(x->first + x->second->size));
  }
  free_pages(cursor, end);
  return {};
}

void segment::forget(object& x) noexcept {
  auto next = objects.erase(objects.find(x.offset));
  if (!x.carved) return memory.free(x.offset, x.size);
  if (x.leased) return;
  // The first and the last page may be shared with neighbours, which keep them.
  std::uint64_t begin = page_floor(x.offset), end = page_ceiling(x.offset + x.size);
  if (next != objects.begin()) {
    const object& before = *std::prev(next)->second;
    begin = std::max(begin, page_ceiling(before.offset + before.size));
  }
  if (next != objects.end()) end = std::min(end, page_floor(next->first));
  free_pages(begin, end);
}

void segment::free_pages(std::uint64_t begin, std::uint64_t end) noexcept {
  if (begin < end)
    memory.pages().free(static_cast<std::uint32_t>(begin / page_bytes),
                        static_cast<std::uint32_t>((end - begin) / page_bytes));
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
