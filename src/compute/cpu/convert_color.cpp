// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/convert_color.hpp"

#include <algorithm>
#include <cstddef>

#include "compute/cpu/color_avx2.hpp"
#include "compute/cpu/color_vbmi.hpp"
#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

std::int32_t color_product(std::int32_t a, std::int32_t b) { return (a * b + 16384) >> 15; }
std::uint8_t color_byte(std::int32_t sixty_fourths) {
  return static_cast<std::uint8_t>(std::clamp((sixty_fourths + 32) >> 6, 0, 255));
}

// One pixel, red first.
void color_of_yuv(const yuv_factors& f, int y, int u, int v, std::uint8_t* red, std::uint8_t* green,
                  std::uint8_t* blue) {
  const std::int32_t luma = color_product((y - f.luma_first) * 128, f.luma);
  const std::int32_t from_u = (u - 128) * 256, from_v = (v - 128) * 256;
  *red = color_byte(luma + color_product(from_v, f.red_v));
  *green = color_byte(luma - color_product(from_u, f.green_u) - color_product(from_v, f.green_v));
  *blue = color_byte(luma + color_product(from_u, f.blue_u));
}

void color_row_yuv(const cpu_convert_color& how, const yuv_row& row, std::int64_t from) {
  std::uint8_t* to = row.to + 3 * from;
  for (std::int64_t i = from; i < row.width; ++i, to += 3) {
    const std::uint8_t* uv = row.uv + i / 2 * (how.what == color_change::nv12 ? 2 : 4);
    const int y = row.y[how.what == color_change::nv12 ? i : 2 * i];
    const int u = uv[0], v = uv[how.what == color_change::nv12 ? 1 : 2];
    color_of_yuv(how.yuv, y, u, v, to + (how.is_bgr ? 2 : 0), to + 1, to + (how.is_bgr ? 0 : 2));
  }
}

void color_row_plain(const cpu_convert_color& how, const std::uint8_t* in, std::int64_t from,
                     std::uint8_t* out) {
  for (std::int64_t i = from; i < how.width; ++i) {
    if (how.what == color_change::from_gray) {
      std::fill_n(out + 3 * i, 3, in[i]);
    } else if (how.what == color_change::swap) {
      std::reverse_copy(in + 3 * i, in + 3 * i + 3, out + 3 * i);
    } else {
      const int first = in[3 * i], last = in[3 * i + 2];
      const int red = how.is_bgr ? last : first, blue = how.is_bgr ? first : last;
      out[i] = static_cast<std::uint8_t>(
          (red * how.gray.red + in[3 * i + 1] * how.gray.green + blue * how.gray.blue + 16384) >>
          15);
    }
  }
}

}  // namespace

void convert_color_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_convert_color>();
  const auto height = static_cast<std::uint64_t>(how.height);
  const bool is_yuv = how.what == color_change::nv12 || how.what == color_change::yuyv;
  const std::uint64_t end = std::min(how.rows, last * cpu_convert_color::group_rows);
  const std::int64_t channels = how.what == color_change::to_gray ? 1 : 3;
#if BEAMLET_X86_64
  const bool has_vectors = call.set >= isa::avx2, has_shuffles = has_byte_shuffles(call.set);
#endif
  for (std::uint64_t r = first * cpu_convert_color::group_rows; r < end; ++r) {
    const auto y = static_cast<std::int64_t>(r % height);
    const std::uint8_t* image = call.buffer<const std::uint8_t>(0) +
                                static_cast<std::int64_t>(r / height) * how.image_stride;
    const std::uint8_t* in = image + y * how.row_stride;
    std::uint8_t* out =
        call.buffer<std::uint8_t>(1) + static_cast<std::int64_t>(r) * how.width * channels;
    std::int64_t done = 0;
    if (is_yuv) {
      const std::uint8_t* uv =
          how.what == color_change::nv12 ? image + (how.height + y / 2) * how.row_stride : in + 1;
      const yuv_row row{in, uv, how.width, out};
#if BEAMLET_X86_64
      if (has_shuffles) done = color_row_yuv_vbmi(how, row);
      if (has_vectors && done == 0) done = color_row_yuv_avx2(how, row);
#endif
      color_row_yuv(how, row, done);
    } else {
#if BEAMLET_X86_64
      if (has_shuffles && how.what != color_change::swap) done = color_row_gray_vbmi(how, in, out);
      if (has_vectors && done == 0) done = color_row_plain_avx2(how, in, out);
#endif
      color_row_plain(how, in, done, out);
    }
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
