// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

inline double nearest_of(dtype type, double x) {
  if (type.kind == number_kind::floating) return x;
  if (std::isnan(x)) return 0;
  const bool is_signed = type.kind == number_kind::signed_integer;
  const double end = std::ldexp(1.0, type.bits - (is_signed ? 1 : 0));
  return std::min(std::max(std::nearbyint(x), is_signed ? -end : 0.0), end - 1);
}

inline void reference(const ops::cast& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  out[0].fill(
      [&](std::int64_t i) { return nearest_of(what.to, what.scale * in[0].at(i) + what.offset); });
}

inline std::vector<op_case> cases_of_cast() {
  std::vector<op_case> cases;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const dtype types[] = {dtypes::f32, dtypes::f16, dtypes::u8, dtypes::i8, dtypes::i32};
  const double ends[] = {0,    -0.0,  0.5,   1.5,      -2.5,      126.5,       127.5, -128.5,
                         -129, 255.5, 65519, 65536.0,  1e-8,      3e9,         -3e9,  2147483520.0,
                         300,  -1e4,  6e-5,  infinity, -infinity, std::nan("")};
  for (const dtype from : types)
    for (const dtype to : types) {
      const bool is_float = from.kind == number_kind::floating;
      const double low = from == dtypes::u8 ? 0 : -128, high = from == dtypes::u8 ? 255 : 127;
      host_tensor x(from, {2, 1033});
      fill_between(x, low, high, 1);
      if (is_float)
        for (std::size_t i = 0; i < std::size(ends); ++i)
          x.set(static_cast<std::int64_t>(i), ends[i]);
      cases.push_back({from.name() + " to " + to.name(), ops::cast{to}, {x}});
      host_tensor turned(from, {31, 3, 5}, transposed_strides({31, 3, 5}));
      cases.push_back({from.name() + " to " + to.name() + " of a transposed tensor",
                       ops::cast{to, 0.5f, -3},
                       {fill_between(turned, low / 2, high / 2, 2)}});
    }
  for (const dimensions& shape : {dimensions{}, dimensions{0}, dimensions{1}, dimensions{2, 0, 3},
                                  dimensions{1, 2, 1, 3, 2, 1, 2, 3}})
    cases.push_back({"shape " + text_of(shape),
                     ops::cast{dtypes::f32, 2, 1},
                     {host_tensor(dtypes::u8, shape).fill([](std::int64_t i) { return 3 + i; })}});
  host_tensor large(dtypes::u8, {1500, 2001});
  cases.push_back({"three million",
                   ops::cast{dtypes::f16, 1.0f / 128, -1},
                   {large.fill([](std::int64_t i) { return i % 251; })}});
  host_tensor stretched(dtypes::f16, {6, 70}, {0, -1});
  cases.push_back({"one row for all, backwards",
                   ops::cast{dtypes::i32, 1, 0.25f},
                   {fill_between(stretched, -9, 9, 3)}});
  return cases;
}

}  // namespace conformance
