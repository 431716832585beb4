// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/filter.hpp"

namespace conformance {

inline void reference(const ops::histogram& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  out[0].fill([](std::int64_t) { return 0.0; });
  const std::size_t rank = in[0].what().shape.size();
  for (std::int64_t i = 0; i < in[0].elements(); ++i) {
    const dimensions index = in[0].index_of(i);
    dimensions to = out[0].what().shape;
    for (std::size_t d = 0; d + 3 < rank; ++d) to[d] = index[d];
    to[rank - 3] = index[rank - 1];
    to[rank - 2] = static_cast<std::int64_t>(in[0].at(i)) * what.bins / 256;
    out[0].set(to, out[0].at(to) + 1);
  }
}

inline std::vector<op_case> cases_of_histogram() {
  std::vector<op_case> cases;
  const auto add = [&](const image_shape& how, std::uint32_t bins) {
    cases.push_back({text_of(how.shape) + ", strides " + text_of(how.strides) + ", " +
                         std::to_string(bins) + " bins",
                     ops::histogram{bins},
                     {image_of(dtypes::u8, how)}});
  };
  for (const image_shape& how : image_shapes()) {
    add(how, 256);
    add(how, 100);
  }
  add(image_shape({2, 0, 5, 3}), 256);
  add(image_shape({70, 40, 6}), 1);
  add(image_shape({600, 900, 1}), 256);
  add(image_shape({2, 300, 170, 3}), 16);
  host_tensor grey(dtypes::u8, {400, 300, 1});
  cases.push_back(
      {"all of one value", ops::histogram{}, {grey.fill([](std::int64_t) { return 17.0; })}});
  return cases;
}

}  // namespace conformance
