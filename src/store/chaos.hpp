// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test-only: four planted bugs which the model test must catch. Without BEAMLET_CHAOS every call
// here is nothing.

#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {
namespace chaos {

enum class bug : std::uint32_t {
  none = 0,
  double_free = 1,    ///< a range goes back to its session and to the allocator
  lost_release = 2,   ///< an unpin is forgotten
  torn_record = 4,    ///< the records of one spill file overlap
  unpinned_read = 8,  ///< a set is granted without its pins
};

#ifdef BEAMLET_CHAOS
inline std::uint32_t planted_bugs = 0;  ///< a store belongs to one thread
inline bool planted(bug which) noexcept {
  return (planted_bugs & static_cast<std::uint32_t>(which)) != 0;
}
#else
inline constexpr bool planted(bug) noexcept { return false; }
#endif

}  // namespace chaos
}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
