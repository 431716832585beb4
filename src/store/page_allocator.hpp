// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs of 4 KiB pages of one arena. Everything it knows stands in private memory, beside the arena
// and never in it, because a client may write there.
//
// Free runs are found by size through bins, exact ones up to 63 pages and sixteen to the octave
// above, and by address through a tag at their first and last page. Both take constant time, and
// no operation allocates.

#include <array>
#include <cstdint>
#include <vector>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

inline constexpr std::uint64_t page_bytes = 4096;

/// Pages that hold `bytes`.
constexpr std::uint64_t pages_for(std::uint64_t bytes) noexcept {
  return bytes / page_bytes + (bytes % page_bytes != 0);
}

/// Thread: one at a time.   Memory: 12 bytes and a bit per page.
class page_allocator {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// An arena of `pages` pages, none of them free: `free()` gives it what it may hand out.
  explicit page_allocator(std::uint32_t pages);

  /// The first page of `count` neighbouring ones, or `none`: then there is no such run. The run is
  /// cut from the smallest free one that fits, or nearly the smallest where many are alike.
  /// REQUIRES: count > 0.
  std::uint32_t allocate(std::uint32_t count) noexcept;

  /// Takes pages back, any part of what was given out. REQUIRES: none of them is free.
  void free(std::uint32_t first, std::uint32_t count) noexcept;

  std::uint32_t pages() const noexcept { return static_cast<std::uint32_t>(tags_.size()); }
  std::uint32_t free_pages() const noexcept { return free_pages_; }
  bool is_free(std::uint32_t page) const noexcept {
    return (used_[page / 64] >> (page % 64) & 1) == 0;
  }

  /// Walks everything: bins, tags and bits tell the same. For tests.
  bool audit() const noexcept;

 private:
  struct tag {
    std::uint32_t length = 0;  ///< of the free run that begins or ends here, else 0
    std::uint32_t next = none, previous = none;  ///< in its bin, at the run's first page
  };
  static constexpr std::uint32_t bin_count = 64 + 26 * 16;

  static std::uint32_t bin_of(std::uint32_t length) noexcept;
  std::uint32_t best_of(std::uint32_t bin, std::uint32_t count, std::uint32_t looks) const noexcept;
  std::uint32_t next_bin(std::uint32_t after) const noexcept;
  void insert(std::uint32_t first, std::uint32_t length) noexcept;
  void remove(std::uint32_t first) noexcept;
  void mark(std::uint32_t first, std::uint32_t count, bool used) noexcept;

  std::vector<tag> tags_;
  std::vector<std::uint64_t> used_;
  std::array<std::uint32_t, bin_count> bins_;  ///< the first run of each
  std::array<std::uint64_t, (bin_count + 63) / 64> filled_{};
  std::uint32_t free_pages_ = 0;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
