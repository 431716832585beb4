// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// The element of a matrix of `t`'s batch, which stretches to the one of `index`.
inline double matrix_at(const host_tensor& t, const dimensions& index, std::int64_t row,
                        std::int64_t column) {
  dimensions own = t.what().shape;
  const std::size_t batch = own.size() - 2, more = index.size() - own.size();
  for (std::size_t d = 0; d < batch; ++d) own[d] = own[d] == 1 ? 0 : index[more + d];
  own[batch] = row;
  own[batch + 1] = column;
  return t.at(own);
}

inline void reference(const ops::matmul& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const dimensions shape_a = in[0].what().shape;
  const std::int64_t k = shape_a[shape_a.size() - 1];
  const bool scales = in[1].what().type == dtypes::i8;
  out[0].fill([&](std::int64_t element) {
    const dimensions index = out[0].index_of(element);
    const std::int64_t i = index[index.size() - 2], j = index[index.size() - 1];
    double sum = 0;
    for (std::int64_t p = 0; p < k; ++p)
      sum += matrix_at(in[0], index, i, p) * matrix_at(in[1], index, p, j);
    if (scales) sum *= in[2].at(j);
    return what.bias ? sum + in.back().at(j) : sum;
  });
}

/// Inputs of shapes `a` and `b`, with what belongs to the types and to `bias`.
inline op_case matmul_case(const std::string& name, const host_tensor& a, const host_tensor& b,
                           bool bias = false) {
  op_case made{name + ": " + text_of(a.what().shape) + " times " + text_of(b.what().shape),
               ops::matmul{bias},
               {a, b}};
  const dimensions& shape = b.what().shape;
  const std::int64_t n = shape[shape.size() - 1];
  const auto columns = [n](double low, double high, std::uint32_t seed) {
    host_tensor t(dtypes::f32, {n}, {seed % 2 == 0 ? -1 : 3});
    return fill_between(t, low, high, seed);
  };
  if (b.what().type == dtypes::i8) made.inputs.push_back(columns(0.001, 0.02, 21));
  if (bias) made.inputs.push_back(columns(-1, 1, 22));
  // Errors grow with the sums, of numbers of either sign.
  const dimensions& shape_a = a.what().shape;
  made.tolerance_factor = 1 + static_cast<double>(shape_a[shape_a.size() - 1]) / 64;
  return made;
}

inline host_tensor matrix(const dimensions& shape, std::uint32_t seed, dtype type = dtypes::f32) {
  host_tensor t(type, shape);
  const bool is_weight = type == dtypes::i8;
  numbers from(seed);
  return t.fill([&](std::int64_t) {
    const double v = from.next();
    return is_weight ? std::nearbyint(127 * v) : v;
  });
}
inline host_tensor matrix(const dimensions& shape, const dimensions& strides, std::uint32_t seed,
                          dtype type = dtypes::f32) {
  const host_tensor dense = matrix(shape, seed, type);
  host_tensor t(type, shape, strides);
  return t.fill([&](std::int64_t i) { return dense.at(i); });
}
/// One memory seen as a matrix of repeated rows, columns or batches.
inline host_tensor repeated(const dimensions& shape, const dimensions& strides,
                            std::uint32_t seed) {
  host_tensor t(dtypes::f32, shape, strides);
  return fill_between(t, -1, 1, seed);
}

inline void add_matmul_shapes(std::vector<op_case>& cases) {
  const std::pair<dtype, dtype> types[] = {
      {dtypes::f32, dtypes::f32}, {dtypes::f16, dtypes::f16}, {dtypes::f32, dtypes::i8}};
  struct mnk {
    std::int64_t m, n, k;
  };
  for (const auto& [of_a, of_b] : types)
    for (const auto& [m, n, k] : std::vector<mnk>{{1, 1, 1},
                                                  {2, 3, 4},
                                                  {13, 17, 19},
                                                  {64, 64, 64},
                                                  {65, 67, 33},
                                                  {1, 200, 130},
                                                  {200, 1, 130},
                                                  {1, 1, 1000},
                                                  {3, 500, 7},
                                                  {700, 5, 9},
                                                  {33, 31, 1029},
                                                  {130, 140, 260}}) {
      const bool bias = (m + n) % 2 == 0;
      cases.push_back(matmul_case(of_a.name() + ", " + of_b.name(), matrix({m, k}, 1, of_a),
                                  matrix({k, n}, 2, of_b), bias));
    }
  // These are enough for several threads: rows that share a packed B, and columns.
  for (const auto& [of_a, of_b] : types)
    for (const auto& [m, n, k] : std::vector<mnk>{{150, 290, 516}, {30, 900, 301}})
      cases.push_back(matmul_case("shared " + of_b.name(), matrix({m, k}, 3, of_a),
                                  matrix({k, n}, 4, of_b), true));
  cases.push_back(matmul_case("no element", matrix({0, 3}, 5), matrix({3, 4}, 6)));
  cases.push_back(matmul_case("no depth", matrix({5, 0}, 7), matrix({0, 6}, 8)));
  cases.push_back(matmul_case("no depth, a bias", matrix({2, 5, 0}, 9), matrix({0, 6}, 10), true));
  cases.push_back(matmul_case("no depth, one row", matrix({1, 0}, 9, dtypes::f16),
                              matrix({0, 6}, 10, dtypes::f16), true));
}

