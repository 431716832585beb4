// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/reduce.hpp"

namespace conformance {

inline void reference(const ops::argmax& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  const auto outputs = outputs_by_element(shape, {what.dimension});
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto along = static_cast<std::size_t>((what.dimension + rank) % rank);
  std::vector<double> best(static_cast<std::size_t>(out[0].elements()));
  std::vector<double> where(best.size(), -1);
  for (std::int64_t i = 0; i < in[0].elements(); ++i) {
    const auto k = static_cast<std::size_t>(outputs[static_cast<std::size_t>(i)]);
    const double x = what.smallest ? -in[0].at(i) : in[0].at(i);
    if (where[k] >= 0 && !(x > best[k] || (std::isnan(x) && !std::isnan(best[k])))) continue;
    best[k] = x;
    where[k] = static_cast<double>(in[0].index_of(i)[along]);
  }
  out[0].fill([&](std::int64_t i) { return where[static_cast<std::size_t>(i)]; });
}

inline std::vector<op_case> cases_of_argmax() {
  std::vector<op_case> cases;
  const auto add = [&](const dimensions& shape, const dimensions& strides, std::int64_t along,
                       dtype type = dtypes::f32) {
    host_tensor t(type, shape, strides);
    numbers from(5);
    t.fill([&](std::int64_t) { return std::floor(from.between(-40, 40)); });  // with equals
    const std::string name = type.name() + " " + text_of(shape) + " along " + std::to_string(along);
    cases.push_back({name, ops::argmax{along}, {t}});
    if (t.elements() > 2) {
      t.set(t.elements() / 3, std::numeric_limits<double>::infinity());
      t.set(t.elements() / 2, std::nan(""));
      t.set(t.elements() - 1, std::nan(""));
    }
    cases.push_back({name + ", the smallest, with NaN", ops::argmax{along, true, true}, {t}});
  };
  for (const dtype type : {dtypes::f32, dtypes::f16}) {
    add({1}, {1}, 0, type);
    add({0, 3}, {3, 1}, 1, type);
    add({1000}, {1}, -1, type);
    add({13, 2100}, {2100, 1}, 1, type);
    add({2100, 13}, {13, 1}, 0, type);
    add({50, 1100}, {1, 50}, 0, type);
    add({5, 6, 7}, {42, 7, 1}, 1, type);
    add({400, 3}, {-3, -1}, 1, type);
  }
  add({3, 300001}, {300001, 1}, 1);
  add({200000, 3}, {3, 1}, 0);
  add({70000, 4}, {4, 1}, 1);
  add({2, 3, 2, 3, 2, 3, 2, 3}, transposed_strides({2, 3, 2, 3, 2, 3, 2, 3}), 3);
  host_tensor low(dtypes::f32, {3, 2000});
  low.fill([](std::int64_t) { return -std::numeric_limits<double>::infinity(); });
  cases.push_back({"nothing but -infinity", ops::argmax{}, {low}});
  return cases;
}

}  // namespace conformance
