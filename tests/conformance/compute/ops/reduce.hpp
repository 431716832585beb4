// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// The results as one row: the number of the output that each element belongs to.
inline std::vector<std::int64_t> outputs_by_element(const dimensions& shape,
                                                    const dimensions& over) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::vector<bool> is_reduced(shape.size(), over.size() == 0);
  for (const std::int64_t d : over) is_reduced[static_cast<std::size_t>((d + rank) % rank)] = true;
  std::int64_t count = 1;
  for (const std::int64_t n : shape) count *= n;
  std::vector<std::int64_t> made(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, scale = 1, output = 0;
    for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) {
      if (is_reduced[d]) continue;
      output += rest % shape[d] * scale;
      scale *= shape[d];
    }
    made[static_cast<std::size_t>(i)] = output;
  }
  return made;
}

inline void reference(const ops::reduce& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  using kind = ops::reduce::kind;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double first = what.what == kind::product   ? 1
                       : what.what == kind::maximum ? -infinity
                       : what.what == kind::minimum ? infinity
                                                    : 0;
  std::vector<double> made(static_cast<std::size_t>(out[0].elements()), first);
  const auto outputs = outputs_by_element(in[0].what().shape, what.over);
  for (std::int64_t i = 0; i < in[0].elements(); ++i) {
    double& a = made[static_cast<std::size_t>(outputs[static_cast<std::size_t>(i)])];
    const double x = in[0].at(i);
    if (what.what == kind::product) a *= x;
    else if (what.what == kind::sum_of_squares) a += x * x;
    else if (what.what == kind::maximum) a = a != a || a > x ? a : x;
    else if (what.what == kind::minimum) a = a != a || a < x ? a : x;
    else a += x;
  }
  const double columns = static_cast<double>(in[0].elements()) / static_cast<double>(made.size());
  out[0].fill([&](std::int64_t i) {
    return made[static_cast<std::size_t>(i)] / (what.what == kind::mean ? columns : 1);
  });
}

inline std::vector<op_case> cases_of_reduce() {
  using kind = ops::reduce::kind;
  std::vector<op_case> cases;
  const auto add = [&](kind what, const dimensions& shape, const dimensions& strides,
                       const dimensions& over, bool keep = false, dtype type = dtypes::f32) {
    host_tensor t(type, shape, strides);
    const bool is_product = what == kind::product;
    fill_between(t, is_product ? 0.97 : -1, is_product ? 1.03 : 1, 7);
    cases.push_back({"kind " + std::to_string(static_cast<int>(what)) + " of " + type.name() + " " +
                         text_of(shape) + ", strides " + text_of(strides) + ", over " +
                         text_of(over),
                     ops::reduce{what, over, keep},
                     {t},
                     std::sqrt(static_cast<double>(t.elements())) / 16 + 2});
  };
  for (const kind what :
       {kind::sum, kind::mean, kind::product, kind::maximum, kind::minimum, kind::sum_of_squares})
    for (const dtype type : {dtypes::f32, dtypes::f16}) {
      add(what, {}, {}, {}, false, type);
      add(what, {0}, {1}, {}, false, type);
      add(what, {3, 0, 2}, {0, 2, 1}, {1}, true, type);
      add(what, {1}, {1}, {0}, true, type);
      add(what, {37, 130}, {130, 1}, {1}, false, type);
      add(what, {37, 130}, {130, 1}, {0}, false, type);
      add(what, {41, 3, 7}, {21, 7, 1}, {-1, 0}, true, type);
      add(what, {6, 7, 8}, {1, 6, 42}, {1}, false, type);
      add(what, {20011}, {-1}, {}, false, type);
    }
  for (const kind what : {kind::sum, kind::maximum}) {
    add(what, {900, 3, 2}, {6, 2, 1}, {0});
    add(what, {70000, 5}, {5, 1}, {1});
    add(what, {3, 300001}, {300001, 1}, {1});
    add(what, {2, 150000, 3}, {450000, 3, 1}, {1});
    add(what, {100000, 33}, {33, 1}, {0});
    add(what, {3000, 1040}, {1040, 1}, {0, 1});
    add(what, {40, 50}, {0, 0}, {1});
    add(what, {2, 3, 2, 3, 2, 3, 2, 3}, {648, 216, 108, 36, 18, 6, 3, 1}, {0, 2, 4, 6});
    add(what, {2, 3, 2, 3, 2, 3, 2, 3}, {648, 216, 108, 36, 18, 6, 3, 1}, {1, 3, 5, 7});
  }
  host_tensor ends(dtypes::f32, {4, 300});
  fill_between(ends, -1, 1, 9);
  ends.set({0, 5}, std::nan(""));
  ends.set({1, 299}, std::numeric_limits<double>::infinity());
  ends.set({2, 0}, -std::numeric_limits<double>::infinity());
  for (const kind what : {kind::sum, kind::maximum, kind::minimum})
    for (const dimensions& over : {dimensions{0}, dimensions{1}})
      cases.push_back({"infinities and NaN", ops::reduce{what, over}, {ends}});
  return cases;
}

}  // namespace conformance
