// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// Between which source pixels a target pixel is, and how far from the first.
struct crop_place {
  std::int64_t first, second;
  double weight;

  crop_place(double from, double to, std::int64_t in, std::int64_t out, std::int64_t x) {
    const auto size = static_cast<double>(in);
    const auto inside = [size](double side) {
      return std::isnan(side) ? 0 : std::clamp(side, 0.0, size);
    };
    const double step = (inside(to) - inside(from)) / static_cast<double>(out);
    const double at =
        std::clamp(inside(from) + (static_cast<double>(x) + 0.5) * step - 0.5, 0.0, size - 1);
    first = static_cast<std::int64_t>(at);
    second = std::min(first + 1, in - 1);
    weight = at - static_cast<double>(first);
  }
};

inline void reference(const ops::crop_normalize& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  const auto number = [](const std::vector<float>& all, std::int64_t c, double rest) {
    return all.empty() ? rest : double{all[all.size() == 1 ? 0 : static_cast<std::size_t>(c)]};
  };
  out[0].fill([&](std::int64_t i) {
    const dimensions index = out[0].index_of(i);
    const std::size_t last = index.size() - 1;
    const bool planes = what.is_channels_first;
    const std::int64_t y = index[planes ? last - 1 : last - 2], x = index[planes ? last : last - 1],
                       c = index[planes ? last - 2 : last];
    std::array<double, 4> box = {0, 0, static_cast<double>(shape[1]),
                                 static_cast<double>(shape[0])};
    if (in.size() == 2)
      for (std::int64_t k = 0; k < 4; ++k)
        box[static_cast<std::size_t>(k)] = in[1].at({index[0], k});
    const crop_place across(box[0], box[2], shape[1], what.width, x);
    const crop_place down(box[1], box[3], shape[0], what.height, y);
    const auto row = [&](std::int64_t line) {
      const double left = in[0].at({line, across.first, c});
      return left + (in[0].at({line, across.second, c}) - left) * across.weight;
    };
    const double above = row(down.first);
    const double value = above + (row(down.second) - above) * down.weight;
    return (value - number(what.mean, c, 0)) / number(what.deviation, c, 1);
  });
}

inline std::vector<op_case> cases_of_crop_normalize() {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  // Whole, a part, between pixels, larger than the image, of no size, turned round, and nonsense.
  const std::vector<std::array<float, 4>> boxes = {{0, 0, 19, 13},
                                                   {3, 2, 11, 12},
                                                   {2.25f, 1.5f, 9.75f, 4.125f},
                                                   {-50, -2, 500, 99},
                                                   {5, 5, 5, 5},
                                                   {15, 12, 3, 1},
                                                   {not_a_number, 2, not_a_number, not_a_number},
                                                   {-infinity, -3e38f, infinity, 3e38f}};
  std::vector<op_case> cases;
  for (const bool planes : {true, false})
    for (const dtype to : {dtypes::f32, dtypes::f16})
      for (const std::int64_t channels : {1, 3, 4}) {
        const auto add = [&](const std::string& name, const dimensions& strides,
                             std::int64_t height, std::int64_t width, bool has_boxes) {
          ops::crop_normalize what{height, width};
          what.mean = {123.675f, 116.28f, 103.53f, 20};
          what.deviation = {58.395f, 57.12f, 57.375f, 99};
          what.mean.resize(static_cast<std::size_t>(channels));
          what.deviation.resize(static_cast<std::size_t>(channels));
          what.to = to;
          what.is_channels_first = planes;
          op_case one{name + ", " + std::to_string(channels) + " channels to " + to.name() +
                          (planes ? ", planes" : ""),
                      what,
                      {host_tensor(dtypes::u8, {13, 19, channels}, strides)}};
          numbers from(5);
          one.inputs[0].fill([&](std::int64_t) { return std::floor(from.between(0, 255.99)); });
          if (has_boxes) {
            const auto count = static_cast<std::int64_t>(boxes.size());
            one.inputs.emplace_back(dtypes::f32, dimensions{count, 4}, dimensions{-5, 1});
            one.inputs[1].fill([&](std::int64_t i) {
              return boxes[static_cast<std::size_t>(i / 4)][static_cast<std::size_t>(i % 4)];
            });
          }
          cases.push_back(one);
        };
        const dimensions dense = {19 * channels, channels, 1};
        add("as large", dense, 13, 19, false);
        add("smaller, a slice", {30 * channels, channels, 1}, 5, 7, false);
        add("larger, turned", {1, 13, 13 * 19}, 40, 21, false);
        add("boxes", dense, 17, 6, true);
      }
  op_case plain{"one mean for all", ops::crop_normalize{2, 300}, {{dtypes::u8, {2, 600, 3}}}};
  std::get<ops::crop_normalize>(plain.what).mean = {128};
  std::get<ops::crop_normalize>(plain.what).deviation = {255};
  plain.inputs[0].fill([](std::int64_t i) { return static_cast<double>(i % 251); });
  cases.push_back(plain);
  cases.push_back({"a pixel", ops::crop_normalize{3, 2}, {{dtypes::u8, {1, 1, 1}}}});
  cases.push_back(
      {"no box", ops::crop_normalize{3, 2}, {{dtypes::u8, {4, 4, 3}}, {dtypes::f32, {0, 4}}}});
  return cases;
}

}  // namespace conformance
