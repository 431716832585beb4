// SPDX-License-Identifier: Apache-2.0
#pragma once

// The session's side of index_layout.hpp.

#include <cstdint>
#include <optional>

#include "beamlet/base/id.hpp"
#include "node/index_layout.hpp"
#include "ports/shared_memory.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Thread: one at a time.   Blocks: never, and makes no system call but to map.
class index_reader {
 public:
  static bool is_its(std::uint32_t segment) noexcept {
    return segment == wire::index_segment || segment == wire::pins_segment;
  }
  /// Maps what came with such a number. What cannot be mapped is not used: then all is asked for.
  void take(const wire::new_segment& what, int descriptor);

  struct found {
    wire::value what{};      ///< an extent or bytes
    std::uint32_t slot = 0;  ///< of an extent: it is pinned until unpin(slot)
  };
  /// Looks for an object. `owed`: the agent counts a pin on it that has to be given back by
  /// `unpin`.
  ///
  /// Cost: some ten loads, an atomic exchange; of a small value a copy.
  std::optional<found> find(const object_id& id, bool& owed);
  /// True: the agent has counted the pin meanwhile, and has to be told.
  ///
  /// REQUIRES: find() gave it, and it was not yet unpinned.
  bool unpin(std::uint32_t slot);

 private:
  bool still_says(const index_entry& entry, std::uint64_t version) const;

  ports::mapped_memory index_, pins_;
  std::uint64_t used_ = ~std::uint64_t{0} << pin_slots;  // slots, by bit
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
