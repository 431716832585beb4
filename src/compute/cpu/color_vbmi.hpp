// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of colours with 64 bytes a vector and shuffles of single bytes, where has_byte_shuffles().
// Each function does the beginning of a row, says how many pixels, and leaves the rest to plain
// C++, which gives the same bytes.

#include <cstdint>

#include "beamlet/config.hpp"
#include "compute/cpu/color_avx2.hpp"
#include "compute/cpu/convert_color.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

#if BEAMLET_X86_64
std::int64_t color_row_yuv_vbmi(const cpu_convert_color& how, const yuv_row& row) noexcept;
/// To and from gray.
std::int64_t color_row_gray_vbmi(const cpu_convert_color& how, const std::uint8_t* in,
                                 std::uint8_t* out) noexcept;
#endif

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
