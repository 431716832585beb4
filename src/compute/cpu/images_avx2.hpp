// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of images of bytes, as AVX2 has instructions for them. Each function does a part of a row,
// says how many pixels, and leaves the rest to plain C++, which gives the same bytes.

#include <cstddef>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Pixels of a row between four others each. Pixel i is between those at element first[i] and the
/// next in two rows; the lower half of weight[i] is the first's in 1 / 16384, the upper one that of
/// the next. `down` is the row below's, in 1 / 32768.
struct image_blend {
  const std::uint8_t *above, *below;
  const std::int64_t* first;
  const std::uint32_t* weight;
  /// Where 16 bytes that begin at an even pixel's first have the odd one's, as pshufb wants it: 16
  /// for each two pixels; null: they do not.
  const std::int8_t* odd_bytes;
  std::int32_t down;
  std::int64_t channels, row_elements;
  std::uint8_t* to;
};

/// Pixels of a row, each a sum of up to four source pixels side by side, times whole numbers. They
/// are made in lanes of up to 8 elements, for each of which 16 bytes are loaded, and 16 more for
/// the third and fourth source pixel; lanes come in pairs, and repeat `step` bytes further on.
struct image_taps {
  static constexpr std::size_t lanes_max = 256;
  struct pair {
    std::int8_t at[32];      ///< pshufb's: two source elements for each element; -1: none
    std::int8_t weight[32];  ///< of each; what they make stays below 2^15
  };
  std::int64_t channels = 0, lane_elements = 0, lanes = 0, step = 0, passes = 1;
  std::int32_t first[lanes_max];  ///< bytes from the row's beginning
  pair pairs[lanes_max];          ///< lanes / 2 times `passes`

  std::int64_t first_of(std::int64_t lane) const noexcept {
    return first[lane % lanes] + lane / lanes * step;
  }
};
/// Sums as parts of `divisor`, rounded halves up. Where all sums fit 16 bits it is
/// (sum + divisor / 2) * factor >> (16 + shift), else factor is 0. Where they fit 15 and few bits
/// are enough it is (sum * rounded + 2^14) >> 15 as well, which is one instruction, else rounded
/// is 0.
struct image_division {
  std::uint32_t divisor = 0, factor = 0, shift = 0, rounded = 0;
};
/// Up to four rows of sums, times whole numbers.
struct image_sums {
  const std::uint16_t* rows[4];
  std::uint16_t weights[4];
  int count;
  image_division divide;
};

#if BEAMLET_X86_64
/// Pairs of lanes from `first` to `end` - 1 of the row whose byte `begin` lies at `row`. Each lane
/// writes 8 shorts.
void sum_taps_avx2(const image_taps& t, const std::uint8_t* row, std::int64_t begin,
                   std::int64_t first, std::int64_t end, std::uint16_t* to) noexcept;
/// REQUIRES: up to 31 elements behind the rows' last may be read.
void sum_rows_avx2(const image_sums& s, std::int64_t elements, std::uint8_t* to) noexcept;

/// REQUIRES: channels <= 4; of each of `count` pixels 8 bytes (with odd_bytes 16) from its first on
/// may be read, and 8 + 2 channels be written.
std::int64_t blend_pixels_avx2(const image_blend& b, std::int64_t count) noexcept;

/// sums[i] (+)= weight[0] rows[0][i] + weight[1] rows[1][i] + ... of `count` <= 4 rows; `is_first`:
/// without what is there. Sums stay below 2^16. Returns how many elements.
std::int64_t add_rows_avx2(const std::uint8_t* const* rows, const std::uint16_t* weights,
                           int row_count, bool is_first, std::int64_t elements,
                           std::uint16_t* sums) noexcept;

/// Along a row: target pixels `first` to `end` - 1 cover `in` units each of source pixels that have
/// `out`. Their sums by channel, as parts of `divisor`, rounded halves up. REQUIRES: channels <= 4;
/// 8 bytes behind the sums may be read, 16 behind the result be written; sums below 2^22.
struct image_means {
  const std::uint16_t* sums;
  std::int64_t channels, in, out;
  std::uint32_t divisor;
};
void mean_pixels_avx2(const image_means& m, std::int64_t first, std::int64_t end,
                      std::uint8_t* to) noexcept;
#endif

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
