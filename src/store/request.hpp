// SPDX-License-Identifier: Apache-2.0
#pragma once

// What waits to be admitted. A waiting request holds nothing: no memory, no pin. So two of them can
// never wait for each other.

#include <array>
#include <cstdint>
#include <list>
#include <vector>

#include "beamlet/base/time.hpp"
#include "store/actions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

struct request {
  enum class kind : std::uint8_t { lease, reserve, pins };
  enum class wait : std::uint8_t { turn, segment, memory, spill, pins, reading };

  kind what = kind::lease;
  wait blocked_by = wait::turn;
  session_id session = shared;
  std::uint64_t ticket = 0;
  std::uint64_t bytes = 0;  ///< in all
  base::time_ns deadline_ns = base::never_ns;
  std::vector<object_id> ids = {};  ///< the set; one for a reserve
  bool primary = false;             ///< of a reserve
  bool whole = false;               ///< a lease that is a segment of its own
  bool admitted = false;            ///< a set that holds its objects and waits for their bytes
  bool pressed = false;             ///< sessions were asked for memory on its behalf
  unsigned passed = 0;              ///< how many later ones were admitted before it
};

/// Who waits in which order. Leases are asked by work that runs and comes before what would start
/// more of it; so does a `get` (urgency 0) before arguments. A lane never waits for another, since
/// what runs must be able to end when what has not begun cannot.
inline constexpr std::size_t lane_count = 3;
using lanes = std::array<std::list<request>, lane_count>;

constexpr std::size_t lane_of(request::kind what, std::uint8_t urgency) noexcept {
  return what == request::kind::lease ? 0 : urgency == 0 ? 1 : 2;
}

/// The part of memory, in tenths, up to which a lane may pin: what has not begun leaves room for
/// the gets of what runs, and both leave room for leases.
inline constexpr std::array<std::uint64_t, lane_count> pin_tenths = {0, 8, 5};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
