// SPDX-License-Identifier: Apache-2.0
// How many runs a simulation tries, and how long a chain is.
#pragma once

#include <algorithm>
#include <cstdint>

/// `natively` runs; where an emulator or the thread sanitizer makes a simulation of one thread slow
/// and finds nothing more in it, the share of them that the build asks for.
constexpr std::uint64_t seeds(std::uint64_t natively) {
  return std::max<std::uint64_t>(1, natively * BEAMLET_TEST_SEEDS / 100);
}
