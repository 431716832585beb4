// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "beamlet/compute/ops.hpp"
#include "compute/backend.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `resize_on_cpu`. Pixels of a row lie side by side; strides count elements.
struct cpu_resize {
  static constexpr std::uint64_t group_rows = 16;
  std::int64_t in_height = 0, in_width = 0, out_height = 0, out_width = 0, channels = 0;
  std::int64_t image_stride = 0, row_stride = 0;
  std::uint64_t rows = 0;  ///< of all results
  ops::resize::method how = ops::resize::method::nearest;
  std::uint32_t is_u8 = 0, is_whole = 0;  ///< is_whole: areas are summed as integers
  std::uint64_t group_count() const noexcept { return divided_up(rows, group_rows); }
};

/// Bindings: the input from its first element on, and the output.
void resize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// The rows from `first` to `end` - 1 of all results, as means of areas.
void resize_area_on_cpu(const cpu_call& call, const cpu_resize& how, std::uint64_t first,
                        std::uint64_t end);

/// Bytes where weights are few and whole, as means of areas or between pixels; false: they are not.
bool resize_taps_on_cpu(const cpu_call& call, const cpu_resize& how, std::uint64_t first,
                        std::uint64_t end);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
