// SPDX-License-Identifier: Apache-2.0
#pragma once

// One object as the store knows it, and the lists of those that may leave memory.

#include <cstddef>
#include <cstdint>

#include "store/actions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

struct segment;
class age_list;

struct object {
  object_id id;
  std::uint64_t size = 0;
  segment* home = nullptr;  ///< null: not in memory
  std::uint64_t offset = 0;
  file_id file = 0;           ///< 0: not on disk
  std::uint64_t record = 0;   ///< offset in that file
  std::uint32_t pins = 0;     ///< of sessions
  std::uint32_t holds = 0;    ///< of admitted sets that wait for the rest
  std::uint8_t failures = 0;  ///< of restores in a row
  bool sealed = false;
  bool primary = false;    ///< must not be lost; else a copy that may be evicted
  bool carved = false;     ///< by a session, out of a lease; else given by the segment's arena
  bool leased = false;     ///< its range lies in a live lease
  bool spilling = false;   ///< being written to disk
  bool restoring = false;  ///< being read from disk
  bool doomed = false;     ///< dropped: goes when nobody uses it any more

  age_list* list = nullptr;  ///< where it waits to leave memory; null: it may not
  object *older = nullptr, *newer = nullptr;
  std::uint64_t used = 0;  ///< when it was last unpinned, in counts
  bool counted = false;    ///< in usage::pinned

  bool in_use() const noexcept { return pins > 0 || holds > 0; }
  /// Somebody reads or writes its memory, or waits to.
  bool is_busy() const noexcept { return in_use() || spilling || restoring; }
};

/// Objects by age, linked through themselves.
class age_list {
 public:
  object* oldest() const noexcept { return oldest_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::size_t count() const noexcept { return count_; }

  void push(object& x) noexcept {
    x.list = this, x.older = newest_, x.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &x;
    newest_ = &x;
    bytes_ += x.size, ++count_;
  }
  void remove(object& x) noexcept {
    (x.older != nullptr ? x.older->newer : oldest_) = x.newer;
    (x.newer != nullptr ? x.newer->older : newest_) = x.older;
    x.list = nullptr, x.older = x.newer = nullptr;
    bytes_ -= x.size, --count_;
  }

 private:
  object *oldest_ = nullptr, *newest_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
