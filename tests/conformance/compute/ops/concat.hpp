// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/copy.hpp"

namespace conformance {

inline void reference(const ops::concat& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const auto rank = static_cast<std::int64_t>(out[0].what().shape.size());
  const auto along = static_cast<std::size_t>((what.dimension + rank) % rank);
  out[0].fill([&](std::int64_t i) {
    dimensions index = out[0].index_of(i);
    for (const host_tensor& part : in) {
      if (index[along] < part.what().shape[along]) return part.at(index);
      index[along] -= part.what().shape[along];
    }
    return 0.0;
  });
}

inline std::vector<op_case> cases_of_concat() {
  std::vector<op_case> cases;
  const auto tensor = [](dtype type, const dimensions& shape) {
    host_tensor t(type, shape);
    return fill_counting(t);
  };
  for (const dtype type : types_by_size) {
    cases.push_back({type.name() + ", rows",
                     ops::concat{0},
                     {tensor(type, {3, 5}), tensor(type, {1, 5}), tensor(type, {0, 5}),
                      tensor(type, {70, 5})}});
    host_tensor turned(type, {6, 40, 3}, transposed_strides({6, 40, 3}));
    cases.push_back({type.name() + ", in the middle, one transposed",
                     ops::concat{-2},
                     {tensor(type, {6, 7, 3}), fill_counting(turned)}});
    cases.push_back({type.name() + ", columns",
                     ops::concat{1},
                     {tensor(type, {300, 1}), tensor(type, {300, 2}), tensor(type, {300, 4})}});
    cases.push_back({type.name() + ", one of one", ops::concat{0}, {tensor(type, {1})}});
    cases.push_back(
        {type.name() + ", of nothing", ops::concat{-1}, {tensor(type, {0}), tensor(type, {0})}});
  }
  return cases;
}

}  // namespace conformance
