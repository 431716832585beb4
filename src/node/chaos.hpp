// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test-only: bugs which the random sessions must catch, and what the system refuses. Without
// BEAMLET_CHAOS every call here is nothing.

#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace chaos {

enum class bug : std::uint8_t {
  none,
  early_reuse,   ///< memory is used again when the connection has ended, not the process
  unseen_place,  ///< a session is told of a place in a segment that it was not given
  lost_unpin,    ///< pins that a session gives back are kept, now and then
  lost_unlease,  ///< some leases, likewise
  unseen_pins,   ///< memory is used again without a look at what sessions pin silently
};

#ifdef BEAMLET_CHAOS
inline bug planted_bug = bug::none;  ///< an agent belongs to one thread
inline bool planted(bug which) noexcept { return planted_bug == which; }
/// Counts down with what is asked of the system; what makes it 0 is refused.
inline std::uint64_t refused_at = 0;
inline bool refused() noexcept { return refused_at != 0 && --refused_at == 0; }
#else
inline constexpr bool planted(bug) noexcept { return false; }
inline constexpr bool refused() noexcept { return false; }
#endif

}  // namespace chaos
}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
