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
  static constexpr std::size_t lines_bytes = 32768, tile_elements_min = 1024;
  static constexpr std::int64_t strip_rows_min = 64;
  static constexpr std::uint64_t groups_max = 64;
  static constexpr std::uint32_t shift_max = 7;

  /// Sums of floats; the same with a row's and a column's coefficients; the length of two such
  /// sums; sums of shorts, 2^shift times too large, where `shift` is 0 or shift_max.
  enum class form : std::uint32_t { plain, separable, magnitude, shorts };

  std::int64_t images = 0, height = 0, width = 0, channels = 0, image_stride = 0, row_stride = 0;
  std::int64_t tile_pixels = 0, tiles = 0, strip_rows = 0, strips = 0;
  std::uint64_t line_elements = 0;
  form how = form::plain;
  number from = number::f32, to = number::f32;
  ops::border edges = ops::border::constant;
  std::uint32_t rows = 0, columns = 0, shift = 0;
  /// rows * columns, twice that many, or those of a column and then of a row.
  std::array<float, coefficients_max> coefficients{};

  /// Divides the work, once all else is known.
  void divide() noexcept;
  std::uint64_t units() const noexcept {
    return static_cast<std::uint64_t>(images * tiles * strips);
  }
  std::uint64_t group_count() const noexcept { return units() < groups_max ? units() : groups_max; }
  std::size_t line_bytes() const noexcept {
    return static_cast<std::size_t>(line_elements) * (how == form::shorts ? 2 : 4);
  }
  /// One line for each row that is looked at, and two for what comes in between.
  std::uint64_t scratch_bytes() const noexcept {
    return group_count() * (std::uint64_t{rows} + 2) * line_bytes();
  }
};

/// Bindings: the images from their first element on, the output, and scratch_bytes() of scratch
/// memory.
void filter_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
