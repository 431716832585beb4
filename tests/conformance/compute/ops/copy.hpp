// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// Numbers that every type has, none beside its equal.
inline host_tensor& fill_counting(host_tensor& t) {
  return t.fill([](std::int64_t i) { return (i * 7 + i / 101) % 113; });
}
inline constexpr dtype types_by_size[] = {dtypes::u8, dtypes::f16, dtypes::f32, dtypes::i64};

inline void reference(const ops::copy&, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  out[0].fill([&](std::int64_t i) { return in[0].at(i); });
}

inline std::vector<op_case> cases_of_copy() {
  std::vector<op_case> cases;
  const auto add = [&](std::string name, dtype type, const dimensions& shape,
                       const dimensions& strides) {
    host_tensor t(type, shape, strides);
    cases.push_back({type.name() + ", " + std::move(name), ops::copy{}, {fill_counting(t)}});
  };
  for (const dtype type : types_by_size) {
    add("a number", type, {}, {});
    add("nothing", type, {3, 0, 2}, {0, 2, 1});
    add("a row", type, {100003}, {1});
    add("a row backwards", type, {1001}, {-1});
    add("one number for all", type, {33, 9}, {0, 0});
    add("every other", type, {7, 5, 3}, {40, 6, 2});
    for (const dimensions& shape :
         {dimensions{37, 53}, dimensions{16, 16}, dimensions{64, 48}, dimensions{129, 160},
          dimensions{3, 40, 21}, dimensions{2, 3, 4, 5, 2, 3, 2, 2}})
      add("transposed " + text_of(shape), type, shape, transposed_strides(shape));
    add("a batch of transposed", type, {5, 33, 70}, {33 * 70, 1, 33});
    add("channels last", type, {3, 19, 22}, {1, 66, 3});
    add("channels first", type, {19, 22, 4}, {22, 1, 19 * 22});
    add("pixels of four, transposed", type, {20, 24, 4}, {4, 80, 1});
    add("rows backwards, transposed", type, {24, 40}, {-1, 24});
    add("a slice in the middle", type, {11, 6}, {16, 1});
    add("a million rows of three", type, {400000, 3}, {4, 1});
  }
  add("large and transposed", dtypes::f32, {1030, 2050}, {1, 1030});
  return cases;
}

}  // namespace conformance
