// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

inline void reference(const ops::pool2d& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  const bool is_maximum = what.what == ops::pool2d::kind::maximum;
  out[0].fill([&](std::int64_t element) {
    dimensions index = out[0].index_of(element);
    const std::int64_t y = index[2] * what.stride[0] - what.padding[0];
    const std::int64_t x = index[3] * what.stride[1] - what.padding[1];
    double sum = 0, largest = -std::numeric_limits<double>::infinity(), count = 0;
    for (std::int64_t i = 0; i < what.size[0]; ++i)
      for (std::int64_t j = 0; j < what.size[1]; ++j) {
        index[2] = y + i * what.dilation[0];
        index[3] = x + j * what.dilation[1];
        const bool inside =
            index[2] >= 0 && index[2] < shape[2] && index[3] >= 0 && index[3] < shape[3];
        count += inside || what.counts_padding;
        if (!inside) continue;
        const double v = in[0].at(index);
        sum += v;
        if (v > largest || std::isnan(v)) largest = v;
      }
    return is_maximum ? largest : sum / count;
  });
}

struct pool_sizes {
  std::array<std::int64_t, 2> size, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 4> padding{};
};

inline void add_pools(std::vector<op_case>& cases, const host_tensor& x, const pool_sizes& how) {
  using kind = ops::pool2d::kind;
  for (const auto& [what, counts] :
       {std::pair{kind::maximum, false}, {kind::average, false}, {kind::average, true}}) {
    if (counts && how.padding == std::array<std::int64_t, 4>{}) continue;
    op_case one{x.what().type.name() + " " + text_of(x.what().shape) + ", kind " +
                    std::to_string(static_cast<int>(what)) + (counts ? " with padding" : "") +
                    ", " + std::to_string(how.size[0]) + " x " + std::to_string(how.size[1]),
                ops::pool2d{what, how.size, how.stride, how.dilation, how.padding, counts},
                {x}};
    one.tolerance_factor = 1 + static_cast<double>(how.size[0] * how.size[1]) / 64;
    cases.push_back(one);
  }
}

inline host_tensor planes(const dimensions& shape, dtype type = dtypes::f32) {
  host_tensor t(type, shape);
  return fill_between(t, -1, 1, 31);
}
inline host_tensor planes(const dimensions& shape, const dimensions& strides,
                          dtype type = dtypes::f32) {
  host_tensor t(type, shape, strides);
  return fill_between(t, -1, 1, 32);
}

inline std::vector<op_case> cases_of_pool2d() {
  std::vector<op_case> cases;
  for (const dtype type : {dtypes::f32, dtypes::f16}) {
    add_pools(cases, planes({1, 1, 1, 1}, type), {{1, 1}});
    add_pools(cases, planes({2, 3, 8, 10}, type), {{2, 2}, {2, 2}});
    add_pools(cases, planes({1, 5, 31, 45}, type), {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}});
    add_pools(cases, planes({2, 2, 13, 40}, type), {{3, 2}, {1, 1}, {1, 1}, {0, 1, 2, 0}});
  }
  add_pools(cases, planes({1, 2, 14, 37}), {{3, 3}});
  add_pools(cases, planes({1, 2, 7, 5}), {{7, 5}});
  add_pools(cases, planes({1, 2, 20, 33}), {{3, 4}, {2, 3}, {3, 2}, {2, 3, 1, 4}});
  add_pools(cases, planes({1, 1, 3, 600}), {{2, 3}, {1, 1}, {1, 1}, {0, 1, 0, 1}});
  add_pools(cases, planes({1, 1, 2, 700}), {{1, 3}});
  add_pools(cases, planes({3, 1, 6, 6}), {{3, 3}, {5, 5}, {1, 1}, {2, 2, 2, 2}});
  // Windows that are wider, or reach further, than what is copied of an input at a time.
  add_pools(cases, planes({1, 2, 5, 130}), {{3, 70}, {1, 2}, {1, 1}, {1, 30, 1, 20}});
  add_pools(cases, planes({1, 1, 230, 90}), {{3, 3}, {1, 1}, {100, 40}, {3, 2, 0, 9}});
  add_pools(cases, planes({1, 1, 5, 400}), {{2, 2}, {1, 90}, {1, 1}, {1, 5, 0, 0}});
  // Windows of padding only.
  add_pools(cases, planes({1, 2, 4, 5}), {{2, 2}, {1, 1}, {1, 1}, {3, 2, 2, 3}});
  cases.push_back({"of no rows",
                   ops::pool2d{{}, {1, 1}, {1, 1}, {1, 1}, {1, 0, 1, 0}},
                   {{dtypes::f32, {1, 2, 0, 3}}}});
  cases.push_back({"of no images", ops::pool2d{{}, {2, 2}}, {{dtypes::f32, {0, 2, 4, 3}}}});
  add_pools(cases, planes({2, 3, 12, 20}, {1, 2, 120, 6}), {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  add_pools(cases, planes({2, 3, 12, 20}, {720, -240, -20, 1}), {{2, 2}, {2, 2}});
  add_pools(cases, planes({2, 3, 9, 20}, {0, 40, 0, 2}, dtypes::f16), {{2, 2}, {1, 1}});
  host_tensor ends = planes({1, 1, 6, 9});
  ends.set(10, std::nan(""));
  ends.set(30, std::numeric_limits<double>::infinity());
  add_pools(cases, ends, {{2, 3}});
  add_pools(cases, planes({1, 8, 112, 112}), {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}});
  return cases;
}

}  // namespace conformance
