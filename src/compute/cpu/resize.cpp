// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/resize.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "compute/cpu/images_avx2.hpp"
#include "compute/cpu/images_vbmi.hpp"
#include "compute/cpu/isa.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Rows that share one table of columns, where a row has more columns than a table.
constexpr std::uint64_t resize_strip_rows = 64;

// Numerator over denominator of a place among source pixels, for one target pixel after another.
struct resize_place {
  std::int64_t whole, rest;
  std::int64_t step_whole, step_rest, denominator;

  // Half-pixel centres: (x + 1/2) in / out - 1/2.
  resize_place(std::int64_t in, std::int64_t out, std::int64_t x)
      : step_whole(in / out), step_rest(in % out * 2), denominator(2 * out) {
    const std::int64_t numerator = (2 * x + 1) * in - out;
    whole = numerator < 0 ? -1 : numerator / denominator;
    rest = numerator - whole * denominator;
  }
  void next() {
    whole += step_whole;
    rest += step_rest;
    if (rest < denominator) return;
    rest -= denominator;
    ++whole;
  }
};

// The two pixels between which a target pixel lies, and how far it is from the first.
struct resize_taps {
  std::int64_t first, second;
  std::int64_t numerator;  // of the weight; over 2 out
};
resize_taps taps_of(const resize_place& at, std::int64_t in) {
  if (at.whole < 0) return {0, 0, 0};
  if (at.whole >= in - 1) return {in - 1, in - 1, 0};
  return {at.whole, at.whole + 1, at.rest};
}
// A weight in units of 1 / `one`, rounded. floor((n + 1/2) / d) of doubles is that of integers, as
// both have far fewer than 53 bits.
std::int32_t whole_weight(std::int64_t numerator, double one, double denominator) {
  const double scaled = static_cast<double>(numerator) * one + denominator / 2;
  return static_cast<std::int32_t>((scaled + 0.5) / denominator);
}

const std::byte* row_of(const cpu_resize& how, const std::byte* in, std::uint64_t image,
                        std::int64_t y) {
  const std::int64_t elements =
      static_cast<std::int64_t>(image) * how.image_stride + y * how.row_stride;
  return in + static_cast<std::ptrdiff_t>(elements * (how.is_u8 ? 1 : 4));
}

// Calls row(y, image's number, first byte of the target's row), for strips of rows, after
// columns(first, count) of each block of columns.
template <class Columns, class Row>
void for_each_strip(const cpu_resize& how, std::uint64_t first, std::uint64_t end,
                    std::int64_t block, const Columns& columns, const Row& row) {
  std::int64_t known = -1;
  for (std::uint64_t strip = first; strip < end; strip += resize_strip_rows) {
    const std::uint64_t strip_end = std::min(end, strip + resize_strip_rows);
    for (std::int64_t x = 0; x < how.out_width; x += block) {
      const std::int64_t count = std::min(block, how.out_width - x);
      if (known != x) columns(x, count);
      known = x;
      for (std::uint64_t r = strip; r < strip_end; ++r) {
        const auto height = static_cast<std::uint64_t>(how.out_height);
        row(r, r / height, static_cast<std::int64_t>(r % height), x, count);
      }
    }
  }
}

// -- nearest

// How many of a block's pixels may be read and written `read` and `written` elements at a time.
std::int64_t roomy_pixels(const cpu_resize& how, const std::int64_t* first, std::int64_t x,
                          std::int64_t count, std::int64_t read, std::int64_t written) {
  std::int64_t most =
      std::min(count, (how.out_width * how.channels - written) / how.channels + 1 - x);
  if (how.out_width * how.channels < written) most = 0;
  while (most > 0 && first[most - 1] + read > how.in_width * how.channels) --most;
  return std::max<std::int64_t>(most, 0);
}

// `Moved` bytes of each, of which the next pixel's overwrite those that are not its own.
template <std::size_t Bytes, std::size_t Moved = Bytes>
void pick_pixels(const std::byte* from, const std::int64_t* offset, std::int64_t count,
                 std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + static_cast<std::size_t>(i) * Bytes, from + offset[i], Moved);
}

