// SPDX-License-Identifier: Apache-2.0
#pragma once

// Carves blocks out of the extents that a session has leased. Its books lie in private memory; it
// never touches a payload. It knows ranges only: what is sent to whom is the session's business.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/result.hpp"
#include "store/arena.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Thread: one at a time.   Blocks: never.   Cost: a few steps in ordered trees, and their nodes.
///
/// A block is free, being built (carved), or published. Functions that return an extent name a
/// lease that is of no more use here and is forgotten: nothing is being built in it, and it is full
/// (as part of a lease its objects can neither be spilled nor evicted) or idle beyond
/// `idle_bytes_max`. The caller gives it back.
class carver {
 public:
  using extent = wire::extent;

  /// Leases in which nothing is built or published that are kept for the next block.
  static constexpr std::uint64_t idle_bytes_max = std::uint64_t{8} << 20;
  /// A lease with less than this part of it free is full.
  static constexpr std::uint64_t full_part = 16;

  /// What a block for `bytes` takes: lines of 64 bytes, from 64 KiB on whole pages. 0: too many.
  static std::uint64_t rounded(std::uint64_t bytes) noexcept;

  /// Memory to carve from.   Errors: malformed (empty, not whole pages, overlaps another lease).
  result<void> add(const extent& lease);
  /// The same for one block, which is all of it, as if carved.
  result<void> add_whole(const extent& lease);
  /// A block that nobody else has, from the smallest gap that holds it, or nearly the smallest.
  std::optional<extent> carve(std::uint64_t bytes);
  /// Whether this is a block that is being built.
  bool is_building(const extent& block) const;
  /// The first `size` bytes of it are an object now, the rest is free.
  /// REQUIRES: is_building(block), 0 < size <= block.size.
  std::optional<extent> publish(const extent& block, std::uint64_t size);
  /// Nothing comes of it.   REQUIRES: is_building(block).
  std::optional<extent> free(const extent& block);
  /// The lease of a whole block, which is over here whatever came of the block.
  /// REQUIRES: is_building(block), from add_whole().
  extent release(const extent& block) { return forget(leases_.find(place_of(block))); }
  /// The object that was published there is gone. What is unknown, as a range of a lease that was
  /// given back meanwhile, does nothing.
  std::optional<extent> take_back(const extent& object);

  /// Under pressure: forgets all leases in which nothing is being built, and names them.
  std::vector<extent> take_unused();
  bool has_lease_in(std::uint32_t segment) const;

  /// Walks everything and compares it with what is counted: empty, or what is wrong. For tests.
  std::string audit() const;

 private:
  using place = std::pair<std::uint32_t, std::uint64_t>;  // segment, offset
  struct lease {
    std::uint64_t size = 0, free = 0;
    std::uint32_t building = 0;
    bool is_idle() const noexcept { return free == size; }
  };
  struct range {
    std::uint64_t size = 0;
    bool published = false;
  };
  using leases = std::map<place, lease>;

  static place place_of(const extent& where) { return {where.segment, where.offset}; }
  leases::iterator lease_of(const place& where);
  void add_gap(leases::iterator home, place where, std::uint64_t size);
  void remove_gap(std::map<place, std::uint64_t>::iterator gap);
  std::optional<extent> free_range(std::map<place, range>::iterator block);
  std::optional<extent> settle(leases::iterator about);
  extent forget(leases::iterator about);

  leases leases_;
  std::map<place, range> blocks_;        // being built, and published
  std::map<place, std::uint64_t> gaps_;  // free, neighbours of one lease joined
  std::set<std::pair<std::uint64_t, place>> gaps_by_size_;
  std::uint64_t idle_bytes_ = 0;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
