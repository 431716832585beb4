// SPDX-License-Identifier: Apache-2.0
#pragma once

// One segment's books: who may write it, which ranges are leased, which are objects, and what of it
// may leave memory. It knows ranges only; what an object is worth is the store's business.

#include <map>

#include "beamlet/base/result.hpp"
#include "store/arena.hpp"
#include "store/object.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

struct segment {
  enum class phase : std::uint8_t {
    making,  ///< asked for
    live,
    quarantined,  ///< its session has ended; the process may still write to it
    ending,       ///< nothing in it; being given back
  };

  segment_id id = 0;
  session_id owner = shared;
  backing kind = backing::memory;
  phase now = phase::making;
  bool fresh = true;  ///< since the last advance(): who asked for it has the first try
  std::uint64_t size = 0;
  bool whole = false;   ///< for one lease and one object; ends with them
  bool closed = false;  ///< it had them, and may be sealed
  arena memory;
  std::map<std::uint64_t, std::uint64_t> leases;  ///< offset to size
  std::map<std::uint64_t, object*> objects;       ///< by offset
  age_list clean;            ///< copies, and what is on disk too: may go at once
  age_list dirty;            ///< primaries in memory only: may be spilled
  std::size_t spilling = 0;  ///< objects that are being written to disk

  segment(segment_id id_, session_id owner_, std::uint64_t size_, backing kind_, bool whole_)
      : id(id_), owner(owner_), kind(kind_), size(size_), whole(whole_), memory(size_) {}

  bool is_live() const noexcept { return now == phase::live; }
  bool is_idle() const noexcept { return is_live() && leases.empty() && objects.empty(); }
  std::uint64_t free_bytes() const noexcept {
    return std::uint64_t{memory.pages().free_pages()} * page_bytes;
  }

  /// Checks a range that a session wants to publish. Trusts nothing in `where`.
  ///
  /// Errors: invalid_argument (empty or misaligned), permission (in no lease of this segment),
  /// already_exists (overlaps an object).
  result<void> check_adoption(const extent& where) const;

  /// Ends the lease of a range, which is all or whole pages of one lease: pages without an object
  /// are free, those with one stay until it goes.
  ///
  /// Errors: not_found (no such lease), invalid_argument (not pages, or cuts an object).
  result<void> end_lease(std::uint64_t offset, std::uint64_t bytes);

  /// Takes an object's range out of the books and frees what it alone used; nothing is freed in a
  /// live lease.
  void forget(object& x) noexcept;

  /// The live lease around a range, or end().
  std::map<std::uint64_t, std::uint64_t>::const_iterator lease_of(std::uint64_t offset,
                                                                  std::uint64_t bytes) const;

 private:
  void free_pages(std::uint64_t begin, std::uint64_t end) noexcept;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
