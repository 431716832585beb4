// SPDX-License-Identifier: Apache-2.0
#include "store/arena.hpp"

#include <algorithm>
#include <bit>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

arena::arena(std::uint64_t bytes, bool all_free)
    : pages_(static_cast<std::uint32_t>(bytes / page_bytes)) {
  BEAMLET_ASSERT(bytes % page_bytes == 0 && bytes / page_bytes < page_allocator::none,
                 "an arena is whole pages, and they can be counted");
  partial_.fill(none);
  if (all_free && pages_.pages() > 0) pages_.free(0, pages_.pages());
}

std::uint32_t arena::kind_of(std::uint64_t bytes) noexcept {
  auto units = static_cast<std::uint16_t>((bytes + 63) / 64);
  return static_cast<std::uint32_t>(std::lower_bound(classes.begin(), classes.end(), units) -
                                    classes.begin());
}

std::uint32_t arena::slots_of(std::uint32_t kind) noexcept {
  return static_cast<std::uint32_t>(slab_bytes / 64 / classes[kind]);
}

std::optional<std::uint64_t> arena::allocate(std::uint64_t bytes) {
  if (bytes <= slot_bytes_max) {
    std::uint32_t kind = kind_of(bytes);
    std::uint32_t index = partial_[kind] != none ? partial_[kind] : open_slab(kind);
    if (index != none) {
      slab& s = slabs_[index];
      std::size_t word = 0;
      while (s.free[word] == 0) ++word;
      auto bit = static_cast<std::uint32_t>(std::countr_zero(s.free[word]));
      s.free[word] &= s.free[word] - 1;
      if (--s.free_slots == 0) unlink(index);
      return s.first_page * page_bytes + (word * 64 + bit) * classes[kind] * 64;
    }
  }
  std::uint64_t count = pages_for(bytes);
  if (count > pages_.free_pages()) return std::nullopt;
  std::uint32_t page = pages_.allocate(static_cast<std::uint32_t>(count));
  if (page == page_allocator::none) return std::nullopt;
  return page * page_bytes;
}

void arena::free(std::uint64_t offset, std::uint64_t bytes) noexcept {
  auto page = static_cast<std::uint32_t>(offset / page_bytes);
  std::uint32_t index = slab_at_.empty() ? 0 : slab_at_[page];
  if (index == 0) return pages_.free(page, static_cast<std::uint32_t>(pages_for(bytes)));
  slab& s = slabs_[--index];
  std::uint64_t within = offset - s.first_page * page_bytes, slot = within / 64 / classes[s.kind];
  std::uint64_t mask = std::uint64_t{1} << (slot % 64);
  BEAMLET_ASSERT(
      within % (std::uint64_t{classes[s.kind]} * 64) == 0 && (s.free[slot / 64] & mask) == 0,
      "no slot is freed twice");
  s.free[slot / 64] |= mask;
  if (s.free_slots++ == 0) link(index);
  if (s.free_slots == slots_of(s.kind)) close_slab(index);
}

std::uint32_t arena::open_slab(std::uint32_t kind) {
  std::uint32_t page = pages_.allocate(slab_pages);
  if (page == page_allocator::none) return none;
  if (slab_at_.empty()) slab_at_.resize(pages_.pages());
  std::uint32_t index;
  if (unused_.empty()) {
    index = static_cast<std::uint32_t>(slabs_.size());
    slabs_.emplace_back();
    if (unused_.capacity() < slabs_.size())  // so that closing one never allocates
      unused_.reserve(2 * slabs_.size());
  } else {
    index = unused_.back();
    unused_.pop_back();
  }
  slab& s = slabs_[index];
  s = {.first_page = page, .kind = kind, .free_slots = slots_of(kind)};
  for (std::uint32_t i = 0; i < s.free_slots / 64; ++i) s.free[i] = ~std::uint64_t{0};
  if (s.free_slots % 64 != 0)
    s.free[s.free_slots / 64] = (std::uint64_t{1} << (s.free_slots % 64)) - 1;
  std::fill_n(slab_at_.begin() + page, slab_pages, index + 1);
  link(index);
  return index;
}

void arena::close_slab(std::uint32_t index) noexcept {
  unlink(index);
  std::uint32_t page = slabs_[index].first_page;
  std::fill_n(slab_at_.begin() + page, slab_pages, 0);
  pages_.free(page, slab_pages);
  slabs_[index] = {};
  unused_.push_back(index);
}

void arena::link(std::uint32_t index) noexcept {
  std::uint32_t& first = partial_[slabs_[index].kind];
  slabs_[index].previous = none;
  slabs_[index].next = first;
  if (first != none) slabs_[first].previous = index;
  first = index;
}

void arena::unlink(std::uint32_t index) noexcept {
  slab& s = slabs_[index];
  if (s.previous != none) slabs_[s.previous].next = s.next;
  else partial_[s.kind] = s.next;
  if (s.next != none) slabs_[s.next].previous = s.previous;
}

bool arena::audit() const noexcept {
  for (std::uint32_t kind = 0; kind < classes.size(); ++kind)
    for (std::uint32_t i = partial_[kind]; i != none; i = slabs_[i].next) {
      const slab& s = slabs_[i];
      std::uint32_t bits = 0;
      for (std::uint64_t word : s.free) bits += static_cast<std::uint32_t>(std::popcount(word));
      if (s.kind != kind || s.free_slots == 0 || bits != s.free_slots) return false;
      if (slab_at_[s.first_page] != i + 1 || pages_.is_free(s.first_page)) return false;
    }
  return pages_.audit();
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
