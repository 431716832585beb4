// SPDX-License-Identifier: Apache-2.0
#include "store/page_allocator.hpp"

#include <algorithm>
#include <bit>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
// Runs of one bin that are compared before a good one has to do; more make the tail longer and
// the fit hardly better.
constexpr std::uint32_t looks_max = 16;
}  // namespace

page_allocator::page_allocator(std::uint32_t pages)
    : tags_(pages), used_((pages + 63) / 64, ~std::uint64_t{0}) {
  bins_.fill(none);
}

std::uint32_t page_allocator::bin_of(std::uint32_t length) noexcept {
  if (length < 64) return length;
  auto octave = static_cast<std::uint32_t>(std::bit_width(length)) - 1;
  return 64 + (octave - 6) * 16 + ((length >> (octave - 4)) & 15);
}

std::uint32_t page_allocator::best_of(std::uint32_t bin, std::uint32_t count,
                                      std::uint32_t looks) const noexcept {
  std::uint32_t best = none;
  for (std::uint32_t run = bins_[bin]; run != none && looks > 0; run = tags_[run].next, --looks) {
    std::uint32_t length = tags_[run].length;
    if (length < count || (best != none && length >= tags_[best].length)) continue;
    best = run;
    if (length == count) break;
  }
  return best;
}

std::uint32_t page_allocator::next_bin(std::uint32_t after) const noexcept {
  for (std::uint32_t bin = after + 1; bin < bin_count; bin = (bin / 64 + 1) * 64) {
    std::uint64_t word = filled_[bin / 64] >> (bin % 64);
    if (word != 0) return bin + static_cast<std::uint32_t>(std::countr_zero(word));
  }
  return none;
}

std::uint32_t page_allocator::allocate(std::uint32_t count) noexcept {
  if (count > free_pages_) return none;
  std::uint32_t bin = bin_of(count);
  std::uint32_t run = best_of(bin, count, looks_max);
  if (run == none) {
    std::uint32_t larger = next_bin(bin);
    run = larger != none ? best_of(larger, count, looks_max) : best_of(bin, count, none);
  }
  if (run == none) return none;
  std::uint32_t length = tags_[run].length;
  remove(run);
  if (length > count) insert(run + count, length - count);
  mark(run, count, true);
  free_pages_ -= count;
  return run;
}

void page_allocator::free(std::uint32_t first, std::uint32_t count) noexcept {
  BEAMLET_ASSERT(first < pages() && count <= pages() - first, "the pages are the arena's");
  mark(first, count, false);
  free_pages_ += count;
  if (first > 0 && tags_[first - 1].length > 0) {
    std::uint32_t before = tags_[first - 1].length;
    first -= before, count += before;
    remove(first);
  }
  if (first + count < pages() && tags_[first + count].length > 0) {
    std::uint32_t after = first + count;
    count += tags_[after].length;
    remove(after);
  }
  insert(first, count);
}

void page_allocator::insert(std::uint32_t first, std::uint32_t length) noexcept {
  if (length == 0) return;
  std::uint32_t bin = bin_of(length);
  tags_[first + length - 1].length = length;
  tags_[first] = {length, bins_[bin], none};
  if (bins_[bin] != none) tags_[bins_[bin]].previous = first;
  bins_[bin] = first;
  filled_[bin / 64] |= std::uint64_t{1} << (bin % 64);
}

void page_allocator::remove(std::uint32_t first) noexcept {
  tag old = tags_[first];
  std::uint32_t bin = bin_of(old.length);
  if (old.previous != none) tags_[old.previous].next = old.next;
  else bins_[bin] = old.next;
  if (old.next != none) tags_[old.next].previous = old.previous;
  if (bins_[bin] == none) filled_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
  tags_[first].length = tags_[first + old.length - 1].length = 0;
}

void page_allocator::mark(std::uint32_t first, std::uint32_t count, bool used) noexcept {
  for (std::uint32_t end = first + count; first < end;) {
    std::uint32_t bits = std::min(end - first, 64 - first % 64);
    std::uint64_t mask = (~std::uint64_t{0} >> (64 - bits)) << (first % 64);
    std::uint64_t& word = used_[first / 64];
    BEAMLET_ASSERT((word & mask) == (used ? 0 : mask), "no page is given out or freed twice");
    word ^= mask;
    first += bits;
  }
}

bool page_allocator::audit() const noexcept {
  std::uint32_t binned = 0, tagged = 0, runs = 0, runs_binned = 0;
  for (std::uint32_t bin = 0; bin < bin_count; ++bin) {
    bool filled = (filled_[bin / 64] >> (bin % 64) & 1) != 0;
    if (filled != (bins_[bin] != none)) return false;
    for (std::uint32_t run = bins_[bin]; run != none; run = tags_[run].next, ++runs_binned) {
      if (bin_of(tags_[run].length) != bin || runs_binned > pages()) return false;
      binned += tags_[run].length;
    }
  }
  for (std::uint32_t page = 0; page < pages();) {
    if (!is_free(page)) {
      if (tags_[page++].length != 0) return false;
      continue;
    }
    std::uint32_t length = tags_[page].length, end = page + length;
    if (length == 0 || end > pages() || tags_[end - 1].length != length) return false;
    for (std::uint32_t i = page; i < end; ++i)
      if (!is_free(i) || (i != page && i != end - 1 && tags_[i].length != 0)) return false;
    if (end < pages() && is_free(end)) return false;  // neighbours were not joined
    tagged += length, ++runs, page = end;
  }
  return binned == free_pages_ && tagged == free_pages_ && runs == runs_binned;
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
