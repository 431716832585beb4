// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// By definition: each number of the result is a sum over all.
inline void reference(const ops::fft& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  using kind = ops::fft::kind;
  const bool from_real = what.what == kind::real_forward, to_real = what.what == kind::real_inverse;
  const bool is_inverse = what.what == kind::inverse || to_real;
  const dimensions &of = in[0].what().shape, &to = out[0].what().shape;
  const std::int64_t numbers = of[of.size() - (from_real ? 1 : 2)];
  const std::int64_t made = to[to.size() - (to_real ? 1 : 2)];
  const std::int64_t n = to_real ? made : numbers;
  std::vector<std::complex<double>> turns, row(static_cast<std::size_t>(n));
  const double turn = (is_inverse ? 2 : -2) * 3.14159265358979323846;
  for (std::int64_t k = 0; k < n; ++k)
    turns.push_back(std::polar(1.0, turn * double(k) / double(n)));
  for (std::int64_t r = 0; r < out[0].elements() / (made * (to_real ? 1 : 2)); ++r) {
    for (std::int64_t k = 0; k < numbers; ++k) {
      auto& x = row[static_cast<std::size_t>(k)];
      const std::int64_t at = r * numbers + k;
      x = from_real ? in[0].at(at) : std::complex(in[0].at(2 * at), in[0].at(2 * at + 1));
      if (!to_real) continue;
      if (k == 0 || k == n / 2) x.imag(0);
      else row[static_cast<std::size_t>(n - k)] = std::conj(x);
    }
    for (std::int64_t k = 0; k < made; ++k) {
      std::complex<double> sum = 0;
      for (std::int64_t j = 0; j < n; ++j)
        sum += row[static_cast<std::size_t>(j)] * turns[static_cast<std::size_t>(j * k % n)];
      if (is_inverse) sum /= static_cast<double>(n);
      const std::int64_t at = r * made + k;
      if (to_real) {
        out[0].set(at, sum.real());
      } else {
        out[0].set(2 * at, sum.real());
        out[0].set(2 * at + 1, sum.imag());
      }
    }
  }
}

/// Of numbers whose transform's are about 1.
inline op_case fft_case(ops::fft::kind what, std::int64_t n, const host_tensor& in) {
  using kind = ops::fft::kind;
  constexpr const char* names[] = {"forward", "inverse", "real forward", "real inverse"};
  const double root = std::sqrt(static_cast<double>(n));
  const double size = what == kind::inverse || what == kind::real_inverse ? root : 1 / root;
  op_case made{std::string(names[static_cast<int>(what)]) + " of " + text_of(in.what().shape) +
                   ", strides " + text_of(in.what().strides),
               ops::fft{what},
               {in}};
  fill_between(made.inputs[0], -1.5 * size, 1.5 * size, 41);
  made.tolerance_factor = 1 + std::log2(static_cast<double>(n));
  return made;
}

inline std::vector<op_case> cases_of_fft() {
  using kind = ops::fft::kind;
  std::vector<op_case> cases;
  const auto add = [&](kind what, std::int64_t n, const dimensions& shape,
                       const dimensions& strides) {
    cases.push_back(fft_case(what, n, host_tensor(dtypes::f32, shape, strides)));
  };
  const auto add_dense = [&](kind what, std::int64_t n, const dimensions& shape) {
    add(what, n, shape, operand::dense(dtypes::f32, shape).strides);
  };
  for (std::int64_t n = 1; n <= 4096; n *= 2) {
    const std::int64_t rows = n <= 64 ? 150 : n <= 512 ? 5 : 1;
    for (const kind what : {kind::forward, kind::inverse}) add_dense(what, n, {rows, n, 2});
    if (n == 1) continue;
    add_dense(kind::real_forward, n, {rows, n});
    add_dense(kind::real_inverse, n, {rows, n / 2 + 1, 2});
  }
  add_dense(kind::forward, 8, {8, 2});
  add_dense(kind::real_forward, 8, {8});
  add_dense(kind::forward, 8, {0, 8, 2});
  add_dense(kind::real_forward, 8, {3, 0, 8});
  add_dense(kind::real_inverse, 8, {0, 5, 2});
  for (const kind what : {kind::forward, kind::inverse}) {
    add(what, 32, {3, 4, 32, 2}, {64, 192, -2, 1});
    add(what, 32, {3, 4, 32, 2}, transposed_strides({3, 4, 32, 2}));
    add(what, 16, {2, 3, 16, 2}, {0, 5, 11, -3});
  }
  for (const kind what : {kind::real_forward, kind::real_inverse}) {
    const bool from = what == kind::real_forward;
    add(what, 32, from ? dimensions{3, 4, 32} : dimensions{3, 17, 2},
        from ? dimensions{128, 32, -1} : dimensions{1, 3, 51});
    add(what, 32, from ? dimensions{2, 32} : dimensions{2, 17, 2},
        from ? dimensions{1, 2} : dimensions{50, -2, 1});
  }
  const dimensions deep{2, 3, 2, 3, 2, 3, 8, 2};
  add(kind::forward, 8, deep, transposed_strides(deep));
  return cases;
}

}  // namespace conformance
