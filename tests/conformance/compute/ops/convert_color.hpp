// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

using color = ops::convert_color::format;
using color_triple = std::array<double, 3>;  // red, green, blue; or y, u, v

/// A standard's numbers: exact, and as the integers that all devices compute with.
struct color_numbers {
  double kr, kb;
  bool is_limited;
  explicit color_numbers(ops::convert_color::standard by) {
    using standard = ops::convert_color::standard;
    const bool is_709 = by == standard::bt709_limited || by == standard::bt709_full;
    kr = is_709 ? 0.2126 : 0.299;
    kb = is_709 ? 0.0722 : 0.114;
    is_limited = by == standard::bt601_limited || by == standard::bt709_limited;
  }
  double kg() const { return 1 - kr - kb; }

  color_triple exact(const color_triple& yuv) const {
    const double scale = is_limited ? 255.0 / 224 : 1;
    const double luma = is_limited ? (yuv[0] - 16) * 255 / 219 : yuv[0];
    const double red = luma + 2 * (1 - kr) * (yuv[2] - 128) * scale;
    const double blue = luma + 2 * (1 - kb) * (yuv[1] - 128) * scale;
    return {red, (luma - kr * red - kb * blue) / kg(), blue};
  }
  color_triple made(const color_triple& yuv) const {
    const double one = 8192 * (is_limited ? 255.0 / 224 : 1);
    // Products are rounded to 1 / 64.
    const auto product = [](double a, double factor) {
      return std::floor((a * std::floor(factor + 0.5) + 16384) / 32768);
    };
    const auto byte = [](double sum) { return std::floor((sum + 32) / 64); };
    const double luma =
        product((yuv[0] - (is_limited ? 16 : 0)) * 128, is_limited ? 16384 * 255.0 / 219 : 16384);
    const double u = (yuv[1] - 128) * 256, v = (yuv[2] - 128) * 256;
    const double green = luma - product(u, one * 2 * kb * (1 - kb) / kg()) -
                         product(v, one * 2 * kr * (1 - kr) / kg());
    return {byte(luma + product(v, one * 2 * (1 - kr))), byte(green),
            byte(luma + product(u, one * 2 * (1 - kb)))};
  }
  double exact_gray(const color_triple& rgb) const {
    return kr * rgb[0] + kg() * rgb[1] + kb * rgb[2];
  }
  double made_gray(const color_triple& rgb) const {
    const double red = std::floor(32768 * kr + 0.5), blue = std::floor(32768 * kb + 0.5);
    const double sum = red * rgb[0] + (32768 - red - blue) * rgb[1] + blue * rgb[2];
    return std::floor((sum + 16384) / 32768);
  }
};

/// y, u and v of a pixel.
inline color_triple yuv_at(color from, const host_tensor& in, const dimensions& pixel,
                           const dimensions& shape) {
  const std::size_t h = shape.size() - 3, w = h + 1, c = h + 2;
  if (from == color::yuyv) {
    dimensions y = pixel, u = pixel, v = pixel;
    y[c] = 0;
    u[c] = v[c] = 1;
    u[w] = pixel[w] / 2 * 2;
    v[w] = u[w] + 1;
    return {in.at(y), in.at(u), in.at(v)};
  }
  const dimensions y(std::span(pixel.begin(), c));
  dimensions u = y;
  u[h] = shape[h] + y[h] / 2;
  u[w] = y[w] / 2 * 2;
  dimensions v = u;
  ++v[w];
  return {in.at(y), in.at(u), in.at(v)};
}

inline void reference(const ops::convert_color& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const color_numbers numbers(what.by);
  const dimensions shape = out[0].what().shape;
  double furthest = 0;
  const auto checked = [&](double exact, double made) {
    exact = std::clamp(exact, 0.0, 255.0);
    made = std::clamp(made, 0.0, 255.0);
    furthest = std::max(furthest, std::abs(exact - made));
    return made;
  };
  out[0].fill([&](std::int64_t i) {
    dimensions at = out[0].index_of(i);
    std::int64_t& last = at[shape.size() - 1];
    const auto channel = static_cast<std::size_t>(what.to == color::bgr ? 2 - last : last);
    if (what.from == color::nv12 || what.from == color::yuyv) {
      const color_triple yuv = yuv_at(what.from, in[0], at, shape);
      return checked(numbers.exact(yuv)[channel], numbers.made(yuv)[channel]);
    }
    if (what.from == color::gray) {
      last = 0;
      return in[0].at(at);
    }
    color_triple rgb{};
    for (last = 0; last < 3; ++last)
      rgb[static_cast<std::size_t>(what.from == color::bgr ? 2 - last : last)] = in[0].at(at);
    if (what.to == color::gray) return checked(numbers.exact_gray(rgb), numbers.made_gray(rgb));
    return rgb[channel];
  });
  // What ops.hpp promises, and half of what rounding makes of it.
  CHECK(furthest <= 0.55);
}

inline std::vector<op_case> cases_of_convert_color() {
  using standard = ops::convert_color::standard;
  std::vector<op_case> cases;
  const auto add = [&](host_tensor image, color from, color to, standard by) {
    image.fill([](std::int64_t i) { return static_cast<double>((i * 2654435761u >> 13) & 255); });
    cases.push_back({"format " + std::to_string(static_cast<int>(from)) + " to " +
                         std::to_string(static_cast<int>(to)) + ", standard " +
                         std::to_string(static_cast<int>(by)) + ", " + text_of(image.what().shape),
                     ops::convert_color{from, to, by},
                     {image}});
  };
  const auto dense = [](const dimensions& shape) { return host_tensor(dtypes::u8, shape); };
  const auto strided = [](const dimensions& shape, const dimensions& strides) {
    return host_tensor(dtypes::u8, shape, strides);
  };
  for (const standard by : {standard::bt601_limited, standard::bt601_full, standard::bt709_limited,
                            standard::bt709_full}) {
    add(dense({36, 150}), color::nv12, color::rgb, by);
    add(dense({7, 134, 2}), color::yuyv, color::bgr, by);
    add(dense({9, 141, 3}), color::rgb, color::gray, by);
  }
  for (const color three : {color::rgb, color::bgr}) {
    const standard by = standard::bt601_limited;
    add(dense({3, 2}), color::nv12, three, by);
    add(dense({2, 5, 6, 16}), color::nv12, three, by);
    add(strided({6, 134}, {-140, 1}), color::nv12, three, by);
    add(strided({6, 8}, {1, 6}), color::nv12, three, by);
    add(dense({3, 5, 2, 2}), color::yuyv, three, by);
    add(strided({4, 6, 2}, {-30, 4, 2}), color::yuyv, three, by);
    add(dense({2, 23, 3}), three, three == color::rgb ? color::bgr : color::rgb, by);
    add(strided({5, 3, 3}, {9, -3, -1}), three, three == color::rgb ? color::bgr : color::rgb, by);
    add(strided({5, 91, 3}, {300, 3, 1}), three, color::gray, by);
    add(strided({2, 3, 4, 5, 3}, {400, 100, 20, 3, 1}), three, color::gray, by);
    add(dense({3, 133, 1}), color::gray, three, by);
    add(strided({3, 9, 1}, {0, 2, 7}), color::gray, three, by);
  }
  add(dense({0, 4}), color::nv12, color::rgb, standard::bt601_limited);
  return cases;
}

}  // namespace conformance
