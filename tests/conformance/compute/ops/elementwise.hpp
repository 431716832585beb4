// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

inline double reference_function(const ops::step& s, double x, double y) {
  using enum ops::function;
  const double a = s.a, b = s.b;
  switch (s.what) {
    case negate: return -x;
    case absolute: return std::abs(x);
    case square: return x * x;
    case sqrt: return std::sqrt(x);
    case rsqrt: return 1 / std::sqrt(x);
    case reciprocal: return 1 / x;
    case exp: return std::exp(x);
    case log: return std::log(x);
    case sin: return std::sin(x);
    case cos: return std::cos(x);
    case tanh: return std::tanh(x);
    case erf: return std::erf(x);
    case sigmoid: return 1 / (1 + std::exp(-x));
    case relu: return std::max(x, 0.0);
    case leaky_relu: return x < 0 ? a * x : x;
    case elu: return x < 0 ? a * std::expm1(x) : x;
    case gelu: return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case silu: return x / (1 + std::exp(-x));
    case hard_swish: return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    case softplus: return std::log1p(std::exp(x));
    case floor: return std::floor(x);
    case ceil: return std::ceil(x);
    case round: return std::nearbyint(x);
    case affine: return a * x + b;
    case clamp: return std::clamp(x, a, b);
    case add: return x + y;
    case subtract: return x - y;
    case multiply: return x * y;
    case divide: return x / y;
    case minimum: return std::min(x, y);
    case maximum: return std::max(x, y);
    case power: return std::pow(x, y);
    case less: return x < y;
    case equal: return x == y;
    case greater: return x > y;
  }
  return 0;
}

/// The element of `t` that belongs to `index` of the shape it is stretched to.
inline double stretched_at(const host_tensor& t, const dimensions& index) {
  dimensions own = t.what().shape;
  const std::size_t more = index.size() - own.size();
  for (std::size_t d = 0; d < own.size(); ++d) own[d] = own[d] == 1 ? 0 : index[more + d];
  return t.at(own);
}

inline void reference(const ops::elementwise& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  out[0].fill([&](std::int64_t i) {
    const dimensions index = out[0].index_of(i);
    double x = stretched_at(in[0], index);
    for (const ops::step& s : what.steps)
      x = reference_function(s, x, takes_two(s.what) ? stretched_at(in[s.with], index) : 0);
    return x;
  });
}

inline std::vector<op_case> cases_of_elementwise() {
  using f = ops::function;
  std::vector<op_case> cases;
  const auto tensor = [](const dimensions& shape, double low, double high, std::uint32_t seed,
                         dtype type = dtypes::f32) {
    host_tensor t(type, shape);
    return fill_between(t, low, high, seed);
  };
  for (std::size_t i = 0; i < ops::function_count; ++i) {
    const auto what = static_cast<f>(i);
    const bool is_positive = what == f::sqrt || what == f::rsqrt || what == f::log ||
                             what == f::power || what == f::reciprocal || what == f::divide;
    const double low = is_positive ? 0.1 : -9;
    op_case one{"function " + std::to_string(i),
                ops::elementwise{{{what, 1, -0.5f, 0.75f}}},
                {tensor({3, 1031}, low, 9, 1)}};
    if (takes_two(what)) one.inputs.push_back(tensor({3, 1031}, is_positive ? 0.1 : -9, 3, 2));
    if (what == f::power) one.tolerance_factor = 4;
    cases.push_back(one);
  }
  const ops::elementwise sum{{{f::add}}};
  for (const auto& [a, b] :
       std::vector<std::pair<dimensions, dimensions>>{{{}, {}},
                                                      {{1}, {1}},
                                                      {{0}, {1}},
                                                      {{5, 0, 3}, {3}},
                                                      {{1023}, {1}},
                                                      {{1}, {1025}},
                                                      {{4, 1, 6}, {5, 1}},
                                                      {{2, 3, 4, 5}, {3, 1, 5}},
                                                      {{2, 1, 3, 1, 2}, {4, 1, 2, 1}},
                                                      {{70000, 3}, {70000, 1}}})
    cases.push_back({"sum of " + text_of(a) + " and " + text_of(b),
                     sum,
                     {tensor(a, -9, 9, 3), tensor(b, -9, 9, 4)}});
  {
    host_tensor turned(dtypes::f32, {37, 53}, transposed_strides({37, 53}));
    host_tensor back(dtypes::f32, {37, 53}, {-53, -1});
    host_tensor gaps(dtypes::f32, {37, 53}, {120, 2});
    cases.push_back({"of transposed, reversed and gapped memory",
                     ops::elementwise{{{f::multiply, 1}, {f::add, 2}}},
                     {fill_between(turned, -2, 2, 5), fill_between(back, -2, 2, 6),
                      fill_between(gaps, -2, 2, 7)}});
  }
  cases.push_back({"a chain of nine steps",
                   ops::elementwise{{{f::affine, 0, 0.5f, 0.25f},
                                     {f::add, 1},
                                     {f::tanh},
                                     {f::multiply, 2},
                                     {f::square},
                                     {f::affine, 0, 1, 1},
                                     {f::sqrt},
                                     {f::minimum, 1},
                                     {f::negate}}},
                   {tensor({33, 65}, -3, 3, 8), tensor({65}, 0, 3, 9), tensor({33, 1}, 0, 2, 10)},
                   3});
  cases.push_back(
      {"halves",
       ops::elementwise{{{f::add, 1}, {f::silu}}},
       {tensor({7, 129}, -6, 6, 11, dtypes::f16), tensor({129}, -1, 1, 12, dtypes::f16)}});
  return cases;
}

}  // namespace conformance
