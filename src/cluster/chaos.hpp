// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test-only: bugs which the model test must catch. Without BEAMLET_CHAOS every call here is
// nothing.

#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace chaos {

enum class bug : std::uint8_t {
  none,
  lost_release,    ///< a freed value goes on holding the refs inside it
  double_release,  ///< a release counts twice
  early_free,      ///< a release ignores the mentions that the session has not seen yet
  late_result,     ///< the result of an old attempt is taken
  lost_loan,       ///< what a program had borrowed goes with it
  unmentioned,     ///< the refs in a value that comes along with `sealed` are not counted
};

#ifdef BEAMLET_CHAOS
inline bug planted_bug = bug::none;
inline bool planted(bug which) noexcept { return planted_bug == which; }
#else
inline constexpr bool planted(bug) noexcept { return false; }
#endif

}  // namespace chaos
}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
