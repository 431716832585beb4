// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `histogram_on_cpu`. A group counts a piece of an image's pixels; where images
/// have several pieces, another launch adds up what they counted, a group for each image.
struct cpu_histogram {
  static constexpr std::int64_t piece_pixels = 1 << 18, pieces_max = 64;
  std::int64_t images = 0, height = 0, width = 0, channels = 0, image_stride = 0, row_stride = 0;
  std::int64_t piece = 0, pieces = 0;
  std::uint32_t bins = 0, is_sum = 0;

  /// Numbers of one piece, or of one image.
  std::int64_t counts() const noexcept { return channels * bins; }
};

/// Bindings: the images from their first element on, or all pieces' counts; the output.
void histogram_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
