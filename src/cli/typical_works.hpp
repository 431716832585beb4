// SPDX-License-Identifier: Apache-2.0
#pragma once

// What devices would be chosen for: works as cameras, filters and networks bring them, and how long
// each device is expected to take.

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "compute/choice.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cli {

struct expected_work {
  static constexpr std::size_t nobody = SIZE_MAX;
  static constexpr double never = std::numeric_limits<double>::infinity();

  std::string name;
  /// By device: with inputs brought there and results brought back; `never`: it cannot run it.
  std::vector<double> ns;
  std::size_t chosen = nobody;  ///< done first, of those that may be chosen
};

/// Thread: any.   Blocks: no.
std::vector<expected_work> expect_typical_works(const compute::device_choice& choice);

}  // namespace cli
}  // namespace BEAMLET_ABI
}  // namespace beamlet
