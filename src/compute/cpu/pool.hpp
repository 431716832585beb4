// SPDX-License-Identifier: Apache-2.0
#pragma once

// Windows of one plane each, on the processor: pools, and convolutions whose groups have one input
// channel.

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/windows.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

enum class window_kind : std::uint32_t { maximum, average, weighted };

/// The parameters of `pool_on_cpu`. The output is dense; a group is some rows of one of its planes.
struct cpu_pool {
  cpu_windows windows;
  std::uint64_t channels = 1;    ///< of the output
  std::uint64_t multiplier = 1;  ///< channels of the output that one of the input makes
  std::int64_t image_step = 0, channel_step = 0;
  std::int64_t bias_step = 0;
  window_kind kind = window_kind::maximum;
  std::uint32_t counts_padding = 0, has_bias = 0;

  static constexpr std::int64_t group_elements = 16384;
  std::int64_t rows_of_group() const noexcept {
    const std::int64_t rows = group_elements / windows.out[1];
    return rows < 1 ? 1 : rows < windows.out[0] ? rows : windows.out[0];
  }
  std::uint64_t groups_of_plane() const noexcept {
    return static_cast<std::uint64_t>((windows.out[0] + rows_of_group() - 1) / rows_of_group());
  }
};

/// Bindings: the input, weights (dense, f32) and biases (f32) where there are any, and the output.
void pool_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