// Pixel floor(x in / out), or the one that all others are away from by whole pixels.
std::int64_t pixel_near(std::int64_t x, std::int64_t in, std::int64_t out, bool is_middle) {
  return is_middle ? ((2 * x + 1) * in - out) / (2 * out) : x * in / out;
}

// So many bytes are picked at once from 128 of a row; 0: so few that it is no gain, or the row is
// shorter.
std::int64_t bytes_at_once(const cpu_resize& how, std::int64_t pixel_bytes) {
  if (pixel_bytes > 4 || how.in_width * pixel_bytes < 128) return 0;
  for (const std::int64_t bytes : {64, 32}) {
    const std::int64_t apart = (bytes + pixel_bytes - 2) / pixel_bytes;  // pixels, at most
    if ((apart * how.in_width / how.out_width + 2) * pixel_bytes <= 128) return bytes;
  }
  return 0;
}
void set_picks(const std::int64_t* offset, std::int64_t count, std::int64_t pixel_bytes,
               std::int64_t row_bytes, image_picks& to) {
  for (std::int64_t begin = 0, v = 0; begin < count * pixel_bytes; begin += to.bytes, ++v) {
    to.first[v] = std::min(offset[begin / pixel_bytes], row_bytes - 128);
    for (std::int64_t i = 0; i < to.bytes; ++i) {
      const std::int64_t pixel = std::min((begin + i) / pixel_bytes, count - 1);
      to.at[v][i] =
          static_cast<std::uint8_t>(offset[pixel] + (begin + i) % pixel_bytes - to.first[v]);
    }
  }
}

void resize_nearest(isa set, const cpu_resize& how, const std::byte* in, std::byte* out,
                    std::uint64_t first, std::uint64_t end) {
  constexpr std::int64_t block = 512;
  static_assert(block * 4 <= 32 * image_picks::vectors_max);
  std::int64_t offset[block], roomy = 0;
  image_picks picks;
  const bool is_middle = how.how == ops::resize::method::bilinear;
  const std::size_t bytes = static_cast<std::size_t>(how.channels) * (how.is_u8 ? 1 : 4);
  const auto pixel_bytes = static_cast<std::int64_t>(bytes);
  if (has_byte_shuffles(set)) picks.bytes = bytes_at_once(how, pixel_bytes);
  const auto columns = [&](std::int64_t x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      offset[i] = pixel_near(x + i, how.in_width, how.out_width, is_middle) *
                  static_cast<std::int64_t>(bytes);
    if (picks.bytes > 0) set_picks(offset, count, pixel_bytes, how.in_width * pixel_bytes, picks);
    if (bytes == 3) roomy = roomy_pixels(how, offset, x, count, 4, 4);
  };
  const auto row = [&](std::uint64_t r, std::uint64_t image, std::int64_t y, std::int64_t x,
                       std::int64_t count) {
    const std::byte* from =
        row_of(how, in, image, pixel_near(y, how.in_height, how.out_height, is_middle));
    std::byte* to =
        out + static_cast<std::size_t>(static_cast<std::int64_t>(r) * how.out_width + x) * bytes;
#if BEAMLET_X86_64
    if (picks.bytes > 0)
      return pick_bytes_vbmi(picks, reinterpret_cast<const std::uint8_t*>(from),
                             count * pixel_bytes, reinterpret_cast<std::uint8_t*>(to));
#endif
    switch (bytes) {
      case 1: return pick_pixels<1>(from, offset, count, to);
      case 3:
        pick_pixels<3, 4>(from, offset, roomy, to);
        return pick_pixels<3>(from, offset + roomy, count - roomy, to + roomy * 3);
      case 4: return pick_pixels<4>(from, offset, count, to);
      case 12: return pick_pixels<12>(from, offset, count, to);
      default:
        for (std::int64_t i = 0; i < count; ++i, to += bytes)
          std::memcpy(to, from + offset[i], bytes);
    }
  };
  for_each_strip(how, first, end, block, columns, row);
}

