// SPDX-License-Identifier: Apache-2.0
#include "node/carver.hpp"

#include <algorithm>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
using store::page_bytes, store::paged_from_bytes, store::payload_alignment;

// Gaps looked at before the search turns to those that hold a block wherever they begin.
constexpr int looks_max = 8;

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// What a block of that size starts at a multiple of, also when all of it is published.
constexpr std::uint64_t unit_of(std::uint64_t size) {
  return size >= paged_from_bytes ? page_bytes : payload_alignment;
}
}  // namespace

std::uint64_t carver::rounded(std::uint64_t bytes) noexcept {
  if (bytes > std::uint64_t{1} << 62) return 0;
  std::uint64_t lines = round_up(std::max<std::uint64_t>(bytes, 1), payload_alignment);
  return round_up(lines, unit_of(lines));
}

result<void> carver::add(const extent& where) {
  std::uint64_t end = where.offset + where.size;
  bool right = where.size > 0 && end > where.offset && where.offset % page_bytes == 0 &&
               where.size % page_bytes == 0;
  place at{where.segment, where.offset};
  auto after = leases_.lower_bound(at);
  if (after != leases_.end() && after->first.first == where.segment)
    right = right && after->first.second >= end;
  if (after != leases_.begin()) {
    const auto& [before, l] = *std::prev(after);
    right = right && (before.first != where.segment || before.second + l.size <= where.offset);
  }
  if (!right) return errc::malformed;
  auto home = leases_.emplace_hint(after, at, lease{.size = where.size, .free = 0, .building = 0});
  add_gap(home, at, where.size);
  return {};
}

result<void> carver::add_whole(const extent& where) {
  BEAMLET_TRY_VOID(add(where));
  const place at = place_of(where);
  remove_gap(gaps_.find(at));
  ++leases_.find(at)->second.building;
  blocks_.emplace(at, range{.size = where.size, .published = false});
  return {};
}

std::optional<wire::extent> carver::carve(std::uint64_t bytes) {
  std::uint64_t size = rounded(bytes);
  if (size == 0) return std::nullopt;
  std::uint64_t unit = unit_of(size);
  auto gap = gaps_by_size_.lower_bound({size, {}});
  auto is_fit = [&] {
    std::uint64_t offset = gap->second.second;
    return round_up(offset, unit) - offset <= gap->first - size;
  };
  for (int looks = 0; gap != gaps_by_size_.end() && !is_fit(); ++looks) {
    if (looks < looks_max) ++gap;
    else gap = gaps_by_size_.lower_bound({size + unit, {}});
  }
  if (gap == gaps_by_size_.end()) return std::nullopt;

  auto [space, where] = *gap;
  auto home = lease_of(where);
  remove_gap(gaps_.find(where));
  place at{where.first, round_up(where.second, unit)};
  std::uint64_t before = at.second - where.second, after = space - before - size;
  if (before > 0) add_gap(home, where, before);
  if (after > 0) add_gap(home, {at.first, at.second + size}, after);
  ++home->second.building;
  blocks_.emplace(at, range{.size = size, .published = false});
  return extent{at.first, at.second, size};
}

bool carver::is_building(const extent& block) const {
  auto at = blocks_.find({block.segment, block.offset});
  return at != blocks_.end() && !at->second.published && at->second.size == block.size;
}

std::optional<wire::extent> carver::publish(const extent& block, std::uint64_t size) {
  auto at = blocks_.find({block.segment, block.offset});
  auto home = lease_of(at->first);
  at->second.published = true;
  --home->second.building;
  std::uint64_t kept = rounded(size);
  at->second.size = kept;
  if (kept < block.size) add_gap(home, {block.segment, block.offset + kept}, block.size - kept);
  return settle(home);
}

std::optional<wire::extent> carver::free(const extent& block) {
  auto at = blocks_.find({block.segment, block.offset});
  --lease_of(at->first)->second.building;
  return free_range(at);
}

std::optional<wire::extent> carver::take_back(const extent& object) {
  auto at = blocks_.find({object.segment, object.offset});
  bool known = at != blocks_.end() && at->second.published && object.size > 0 &&
               rounded(object.size) == at->second.size;
  return known ? free_range(at) : std::nullopt;
}

