// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `crop_normalize_on_cpu`. Pixels of a row lie side by side; strides count
/// elements.
struct cpu_crop_normalize {
  static constexpr std::int64_t group_rows = 16, channels_max = 4;
  std::int64_t in_height = 0, in_width = 0, channels = 0, row_stride = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::uint64_t crops = 0;
  std::array<std::int64_t, 2> box_strides{};
  std::uint32_t has_boxes = 0, is_channels_first = 0;
  number to = number::f32;
  std::array<float, channels_max> factor{}, offset{};
  std::uint64_t groups_each() const noexcept {
    return divided_up(static_cast<std::uint64_t>(out_height), group_rows);
  }
};

/// Bindings: the image from its first element on, the boxes or anything, and the output.
void crop_normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