// Do all pixels lie on one of the source's, or cover a part of one?
bool is_picked(const cpu_resize& how) {
  const auto is_picked_of = [&](std::int64_t in, std::int64_t out) {
    if (how.how == ops::resize::method::area) return out % in == 0;
    return in % out == 0 && in / out % 2 == 1;
  };
  return how.how == ops::resize::method::nearest ||
         (is_picked_of(how.in_width, how.out_width) && is_picked_of(how.in_height, how.out_height));
}

// -- bilinear

struct resize_columns {
  static constexpr std::int64_t block = 512;
  std::int64_t first[block];  // elements from the row's beginning
  std::uint32_t weight[block];
  // As image_blend has them.
  std::int8_t odd_bytes[8 * block];
  bool has_pairs;

  void find_pairs(std::int64_t channels, std::int64_t count) {
    has_pairs = true;
    for (std::int64_t i = 0; i + 1 < count; i += 2) {
      const std::int64_t apart = first[i + 1] - first[i];
      if (apart + 2 * channels > 16) {
        has_pairs = false;
        return;
      }
      std::int8_t* at = odd_bytes + 8 * i;
      std::fill_n(at, 16, std::int8_t{-1});
      for (std::int64_t c = 0; c < channels; ++c) {
        at[4 * c] = static_cast<std::int8_t>(apart + c);
        at[4 * c + 2] = static_cast<std::int8_t>(apart + channels + c);
      }
    }
  }

  void set(const cpu_resize& how, std::int64_t x, std::int64_t count) {
    resize_place at(how.in_width, how.out_width, x);
    const auto denominator = static_cast<double>(at.denominator);
    for (std::int64_t i = 0; i < count; ++i, at.next()) {
      const resize_taps taps = taps_of(at, how.in_width);
      first[i] = taps.first * how.channels;
      if (how.is_u8) {
        const auto w = static_cast<std::uint32_t>(whole_weight(taps.numerator, 16384, denominator));
        weight[i] = (16384 - w) | w << 16;
      } else {
        weight[i] = std::bit_cast<std::uint32_t>(
            static_cast<float>(static_cast<double>(taps.numerator) / denominator));
      }
    }
  }
};

// The result is the same on every device: see ops.hpp, kernels/dual/resize.k.
void blend_pixels_u8(const image_blend& b, std::int64_t from, std::int64_t end) {
  for (std::int64_t i = from; i < end; ++i) {
    const std::uint8_t *above = b.above + b.first[i], *below = b.below + b.first[i];
    const std::int64_t right = b.first[i] + b.channels < b.row_elements ? b.channels : 0;
    const auto left_weight = static_cast<std::int32_t>(b.weight[i] & 0xffff);
    const auto right_weight = static_cast<std::int32_t>(b.weight[i] >> 16);
    const auto between = [&](std::int64_t at) {
      const std::int32_t p = above[at], q = below[at];
      return p * 128 + (((q - p) * 128 * b.down + 16384) >> 15);
    };
    for (std::int64_t c = 0; c < b.channels; ++c)
      b.to[i * b.channels + c] = static_cast<std::uint8_t>(
          (between(c) * left_weight + between(right + c) * right_weight + (1 << 20)) >> 21);
  }
}

// Four floats a pixel, of which the next pixel's overwrite those that are not its own.
struct resize_blend_f32 {
  const float *above, *below;
  const std::int64_t* first;
  const std::uint32_t* weight;
  float down;
  std::int64_t channels, count;
  float* to;

  template <int N>
  BEAMLET_IN_LOOPS void run() const {
    const floats<4> v = down;
    for (std::int64_t i = 0; i < count; ++i) {
      const float *a = above + first[i], *b = below + first[i];
      const floats<4> u = std::bit_cast<float>(weight[i]);
      const floats<4> left = floats<4>::load(a), left_below = floats<4>::load(b);
      const floats<4> right = floats<4>::load(a + channels),
                      right_below = floats<4>::load(b + channels);
      const floats<4> top = left + (right - left) * u;
      const floats<4> bottom = left_below + (right_below - left_below) * u;
      (top + (bottom - top) * v).store(to + i * channels);
    }
  }
};

