// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What is done to pixels; ways from colours to colours differ in nothing else.
enum class color_change : std::uint32_t { nv12, yuyv, swap, to_gray, from_gray };

/// Factors of products that are rounded to (a b + 2^14) >> 15: of luma in 1 / 2^14, of the
/// differences in 1 / 2^13, so that results are in 1 / 64. Numbers of kernels/dual/convert_color.k.
struct yuv_factors {
  std::int32_t luma_first, luma;  ///< black's luma
  std::int32_t red_v, green_u, green_v, blue_u;
};
/// Of red, green and blue in 1 / 2^15; together 2^15.
struct gray_factors {
  std::int32_t red, green, blue;
};

/// The parameters of `convert_color_on_cpu`. A row's bytes lie side by side.
struct cpu_convert_color {
  static constexpr std::uint64_t group_rows = 16;
  std::int64_t height = 0, width = 0, image_stride = 0, row_stride = 0;
  std::uint64_t rows = 0;  ///< of all results
  color_change what = color_change::swap;
  std::uint32_t is_bgr = 0;  ///< the side that has three channels
  yuv_factors yuv{};
  gray_factors gray{};
  std::uint64_t group_count() const noexcept { return divided_up(rows, group_rows); }
};

/// Bindings: the input from its first element on, and the output.
void convert_color_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
