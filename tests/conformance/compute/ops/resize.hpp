// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// Which source pixels make a target pixel, with weights that sum up to 1.
struct resize_weights {
  std::vector<std::int64_t> source;
  std::vector<double> weight;
};
inline resize_weights resize_weights_of(ops::resize::method how, std::int64_t in, std::int64_t out,
                                        std::int64_t x) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  if (how == ops::resize::method::nearest) return {{x * in / out}, {1}};
  if (how == ops::resize::method::bilinear) {
    const double at =
        std::clamp((static_cast<double>(x) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    const auto first = static_cast<std::int64_t>(at);
    const double far = at - static_cast<double>(first);
    return {{first, std::min(first + 1, in - 1)}, {1 - far, far}};
  }
  resize_weights made;
  for (std::int64_t s = x * in / out; s * out < (x + 1) * in; ++s) {
    const std::int64_t covered = std::min((s + 1) * out, (x + 1) * in) - std::max(s * out, x * in);
    made.source.push_back(s);
    made.weight.push_back(static_cast<double>(covered) / static_cast<double>(in));
  }
  return made;
}

/// A weight in units of 1 / one, rounded, of integers throughout.
inline std::int64_t resize_whole_weight(std::int64_t in, std::int64_t out, std::int64_t x,
                                        std::int64_t one) {
  const std::int64_t at = (2 * x + 1) * in - out;
  if (at < 0 || at / (2 * out) >= in - 1) return 0;
  return (at % (2 * out) * one + out) / (2 * out);
}
/// Bytes between bytes: the integers that all devices compute with. `p`: above left, above right,
/// below left, below right.
inline double resize_blend(const std::vector<double>& p, std::int64_t across, std::int64_t down) {
  const auto between = [&](double above, double below) {
    const auto a = static_cast<std::int64_t>(above), b = static_cast<std::int64_t>(below);
    return a * 128 + (((b - a) * 128 * std::min<std::int64_t>(down, 32767) + 16384) >> 15);
  };
  const std::int64_t sum =
      between(p[0], p[2]) * (16384 - across) + between(p[1], p[3]) * across + (1 << 20);
  return static_cast<double>(sum >> 21);
}

inline void reference(const ops::resize& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  const std::size_t h = shape.size() - 3, w = h + 1;
  const bool is_u8 = in[0].what().type == dtypes::u8;
  double furthest = 0;
  out[0].fill([&](std::int64_t i) {
    dimensions index = out[0].index_of(i);
    const std::int64_t to_y = index[h], to_x = index[w];
    const auto down = resize_weights_of(what.how, shape[h], what.height, to_y);
    const auto across = resize_weights_of(what.how, shape[w], what.width, to_x);
    double sum = 0;
    std::vector<double> pixels;
    for (std::size_t y = 0; y < down.source.size(); ++y)
      for (std::size_t x = 0; x < across.source.size(); ++x) {
        index[h] = down.source[y];
        index[w] = across.source[x];
        pixels.push_back(in[0].at(index));
        sum += down.weight[y] * across.weight[x] * pixels.back();
      }
    if (!is_u8) return sum;
    if (what.how != ops::resize::method::bilinear) return std::floor(sum + 0.5 + 1e-9);
    const double made = resize_blend(pixels, resize_whole_weight(shape[w], what.width, to_x, 16384),
                                     resize_whole_weight(shape[h], what.height, to_y, 32768));
    furthest = std::max(furthest, std::abs(made - sum));
    return made;
  });
  // What ops.hpp promises, and half of what rounding makes of it.
  CHECK(furthest <= 0.51);
}

inline op_case resize_case(const std::string& name, host_tensor image, const ops::resize& what) {
  if (image.what().type == dtypes::u8) {
    numbers from(3);
    image.fill([&](std::int64_t) { return std::floor(from.between(0, 255.99)); });
  } else {
    fill_between(image, -1, 1, 3);
  }
  return {name, what, {image}};
}

inline std::vector<op_case> cases_of_resize() {
  using method = ops::resize::method;
  std::vector<op_case> cases;
  for (const dtype type : {dtypes::u8, dtypes::f32})
    for (const method how : {method::nearest, method::bilinear, method::area}) {
      const auto add = [&](const dimensions& shape, const dimensions& strides, std::int64_t height,
                           std::int64_t width) {
        const std::string name = type.name() + ", method " + std::to_string(static_cast<int>(how)) +
                                 ", " + text_of(shape) + " to " + text_of({height, width});
        cases.push_back(resize_case(name, host_tensor(type, shape, strides), {height, width, how}));
      };
      const auto add_dense = [&](const dimensions& shape, std::int64_t height, std::int64_t width) {
        add(shape, operand::dense(type, shape).strides, height, width);
      };
      add_dense({1, 1, 1}, 3, 2);
      add_dense({1, 2, 3}, 1, 1);
      add_dense({5, 7, 3}, 5, 7);
      for (const std::int64_t channels : {1, 2, 3, 4, 5}) {
        add_dense({12, 30, channels}, 6, 15);
        add_dense({17, 40, channels}, 40, 17);
        add_dense({9, 66, channels}, 3, 22);
        add_dense({12, 231, channels}, 8, 154);
        add_dense({9, 151, channels}, 18, 302);  // twice as large: two rows at once
        add_dense({10, 162, channels}, 5, 81);
      }
      add_dense({5, 64, 3}, 20, 256);
      add_dense({6, 99, 2}, 8, 132);
      add_dense({2, 9, 130, 1}, 18, 260);  // an odd row is the last of a thread's, and an image's
      add({9, 140, 3}, {-500, 3, 1}, 18, 280);  // upside down, a crop
      add_dense({2, 3, 20, 30, 3}, 13, 21);
      add_dense({64, 64, 3}, 1, 1);
      add_dense({9, 150, 3}, 3, 50);
      add_dense({5, 75, 3}, 10, 150);
      add_dense({8, 180, 3}, 2, 45);
      add_dense({300, 4, 1}, 2, 4);
      add_dense({3, 3, 300}, 2, 5);
      add({20, 30, 3}, {-120, 3, 1}, 7, 11);  // upside down, a crop
      add({20, 30, 3}, {90, -3, -1}, 7, 11);  // mirrored, colours turned
      add({2, 2, 8, 9, 1}, {72, 200, 9, 1, 1}, 5, 5);
      add({4, 6, 3}, {0, 1, 0}, 3, 9);
      add_dense({0, 4, 4, 3}, 2, 2);
      add_dense({4, 4, 3}, 0, 2);
    }
  cases.push_back(resize_case("a large picture, halved", host_tensor(dtypes::u8, {360, 640, 3}),
                              {180, 320, method::area}));
  return cases;
}

}  // namespace conformance
