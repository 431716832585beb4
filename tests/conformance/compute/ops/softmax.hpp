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

inline void reference(const ops::softmax& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto along = static_cast<std::size_t>((what.dimension + rank) % rank);
  for (std::int64_t i = 0; i < in[0].elements(); ++i) {
    dimensions index = in[0].index_of(i);
    if (index[along] != 0) continue;
    std::vector<double> row;
    for (; index[along] < shape[along]; ++index[along]) row.push_back(in[0].at(index));
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double x : row) sum += std::exp(x - largest);
    for (std::size_t k = 0; k < row.size(); ++k) {
      index[along] = static_cast<std::int64_t>(k);
      const double x = row[k] - largest;
      out[0].set(index, what.logarithm ? x - std::log(sum) : std::exp(x) / sum);
    }
  }
}

inline std::vector<op_case> cases_of_softmax() {
  std::vector<op_case> cases;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const bool logarithm : {false, true}) {
    const auto add = [&](const dimensions& shape, const dimensions& strides, std::int64_t along,
                         dtype type = dtypes::f32, double size = 8) {
      host_tensor t(type, shape, strides);
      cases.push_back({type.name() + " " + text_of(shape) + ", strides " + text_of(strides) +
                           ", along " + std::to_string(along) + (logarithm ? ", logarithm" : ""),
                       ops::softmax{along, logarithm},
                       {fill_between(t, -size, size, 3)},
                       4});
    };
    for (const dtype type : {dtypes::f32, dtypes::f16}) {
      add({1}, {1}, 0, type);
      add({0, 4}, {4, 1}, 1, type);
      add({3, 0}, {1, 1}, 1, type);
      add({37, 10}, {10, 1}, -1, type);
      add({5, 1000}, {1000, 1}, 1, type);
      add({3, 2500}, {-2500, -1}, 1, type, 80);
      add({2, 21, 19, 3}, {21 * 57, 57, 3, 1}, 1, type);
      add({33, 40}, {1, 33}, 1, type);
      add({40, 1100}, {1, 40}, 0, type, 1e4);
      add({6, 3, 5}, {15, 0, 1}, 1, type);
    }
    add({70000, 3}, {3, 1}, 1);
    add({2, 100000}, {100000, 1}, 1);
    add({1200, 1030}, {1030, 1}, 0);
    add({2500, 32}, {32, 1}, 0);
    add({2, 3, 2, 3, 2, 3, 2, 3}, transposed_strides({2, 3, 2, 3, 2, 3, 2, 3}), 4);
    host_tensor ends(dtypes::f32, {4, 9});
    fill_between(ends, -3, 3, 4);
    for (std::int64_t i = 0; i < 9; ++i) ends.set({1, i}, -infinity);
    ends.set({0, 0}, -infinity);
    ends.set({0, 1}, -infinity);
    ends.set({2, 8}, std::nan(""));
    if (!logarithm) cases.push_back({"infinities and NaN", ops::softmax{1}, {ends}, 4});
    host_tensor large(dtypes::f32, {2, 300});
    cases.push_back({"large numbers", ops::softmax{1, logarithm}, {large.fill([](std::int64_t i) {
                       return i % 7 == 0 ? 3e38 : -3e38;
                     })}});
  }
  return cases;
}

}  // namespace conformance