inline void add_matmul_batches(std::vector<op_case>& cases) {
  for (const auto& [a, b] :
       std::vector<std::pair<dimensions, dimensions>>{{{3, 20, 24}, {3, 24, 28}},
                                                      {{3, 5, 24}, {24, 28}},
                                                      {{2, 3, 1, 24}, {24, 40}},
                                                      {{20, 24}, {4, 24, 12}},
                                                      {{2, 1, 9, 8}, {3, 8, 12}},
                                                      {{1, 5, 1, 1, 6, 8}, {4, 1, 3, 2, 8, 4}},
                                                      {{300, 2, 3}, {300, 3, 2}},
                                                      {{6, 1, 33}, {6, 33, 20}},
                                                      {{6, 20, 33}, {6, 33, 1}},
                                                      {{2, 140, 300}, {1, 300, 136}}})
    cases.push_back(matmul_case("batches", matrix(a, 11), matrix(b, 12), a.size() > 2));
  cases.push_back(matmul_case("batches of halves", matrix({3, 10, 12}, 13, dtypes::f16),
                              matrix({12, 16}, 14, dtypes::f16), true));
  cases.push_back(matmul_case("batches of halves", matrix({3, 10, 12}, 13, dtypes::f16),
                              matrix({3, 12, 16}, 14, dtypes::f16)));
  cases.push_back(matmul_case("batches of weights", matrix({2, 10, 12}, 15),
                              matrix({2, 12, 16}, 16, dtypes::i8), true));
}

inline void add_matmul_strides(std::vector<op_case>& cases) {
  const dimensions a{40, 36}, b{36, 44};
  const auto weights = [](const dimensions& strides) {
    return matrix({36, 44}, strides, 18, dtypes::i8);
  };
  const auto halves = [](const dimensions& shape, const dimensions& strides) {
    return matrix(shape, strides, 19, dtypes::f16);
  };
  cases.push_back(matmul_case("A transposed", matrix(a, transposed_strides(a), 17), matrix(b, 18)));
  cases.push_back(matmul_case("B transposed", matrix(a, 17), matrix(b, transposed_strides(b), 18)));
  cases.push_back(matmul_case("both transposed", matrix(a, transposed_strides(a), 17),
                              matrix(b, transposed_strides(b), 18), true));
  cases.push_back(matmul_case("sliced", matrix(a, {80, 2}, 17), matrix(b, {150, 3}, 18)));
  cases.push_back(matmul_case("rows of slices", matrix(a, {48, 1}, 17), matrix(b, {60, 1}, 18)));
  cases.push_back(matmul_case("reversed", matrix(a, {-36, -1}, 17), matrix(b, {-44, 1}, 18)));
  cases.push_back(matmul_case("one row of A", repeated(a, {0, 1}, 17), matrix(b, 18)));
  cases.push_back(matmul_case("one number of B", matrix(a, 17), repeated(b, {0, 0}, 18)));
  cases.push_back(matmul_case("weights transposed", matrix(a, 17), weights({1, 36}), true));
  cases.push_back(matmul_case("weights sliced", matrix(a, {1, 41}, 17), weights({90, -2}), true));
  cases.push_back(matmul_case("halves transposed", halves(a, {1, 40}), halves(b, {1, 36})));
  cases.push_back(matmul_case("halves sliced", halves(a, {74, 2}), halves(b, {-50, 1}), true));
  cases.push_back(
      matmul_case("a row times transposed weights", matrix({1, 36}, 17), weights({1, 36}), true));
  cases.push_back(matmul_case("a row times halves transposed", halves({1, 36}, {36, 1}),
                              halves(b, {1, 36}), true));
  cases.push_back(matmul_case("a strided row", matrix({1, 36}, {7, 5}, 17),
                              matrix(b, transposed_strides(b), 18)));
  cases.push_back(matmul_case("a strided column", matrix(a, transposed_strides(a), 17),
                              matrix({36, 1}, {-3, 1}, 18), true));
  cases.push_back(matmul_case("a strided matrix times a column", matrix(a, {90, 2}, 17),
                              matrix({36, 1}, {0, 0}, 18)));
  cases.push_back(matmul_case("batches the other way round",
                              matrix({3, 2, 12, 8}, {96, 288, 8, 1}, 17), matrix({2, 8, 4}, 18)));
  cases.push_back(matmul_case("a batch that is repeated", repeated({4, 6, 8}, {0, 8, 1}, 17),
                              matrix({4, 8, 12}, 18)));
}

inline std::vector<op_case> cases_of_matmul() {
  std::vector<op_case> cases;
  add_matmul_shapes(cases);
  add_matmul_batches(cases);
  add_matmul_strides(cases);
  return cases;
}

}  // namespace conformance
