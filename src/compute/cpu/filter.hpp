// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images filtered on the processor.

#include <array>
#include <cstddef>
#include <cstdint>

#include "beamlet/compute/ops.hpp"
#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `filter_on_cpu`. Work is cut into units: strips of rows, and tiles of those
/// where rows are long. The rows that a unit looks at become lines in scratch memory, in floats or
/// shorts and with what they show beyond the edges, so that sums have no special cases.
struct cpu_filter {
  static constexpr std::size_t coefficients_max = 2 * ops::separable_filter::size_max;
  static constexpr std::size_t lines_bytes = 16384, tile_elements_min = 1024;
  static constexpr std::int64_t strip_rows_min = 64;
  static constexpr std::uint64_t groups_max = 64;
  static constexpr std::uint32_t shift_max = 7;

  /// Sums of rows * columns terms; the same in two steps, along columns and along rows; the length
  /// of two sums.
  enum class form : std::uint32_t { plain, separable, magnitude };

  std::int64_t images = 0, height = 0, width = 0, channels = 0, image_stride = 0, row_stride = 0;
  std::int64_t tile_pixels = 0, tiles = 0, strip_rows = 0, strips = 0;
  std::uint64_t line_elements = 0;
  form how = form::plain;
  number from = number::f32, to = number::f32;
  ops::border edges = ops::border::constant;
  std::uint32_t rows = 0, columns = 0;
  /// Bytes as shorts, sums of which fit. They are 2^shift times too large: 0 or shift_max.
  std::uint32_t is_short = 0, shift = 0;
  /// rows * columns, twice that many, or those of a column and then of a row.
  std::array<float, coefficients_max> coefficients{};

  /// Makes two steps of one where the coefficients allow it, and shorts of floats, once those and
  /// the types are known.
  void choose_form() noexcept;
  /// Divides the work, once all else is known.
  void divide() noexcept;
  std::uint64_t units() const noexcept {
    return static_cast<std::uint64_t>(images * tiles * strips);
  }
  std::uint64_t group_count() const noexcept { return units() < groups_max ? units() : groups_max; }
  /// A line's pixels begin at a multiple of vectors, so this far behind its beginning comes what is
  /// shown left of them.
  std::size_t gap() const noexcept {
    constexpr std::size_t aligned = 32;
    const auto aside = static_cast<std::size_t>(columns / 2 * channels);
    return (aside + aligned - 1) / aligned * aligned - aside;
  }
  std::size_t line_bytes() const noexcept {
    return static_cast<std::size_t>(line_elements) * (is_short != 0 ? 2 : 4);
  }
  /// One line for each row that is looked at, and two for what comes in between.
  std::uint64_t scratch_bytes() const noexcept {
    return group_count() * (std::uint64_t{rows} + 2) * line_bytes();
  }

 private:
  bool make_separable() noexcept;
  bool make_short() noexcept;
};

/// Bindings: the images from their first element on, the output, and scratch_bytes() of scratch
/// memory.
void filter_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
