// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/histogram.hpp"

#include <algorithm>
#include <array>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Several tables: a count that was just written is not read by the next pixel of the same value.
constexpr std::size_t histogram_tables = 4, histogram_values = 256;
using histogram_table = std::array<std::int32_t, histogram_values>;

void count_run(const std::uint8_t* from, std::ptrdiff_t stride, std::ptrdiff_t count,
               std::array<histogram_table, histogram_tables>& tables) {
  constexpr auto at_once = static_cast<std::ptrdiff_t>(histogram_tables);
  std::ptrdiff_t i = 0;
  for (; i + at_once <= count; i += at_once) {
    const std::uint8_t* x = from + i * stride;
    ++tables[0][x[0]];
    ++tables[1][x[stride]];
    ++tables[2][x[2 * stride]];
    ++tables[3][x[3 * stride]];
  }
  for (; i < count; ++i) ++tables[0][from[i * stride]];
}

void count_piece(const cpu_histogram& how, const std::uint8_t* image, std::int64_t first,
                 std::int64_t last, std::int32_t* out) {
  const auto channels = static_cast<std::ptrdiff_t>(how.channels);
  for (std::ptrdiff_t c = 0; c < channels; ++c, out += how.bins) {
    std::array<histogram_table, histogram_tables> tables{};
    for (std::int64_t pixel = first; pixel < last;) {
      const std::int64_t column = pixel % how.width;
      const std::int64_t run = std::min(last - pixel, how.width - column);
      const auto row = static_cast<std::ptrdiff_t>(pixel / how.width * how.row_stride);
      count_run(image + row + static_cast<std::ptrdiff_t>(column) * channels + c, channels,
                static_cast<std::ptrdiff_t>(run), tables);
      pixel += run;
    }
    std::fill_n(out, how.bins, 0);
    for (std::size_t value = 0; value < histogram_values; ++value)
      for (const histogram_table& table : tables)
        out[value * how.bins / histogram_values] += table[value];
  }
}

}  // namespace

void histogram_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& how = call.parameters_as<cpu_histogram>();
  const auto counts = static_cast<std::ptrdiff_t>(how.counts());
  for (std::uint64_t g = first; g < last; ++g) {
    const auto group = static_cast<std::int64_t>(g);
    std::int32_t* out = call.buffer<std::int32_t>(1) + static_cast<std::ptrdiff_t>(group) * counts;
    if (how.is_sum != 0) {
      const auto pieces = static_cast<std::ptrdiff_t>(how.pieces);
      const auto* from =
          call.buffer<const std::int32_t>(0) + static_cast<std::ptrdiff_t>(group) * pieces * counts;
      std::copy_n(from, counts, out);
      for (std::ptrdiff_t p = 1; p < pieces; ++p)
        for (std::ptrdiff_t k = 0; k < counts; ++k) out[k] += from[p * counts + k];
      continue;
    }
    const std::int64_t begin = group % how.pieces * how.piece;
    const std::int64_t end = std::min(begin + how.piece, how.height * how.width);
    const auto at = static_cast<std::ptrdiff_t>(group / how.pieces * how.image_stride);
    count_piece(how, call.buffer<const std::uint8_t>(0) + at, begin, end, out);
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
