// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of elements on the processor: a block of a thousand at a time goes through all steps of
// a chain while it is in the L1 cache.

#include <array>
#include <cstdint>

#include "beamlet/compute/ops.hpp"
#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `elementwise_on_cpu`. The output is dense.
struct cpu_elementwise {
  static constexpr std::size_t rank_max = dimensions::count_max;
  static constexpr std::uint64_t group_elements = 16384;

  std::uint64_t count = 0;
  std::uint32_t inputs = 0, steps = 0, rank = 0, is_f16 = 0;
  std::array<std::int64_t, rank_max> size{};
  std::array<std::array<std::int64_t, rank_max>, ops::elementwise::inputs_max> stride{};
  std::array<ops::step, ops::elementwise::steps_max> step{};
};

/// Bindings: the inputs, each from its first element on, and the output.
void elementwise_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
