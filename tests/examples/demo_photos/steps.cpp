// SPDX-License-Identifier: Apache-2.0
#include "steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace demo {
namespace {

// Steeper than this is an edge: above the noise of a camera, below the outline of a thing.
constexpr int edge_steepness_min = 48;

picture_size fit(picture_size from, int side) {
  const std::int64_t longest = std::max(from.width, from.height);
  auto scaled = [&](int length) {
    return std::max(1, static_cast<int>((length * std::int64_t{side} + longest / 2) / longest));
  };
  return {scaled(from.width), scaled(from.height)};
}

// Where the share of output pixel `index` begins when `from` pixels become `to`.
int share_begin(int index, int from, int to) {
  return static_cast<int>(std::int64_t{index} * from / to);
}

// Adds one row of `from` to the sums of the output pixels it belongs to.
template <int Channels>
void add_row(const std::uint8_t* from, const std::vector<int>& begins,
             std::vector<std::uint32_t>& sums) {
  for (std::size_t x = 0; x + 1 < begins.size(); ++x) {
    std::uint32_t sum[Channels] = {};
    for (int n = begins[x + 1] - begins[x]; n > 0; --n) {
      for (int c = 0; c < Channels; ++c) sum[c] += *from++;
    }
    for (int c = 0; c < Channels; ++c) sums[x * Channels + c] += sum[c];
  }
}

}  // namespace

picture_size size_of(const picture& image) { return image.size; }

picture_size shrunk_size(picture_size from, int side) {
  return std::max(from.width, from.height) <= side ? from : fit(from, side);
}

picture shrink(const picture& image, int side) {
  if (std::max(image.size.width, image.size.height) <= side) return image;
  picture small(fit(image.size, side), image.channels);
  const auto channels = static_cast<std::size_t>(image.channels);
  std::vector<int> begins(static_cast<std::size_t>(small.size.width) + 1);
  for (int x = 0; x <= small.size.width; ++x) {
    begins[x] = share_begin(x, image.size.width, small.size.width);
  }
  std::vector<std::uint32_t> sums(small.row_bytes());
  for (int y = 0; y < small.size.height; ++y) {
    const int top = share_begin(y, image.size.height, small.size.height);
    const int bottom = share_begin(y + 1, image.size.height, small.size.height);
    std::fill(sums.begin(), sums.end(), 0);
    for (int from = top; from < bottom; ++from) {
      if (channels == 3) add_row<3>(image.row(from), begins, sums);
      else add_row<1>(image.row(from), begins, sums);
    }
    std::uint8_t* out = small.row(y);
    for (std::size_t x = 0; x + 1 < begins.size(); ++x) {
      const auto area = static_cast<std::uint32_t>((bottom - top) * (begins[x + 1] - begins[x]));
      for (std::size_t c = 0; c < channels; ++c) {
        *out++ = static_cast<std::uint8_t>((sums[x * channels + c] + area / 2) / area);
      }
    }
  }
  return small;
}

picture to_grey(const picture& rgb) {
  picture grey(rgb.size, 1);
  const std::uint8_t* in = rgb.bytes.data();
  for (std::uint8_t& out : grey.bytes) {  // the weights of red, green and blue in 1/256
    out = static_cast<std::uint8_t>((77u * in[0] + 150u * in[1] + 29u * in[2] + 128u) >> 8);
    in += 3;
  }
  return grey;
}

picture edge_map(const picture& grey) {
  picture edges(grey.size, 1);
  for (int y = 1; y + 1 < grey.size.height; ++y) {
    const std::uint8_t* above = grey.row(y - 1);
    const std::uint8_t* here = grey.row(y);
    const std::uint8_t* below = grey.row(y + 1);
    std::uint8_t* out = edges.row(y);
    for (int x = 1; x + 1 < grey.size.width; ++x) {
      const int across = above[x + 1] + 2 * here[x + 1] + below[x + 1] - above[x - 1] -
                         2 * here[x - 1] - below[x - 1];
      const int down =
          below[x - 1] + 2 * below[x] + below[x + 1] - above[x - 1] - 2 * above[x] - above[x + 1];
      out[x] = static_cast<std::uint8_t>(std::min(255, (std::abs(across) + std::abs(down)) / 4));
    }
  }
  return edges;
}

double edge_density(const picture& edges) {
  if (edges.bytes.empty()) return 0;
  const auto steep = std::count_if(edges.bytes.begin(), edges.bytes.end(),
                                   [](int steepness) { return steepness >= edge_steepness_min; });
  return static_cast<double>(steep) / static_cast<double>(edges.bytes.size());
}

double sharpness(const picture& grey) {
  if (grey.size.width < 3 || grey.size.height < 3) return 0;
  std::int64_t sum = 0;
  std::int64_t sum_of_squares = 0;
  for (int y = 1; y + 1 < grey.size.height; ++y) {
    const std::uint8_t* above = grey.row(y - 1);
    const std::uint8_t* here = grey.row(y);
    const std::uint8_t* below = grey.row(y + 1);
    for (int x = 1; x + 1 < grey.size.width; ++x) {
      const int bend = above[x] + below[x] + here[x - 1] + here[x + 1] - 4 * here[x];
      sum += bend;
      sum_of_squares += bend * bend;
    }
  }
  const double count = (grey.size.width - 2.0) * (grey.size.height - 2.0);
  const double mean = static_cast<double>(sum) / count;
  return static_cast<double>(sum_of_squares) / count - mean * mean;
}

histogram make_histogram(const picture& grey) {
  histogram result;
  result.pixels = grey.bytes.size();
  for (const unsigned brightness : grey.bytes) {
    ++result.counts[brightness / 4];
    result.brightness_sum += brightness;
  }
  return result;
}

double histogram::mean() const {
  return pixels == 0 ? 0 : static_cast<double>(brightness_sum) / static_cast<double>(pixels);
}

double histogram::entropy() const {
  double bits = 0;
  for (const std::uint64_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(pixels);
    bits -= share * std::log2(share);
  }
  return bits;
}

}  // namespace demo
