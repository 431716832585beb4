// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is done to every photo after it is decoded. Pure functions: the same picture gives the same
// answer in any thread and in any order, which is all that is needed to make tasks of them.

#include "image.hpp"

#include <array>

namespace demo {

/// The longest side of the picture that all measurements are made on.
inline constexpr int working_side = 640;

picture_size size_of(const picture& image);

/// What `shrink` makes of a picture of this size.
picture_size shrunk_size(picture_size from, int side);

/// Shrinks to at most `side` pixels on the longer side; every pixel becomes the average of those it
/// stands for. A picture that is small enough comes back as it is.
picture shrink(const picture& image, int side);

/// One channel: how bright a person sees the three.
picture to_grey(const picture& rgb);

/// How steep the brightness is at each pixel (Sobel), 0 to 255; the outermost pixels are 0.
picture edge_map(const picture& grey);

/// The share of pixels of an edge map that belong to an edge, 0 to 1.
double edge_density(const picture& edges);

/// The variance of the Laplacian: the higher, the sharper. 0 below 3 by 3 pixels.
double sharpness(const picture& grey);

/// How often each of 64 steps of brightness occurs.
struct histogram {
  std::array<std::uint64_t, 64> counts{};
  std::uint64_t pixels = 0;
  std::uint64_t brightness_sum = 0;

  /// 0 to 255.
  double mean() const;
  /// In bits: 0 when all pixels are alike, 6 when all 64 steps are equally frequent.
  double entropy() const;
};

histogram make_histogram(const picture& grey);

}  // namespace demo
