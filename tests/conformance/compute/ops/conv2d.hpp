// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/pool2d.hpp"

namespace conformance {

inline void reference(const ops::conv2d& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions &x = in[0].what().shape, &w = in[1].what().shape;
  const std::int64_t rows = w[0] / what.groups;
  out[0].fill([&](std::int64_t element) {
    const dimensions to = out[0].index_of(element);
    const std::int64_t first = to[1] / rows * w[1];
    double sum = what.bias ? in[2].at(to[1]) : 0;
    for (std::int64_t c = 0; c < w[1]; ++c)
      for (std::int64_t i = 0; i < w[2]; ++i)
        for (std::int64_t j = 0; j < w[3]; ++j) {
          const std::int64_t y = to[2] * what.stride[0] - what.padding[0] + i * what.dilation[0];
          const std::int64_t k = to[3] * what.stride[1] - what.padding[1] + j * what.dilation[1];
          if (y < 0 || y >= x[2] || k < 0 || k >= x[3]) continue;
          sum +=
              in[0].at(dimensions{to[0], first + c, y, k}) * in[1].at(dimensions{to[1], c, i, j});
        }
    return sum;
  });
}

inline op_case conv_case(const host_tensor& x, const host_tensor& weights, ops::conv2d how) {
  const dimensions& w = weights.what().shape;
  op_case made{x.what().type.name() + " " + text_of(x.what().shape) + " with " + text_of(w),
               how,
               {x, weights}};
  if (how.bias) {
    host_tensor bias(dtypes::f32, {w[0]}, {w[0] % 2 == 0 ? -1 : 3});
    made.inputs.push_back(fill_between(bias, -1, 1, 41));
  }
  made.tolerance_factor = 1 + static_cast<double>(w[1] * w[2] * w[3]) / 64;
  return made;
}

inline void add_conv_shapes(std::vector<op_case>& cases, dtype type) {
  const auto add = [&](const dimensions& x, const dimensions& w, const ops::conv2d& how) {
    cases.push_back(conv_case(planes(x, type), planes(w, type), how));
  };
  add({1, 1, 1, 1}, {1, 1, 1, 1}, {});
  add({1, 3, 18, 23}, {5, 3, 3, 3}, {.padding = {1, 1, 1, 1}, .bias = true});
  add({2, 3, 21, 22}, {8, 3, 7, 7}, {.stride = {2, 2}, .padding = {3, 3, 3, 3}, .bias = true});
  add({2, 4, 9, 10}, {6, 4, 3, 2}, {.stride = {1, 2}, .dilation = {2, 3}, .padding = {0, 2, 3, 1}});
  add({2, 20, 7, 7}, {33, 20, 1, 1}, {.bias = true});
  add({1, 6, 9, 12}, {4, 6, 1, 1}, {.stride = {2, 2}});
  add({1, 40, 1, 1}, {70, 40, 1, 1}, {.bias = true});
  add({2, 6, 8, 11}, {9, 2, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 3, .bias = true});
  // One input channel a group: few and many of the output.
  add({2, 7, 12, 17}, {7, 1, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 7, .bias = true});
  add({1, 5, 16, 40}, {10, 1, 5, 3}, {.stride = {2, 2}, .padding = {2, 1, 2, 1}, .groups = 5});
  add({1, 2, 9, 9}, {16, 1, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 2});
}

inline void add_conv_strides(std::vector<op_case>& cases) {
  const ops::conv2d same{.padding = {1, 1, 1, 1}, .bias = true};
  const host_tensor weights = planes({6, 4, 3, 3});
  const host_tensor turned = planes({6, 4, 3, 3}, {1, 6, 24, 72});
  cases.push_back(conv_case(planes({2, 4, 9, 10}, {360, 1, 40, 4}), weights, same));
  cases.push_back(conv_case(planes({2, 4, 9, 10}, {1, -2, 80, -8}), turned, same));
  cases.push_back(conv_case(planes({2, 4, 9, 40}, {0, 360, 40, 1}), turned, {}));
  cases.push_back(conv_case(planes({3, 4, 9, 10}, {1, 6, 24, 500}, dtypes::f16),
                            planes({6, 4, 3, 3}, {1, 6, 24, 72}, dtypes::f16), same));
  cases.push_back(conv_case(planes({2, 4, 9, 10}, {1, -2, 80, -8}),
                            planes({5, 4, 1, 1}, {4, 1, 1, 1}), {.bias = true}));
  cases.push_back(conv_case(planes({2, 4, 9, 10}, {0, 0, 10, 1}),
                            planes({4, 1, 3, 3}, {9, 9, -3, -1}), {.groups = 4}));
}

// What the ways to cut and to copy make of large, small and odd sizes.
inline void add_conv_sizes(std::vector<op_case>& cases) {
  const auto add = [&](const dimensions& x, const dimensions& w, const ops::conv2d& how) {
    cases.push_back(conv_case(planes(x), planes(w), how));
  };
  add({1, 24, 28, 28}, {40, 24, 3, 3}, {.padding = {1, 1, 1, 1}, .bias = true});
  add({1, 130, 14, 14}, {65, 130, 3, 3}, {.padding = {1, 1, 1, 1}});
  add({3, 64, 5, 5}, {48, 64, 3, 3}, {.bias = true});
  add({1, 8, 3, 700}, {8, 8, 3, 3}, {.padding = {1, 1, 1, 1}});
  add({1, 3, 40, 1}, {8, 3, 3, 1}, {.padding = {1, 0, 1, 0}});
  add({1, 1024, 6, 7}, {20, 1024, 1, 1}, {.bias = true});
  add({2, 16, 16, 16}, {32, 16, 2, 2}, {.stride = {2, 2}, .bias = true});
  add({1, 2, 4, 130}, {3, 2, 2, 70}, {.stride = {1, 2}, .padding = {0, 20, 0, 10}});
  add({1, 2, 230, 90}, {3, 2, 3, 3}, {.dilation = {100, 40}, .padding = {3, 2, 0, 9}});
  add({1, 4, 5, 400}, {4, 4, 2, 2}, {.stride = {1, 90}, .padding = {1, 5, 0, 0}});
  add({1, 2, 4, 4}, {3, 2, 2, 2}, {.padding = {3, 3, 3, 3}, .bias = true});
  // Nothing to sum up, and nothing to make.
  add({1, 0, 4, 4}, {3, 0, 3, 3}, {.bias = true});
  add({1, 0, 4, 4}, {3, 0, 1, 1}, {});
  add({1, 2, 0, 3}, {3, 2, 1, 1}, {.padding = {1, 0, 1, 0}, .bias = true});
  add({0, 2, 4, 3}, {3, 2, 1, 1}, {});
  add({1, 2, 4, 3}, {0, 2, 1, 1}, {.bias = true});
}

inline std::vector<op_case> cases_of_conv2d() {
  std::vector<op_case> cases;
  add_conv_shapes(cases, dtypes::f32);
  add_conv_shapes(cases, dtypes::f16);
  add_conv_strides(cases);
  add_conv_sizes(cases);
  return cases;
}

}  // namespace conformance
