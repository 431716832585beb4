// SPDX-License-Identifier: Apache-2.0
#pragma once

// Windows that slide over planes, for convolutions and pools on the processor: parts of a plane are
// copied so that what one place of the window reads, of neighbours in a row of the output, lies
// side by side, with what is around the plane filled in.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Pairs are down and across.
struct cpu_windows {
  using pair = std::array<std::int64_t, 2>;
  /// Floats of the widest vector.
  static constexpr std::int64_t vector_columns = 16;

  pair in{}, out{};  ///< of a plane
  pair size{1, 1}, stride{1, 1}, dilation{1, 1};
  pair before{};  ///< rows above, columns to the left
  pair step{};    ///< elements from one row, and one column, of the input to the next
  number type = number::f32;
  /// Is the part of a plane always copied? It has to be where there is padding.
  std::uint32_t is_copied = 0;

  /// Rows, or columns, of the padded input that one window reaches over.
  std::int64_t reach(std::size_t d) const noexcept { return (size[d] - 1) * dilation[d] + 1; }
  /// Can plane_part read the input where it is?
  bool is_read_in_place() const noexcept {
    return type == number::f32 && step[1] == 1 && stride[1] == 1 && is_copied == 0;
  }
};

/// A block of the output.
struct output_part {
  std::int64_t row = 0, rows = 0, column = 0, columns = 0;
};

/// What a block of the output needs of one plane.
class plane_part {
 public:
  /// Floats that load() needs for such a block: more than 2^32 where there are more.
  static std::uint64_t floats(const cpu_windows& of, std::int64_t rows,
                              std::int64_t columns) noexcept;

  /// The plane's rows, or a copy of them in `memory`, with `around` outside of it. Of a copy of
  /// few columns, a whole vector may be read.
  void load(isa set, const cpu_windows& of, const std::byte* plane, const output_part& part,
            float around, float* memory) noexcept;

  /// What place (i, j) of the window reads for the part's first column of its row `row`; the other
  /// columns' are behind it.
  const float* at(std::int64_t row, std::int64_t i, std::int64_t j) const noexcept {
    return row_at(row, i) + column_at(j);
  }
  const float* row_at(std::int64_t row, std::int64_t i) const noexcept {
    const std::int64_t down = row * of_->stride[0] + i * of_->dilation[0];
    return first_ + static_cast<std::ptrdiff_t>(down * row_);
  }
  std::ptrdiff_t column_at(std::int64_t j) const noexcept {
    const std::int64_t across = j * of_->dilation[1], phases = of_->stride[1];
    return static_cast<std::ptrdiff_t>(phases == 1 ? across
                                                   : across % phases * phase_ + across / phases);
  }
  /// Floats from a row of the output to what the next one reads.
  std::ptrdiff_t row_step() const noexcept {
    return static_cast<std::ptrdiff_t>(of_->stride[0] * row_);
  }

 private:
  const cpu_windows* of_ = nullptr;
  const float* first_ = nullptr;
  std::int64_t row_ = 0, phase_ = 0;  // from one to the next
};

/// `count` elements of a plane's row, every `by`-th one from `column` on, as floats: any row and
/// columns, for outside is `around`.
void load_window_row(isa set, const cpu_windows& of, const std::byte* plane, std::int64_t row,
                     std::int64_t column, std::int64_t by, std::size_t count, float around,
                     float* to) noexcept;

template <std::size_t Count>
inline void copy_floats(const float* from, float* to) {
  std::memcpy(to, from, Count * sizeof(float));
}

/// Of some tens of floats at most: pieces of sizes that the compiler knows, the last ones overlap.
/// A call of memcpy takes as long as such a copy. `count` > 0.
inline void copy_few(const float* from, std::size_t count, float* to) {
  if (count >= 8) {
    for (std::size_t i = 0; i + 8 <= count; i += 8) copy_floats<8>(from + i, to + i);
    if (count % 8 != 0) copy_floats<8>(from + count - 8, to + count - 8);
  } else if (count >= 4) {
    copy_floats<4>(from, to);
    copy_floats<4>(from + count - 4, to + count - 4);
  } else if (count >= 2) {
    copy_floats<2>(from, to);
    copy_floats<2>(from + count - 2, to + count - 2);
  } else {
    copy_floats<1>(from, to);
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
