// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of colours, as AVX2 has instructions for them. Each function does the beginning of a row,
// says how many pixels, and leaves the rest to plain C++, which gives the same bytes.

#include <cstdint>

#include "beamlet/config.hpp"
#include "compute/cpu/convert_color.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Of NV12 the luma and the pairs of differences; of YUYV the same row, and one byte further.
struct yuv_row {
  const std::uint8_t *y, *uv;
  std::int64_t width;
  std::uint8_t* to;
};

#if BEAMLET_X86_64
std::int64_t color_row_yuv_avx2(const cpu_convert_color& how, const yuv_row& row) noexcept;
/// All others.
std::int64_t color_row_plain_avx2(const cpu_convert_color& how, const std::uint8_t* in,
                                  std::uint8_t* out) noexcept;
#endif

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
