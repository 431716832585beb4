// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the ops on images have in common.

#include <cstddef>
#include <cstdint>
#include <span>

#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// More rows or columns are refused: products of two such numbers and a few bits fit everywhere.
inline constexpr std::int64_t image_side_max = std::int64_t{1} << 30;

/// An operand as [count, height, width, channels]. Strides count elements, and are 0 where there is
/// no second index.
struct image_view {
  slot memory;
  operand what;
  std::int64_t count = 1, height = 1, width = 1, channels = 1;
  std::int64_t image_stride = 0, row_stride = 0, pixel_stride = 0, channel_stride = 0;

  /// The last `own` dimensions are height, width and, of 3, channels. Copies the operand first
  /// where the dimensions before do not lie along one stride; on the processor, and where
  /// `needs_dense_rows` says so, also where a row's elements do not lie side by side.
  static result<image_view> of(planner& to, slot memory, const operand& what, std::size_t own,
                               bool needs_dense_rows = false);

 private:
  bool make(std::size_t own);
  bool has_dense_rows() const noexcept;
};

/// One input, of images [..., height, width, channels].   Errors: invalid_argument.
result<void> check_images(const char* op_name, std::span<const tensor_type> inputs);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
