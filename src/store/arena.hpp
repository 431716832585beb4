// SPDX-License-Identifier: Apache-2.0
#pragma once

// Both levels of the allocator for one arena: page runs, and for what is under 32 KiB slots of a
// few sizes in slabs of 32 pages. Used by the store for its own segments, and by a session to carve
// the extents that it has leased.

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "store/page_allocator.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

/// Every payload starts at a multiple of this: a cache line, and what vector loads want.
inline constexpr std::uint64_t payload_alignment = 64;

/// From this size on a payload starts on a page, so that a device may import it.
inline constexpr std::uint64_t paged_from_bytes = std::uint64_t{64} << 10;

/// Thread: one at a time.   Memory: some 16 bytes per page, and 300 per slab.
class arena {
 public:
  /// `bytes` is a multiple of `page_bytes`, below 16 TiB. All of it may be given out, or none until
  /// `pages().free()` says what.
  explicit arena(std::uint64_t bytes, bool all_free = true);

  /// The offset of `bytes` bytes, aligned as a payload of that size must be.
  ///
  /// Cost: constant; allocates the books of a slab now and then.   REQUIRES: bytes > 0.
  std::optional<std::uint64_t> allocate(std::uint64_t bytes);

  /// Takes back what `allocate(bytes)` gave.
  void free(std::uint64_t offset, std::uint64_t bytes) noexcept;

  page_allocator& pages() noexcept { return pages_; }
  const page_allocator& pages() const noexcept { return pages_; }

  bool audit() const noexcept;  ///< for tests

 private:
  static constexpr std::uint32_t slab_pages = 32, none = ~std::uint32_t{0};
  static constexpr std::uint64_t slab_bytes = slab_pages * page_bytes;
  static constexpr std::uint64_t slot_bytes_max = 32 * 1024 - 64;
  static constexpr std::array<std::uint16_t, 21> classes = {
      1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 170, 204, 256, 292, 341, 409, 511};

  struct slab {
    std::uint32_t first_page = 0, kind = 0, free_slots = 0;
    std::uint32_t next = none, previous = none;              ///< those of its kind with a free slot
    std::array<std::uint64_t, slab_bytes / 64 / 64> free{};  ///< a bit per slot
  };

  static std::uint32_t kind_of(std::uint64_t bytes) noexcept;
  static std::uint32_t slots_of(std::uint32_t kind) noexcept;
  std::uint32_t open_slab(std::uint32_t kind);
  void close_slab(std::uint32_t index) noexcept;
  void link(std::uint32_t index) noexcept;
  void unlink(std::uint32_t index) noexcept;

  page_allocator pages_;
  std::deque<slab> slabs_;
  std::vector<std::uint32_t> unused_;   ///< places in `slabs_`
  std::vector<std::uint32_t> slab_at_;  ///< per page: its slab + 1; empty until there is one
  std::array<std::uint32_t, classes.size()> partial_;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
