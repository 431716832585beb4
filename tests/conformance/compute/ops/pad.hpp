// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"
#include "tests/conformance/compute/ops/copy.hpp"

namespace conformance {

inline void reference(const ops::pad& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions& shape = in[0].what().shape;
  out[0].fill([&](std::int64_t i) {
    dimensions index = out[0].index_of(i);
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::int64_t last = shape[d] - 1;
      index[d] -= what.before[d];
      if (index[d] >= 0 && index[d] <= last) continue;
      if (what.how == ops::pad::mode::constant) return what.value;
      if (what.how == ops::pad::mode::edge) index[d] = std::clamp<std::int64_t>(index[d], 0, last);
      else index[d] = index[d] < 0 ? -index[d] : 2 * last - index[d];
    }
    return in[0].at(index);
  });
}

inline std::vector<op_case> cases_of_pad() {
  using mode = ops::pad::mode;
  std::vector<op_case> cases;
  for (const dtype type : types_by_size)
    for (const mode how : {mode::constant, mode::edge, mode::reflect}) {
      const auto add = [&](const dimensions& shape, const dimensions& strides,
                           const dimensions& before, const dimensions& after) {
        host_tensor t(type, shape, strides);
        cases.push_back({type.name() + ", mode " + std::to_string(static_cast<int>(how)) + ", " +
                             text_of(shape),
                         ops::pad{before, after, how, 42},
                         {fill_counting(t)}});
      };
      add({}, {}, {}, {});
      add({5}, {1}, {4}, {3});
      add({1003}, {-2}, {0}, {1002});
      add({2, 3, 20, 30}, {1800, 600, 30, 1}, {0, 0, 1, 2}, {0, 0, 3, 0});
      add({7, 6, 5}, {1, 7, 42}, {3, 0, 4}, {6, 0, 0});
      add({2, 2, 2, 2, 2}, {16, 8, 4, 2, 1}, {1, 1, 1, 1, 1}, {0, 1, 0, 1, 0});
      add({4, 0}, {0, 1}, {1, 0}, {1, 0});
    }
  cases.push_back(
      {"around nothing", ops::pad{{2, 1}, {0, 3}, mode::constant, -7}, {{dtypes::i32, {0, 3}}}});
  cases.push_back({"halves", ops::pad{{1}, {1}, mode::constant, 0.5}, {{dtypes::f16, {0}}}});
  host_tensor picture(dtypes::u8, {1100, 700, 3});
  cases.push_back({"a picture's border",
                   ops::pad{{16, 16, 0}, {16, 16, 0}, mode::edge},
                   {fill_counting(picture)}});
  return cases;
}

}  // namespace conformance