std::optional<wire::extent> carver::free_range(std::map<place, range>::iterator block) {
  auto [at, freed] = *block;
  auto home = lease_of(at);
  blocks_.erase(block);
  add_gap(home, at, freed.size);
  return settle(home);
}

std::optional<wire::extent> carver::settle(leases::iterator about) {
  const lease& l = about->second;
  if (l.building > 0) return std::nullopt;
  if (l.is_idle() ? idle_bytes_ <= idle_bytes_max : l.free >= l.size / full_part)
    return std::nullopt;
  return forget(about);
}

std::vector<wire::extent> carver::take_unused() {
  std::vector<extent> taken;
  for (auto at = leases_.begin(); at != leases_.end();) {
    auto one = at++;
    if (one->second.building == 0) taken.push_back(forget(one));
  }
  return taken;
}

bool carver::has_lease_in(std::uint32_t segment) const {
  auto at = leases_.lower_bound({segment, 0});
  return at != leases_.end() && at->first.first == segment;
}

wire::extent carver::forget(leases::iterator about) {
  auto [at, l] = *about;
  place end{at.first, at.second + l.size};
  for (auto gap = gaps_.lower_bound(at); gap != gaps_.end() && gap->first < end;) remove_gap(gap++);
  blocks_.erase(blocks_.lower_bound(at), blocks_.lower_bound(end));
  leases_.erase(about);
  return {at.first, at.second, l.size};
}

/// REQUIRES: it lies in a lease.
carver::leases::iterator carver::lease_of(const place& where) {
  return std::prev(leases_.upper_bound(where));
}

void carver::add_gap(leases::iterator home, place where, std::uint64_t size) {
  place begin = home->first, end{begin.first, begin.second + home->second.size};
  home->second.free += size;
  if (home->second.is_idle()) idle_bytes_ += home->second.size;
  // Neighbouring leases stay apart, because each is given back as one.
  auto after = gaps_.lower_bound(where);
  auto join = [&](std::map<place, std::uint64_t>::iterator gap) {
    where = std::min(where, gap->first);
    size += gap->second;
    gaps_by_size_.erase({gap->second, gap->first});
    return gaps_.erase(gap);
  };
  place next{where.first, where.second + size};
  if (after != gaps_.end() && next < end && after->first == next) after = join(after);
  if (after != gaps_.begin()) {
    auto before = std::prev(after);
    if (before->first >= begin && before->first.second + before->second == where.second)
      join(before);
  }
  gaps_.emplace(where, size);
  gaps_by_size_.emplace(size, where);
}

void carver::remove_gap(std::map<place, std::uint64_t>::iterator gap) {
  lease& home = lease_of(gap->first)->second;
  if (home.is_idle()) idle_bytes_ -= home.size;
  home.free -= gap->second;
  gaps_by_size_.erase({gap->second, gap->first});
  gaps_.erase(gap);
}

std::string carver::audit() const {
  std::uint64_t idle = 0;
  std::size_t blocks = 0, gaps = 0;
  for (const auto& [at, l] : leases_) {
    place end{at.first, at.second + l.size};
    std::uint64_t cursor = at.second, free = 0;
    std::uint32_t building = 0;
    auto block = blocks_.lower_bound(at);
    auto gap = gaps_.lower_bound(at);
    bool after_gap = false;
    while (cursor < end.second) {
      if (block != blocks_.end() && block->first == place{at.first, cursor}) {
        cursor += block->second.size;
        building += !block->second.published;
        after_gap = false;
        ++block, ++blocks;
      } else if (gap != gaps_.end() && gap->first == place{at.first, cursor} && !after_gap) {
        if (!gaps_by_size_.contains({gap->second, gap->first})) return "a gap is not found by size";
        cursor += gap->second;
        free += gap->second;
        after_gap = true;
        ++gap, ++gaps;
      } else {
        return "a lease has a hole, an overlap or two gaps side by side";
      }
    }
    if (cursor != end.second) return "a range reaches past its lease";
    if (free != l.free || building != l.building) return "a lease is counted wrongly";
    if (l.is_idle()) idle += l.size;
  }
  if (blocks != blocks_.size()) return "a block lies in no lease";
  if (gaps != gaps_.size() || gaps != gaps_by_size_.size()) return "a gap lies in no lease";
  return idle == idle_bytes_ ? "" : "idle bytes are counted wrongly";
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