void blend_pixels_f32(const resize_blend_f32& b, std::int64_t from, std::int64_t end,
                      std::int64_t row_elements) {
  for (std::int64_t i = from; i < end; ++i) {
    const float *above = b.above + b.first[i], *below = b.below + b.first[i];
    const std::int64_t right = b.first[i] + b.channels < row_elements ? b.channels : 0;
    const float u = std::bit_cast<float>(b.weight[i]);
    for (std::int64_t c = 0; c < b.channels; ++c) {
      const float top = above[c] + (above[right + c] - above[c]) * u;
      const float bottom = below[c] + (below[right + c] - below[c]) * u;
      b.to[i * b.channels + c] = top + (bottom - top) * b.down;
    }
  }
}

void resize_bilinear(const cpu_call& call, const cpu_resize& how, std::uint64_t first,
                     std::uint64_t end) {
  resize_columns table;
  std::int64_t roomy = 0;
  const bool has_vectors = how.channels <= 4;
  const auto columns = [&](std::int64_t x, std::int64_t count) {
    table.set(how, x, count);
    table.has_pairs = false;
    if (how.is_u8 && has_vectors) table.find_pairs(how.channels, count);
    const std::int64_t read = !how.is_u8 ? how.channels + 4 : table.has_pairs ? 16 : 8;
    const std::int64_t written = how.is_u8 ? 8 + 2 * how.channels : 4;
    roomy = has_vectors ? roomy_pixels(how, table.first, x, count, read, written) : 0;
  };
  const auto row = [&](std::uint64_t r, std::uint64_t image, std::int64_t y, std::int64_t x,
                       std::int64_t count) {
    const resize_place at(how.in_height, how.out_height, y);
    const resize_taps taps = taps_of(at, how.in_height);
    const std::byte* in = call.buffer<const std::byte>(0);
    const std::byte *above = row_of(how, in, image, taps.first),
                    *below = row_of(how, in, image, taps.second);
    const std::int64_t to = (static_cast<std::int64_t>(r) * how.out_width + x) * how.channels;
    const auto denominator = static_cast<double>(at.denominator);
    const std::int64_t row_elements = how.in_width * how.channels;
    if (how.is_u8) {
      const std::int32_t down =
          std::min(whole_weight(taps.numerator, 32768, denominator), std::int32_t{32767});
      const image_blend b{reinterpret_cast<const std::uint8_t*>(above),
                          reinterpret_cast<const std::uint8_t*>(below),
                          table.first,
                          table.weight,
                          table.has_pairs ? table.odd_bytes : nullptr,
                          down,
                          how.channels,
                          row_elements,
                          call.buffer<std::uint8_t>(1) + to};
      std::int64_t done = 0;
#if BEAMLET_X86_64
      if (call.set >= isa::avx2 && roomy > 0) done = blend_pixels_avx2(b, roomy);
#endif
      return blend_pixels_u8(b, done, count);
    }
    const resize_blend_f32 b{reinterpret_cast<const float*>(above),
                             reinterpret_cast<const float*>(below),
                             table.first,
                             table.weight,
                             static_cast<float>(static_cast<double>(taps.numerator) / denominator),
                             how.channels,
                             roomy,
                             call.buffer<float>(1) + to};
    run_for(call.set, b);
    blend_pixels_f32(b, roomy, count, row_elements);
  };
  for_each_strip(how, first, end, resize_columns::block, columns, row);
}

}  // namespace

void resize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_resize>();
  const std::uint64_t begin = first * cpu_resize::group_rows,
                      end = std::min(how.rows, last * cpu_resize::group_rows);
  if (begin >= end || how.out_width == 0 || how.channels == 0) return;
  if (is_picked(how))
    return resize_nearest(call.set, how, call.buffer<const std::byte>(0), call.buffer<std::byte>(1),
                          begin, end);
  if (how.is_u8 != 0 && resize_taps_on_cpu(call, how, begin, end)) return;
  if (how.how == ops::resize::method::bilinear) return resize_bilinear(call, how, begin, end);
  resize_area_on_cpu(call, how, begin, end);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
