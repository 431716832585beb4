// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `cast_on_cpu`. The output is dense.
struct cpu_cast {
  static constexpr std::uint64_t group_elements = 16384;
  std::uint64_t count = 0;
  strided where;
  number from = number::f32, to = number::f32;
  float scale = 1, offset = 0;
};

/// Bindings: the input from its first element on, and the output.
void cast_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
