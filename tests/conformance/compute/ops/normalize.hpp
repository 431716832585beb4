// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

inline void normalized(const std::vector<host_tensor>& in, host_tensor& out, bool is_around_mean,
                       double epsilon) {
  const dimensions& shape = in[0].what().shape;
  const std::int64_t columns = shape[shape.size() - 1];
  for (std::int64_t at = 0; at < in[0].elements(); at += columns) {
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < columns && is_around_mean; ++i) mean += in[0].at(at + i);
    mean /= static_cast<double>(columns);
    for (std::int64_t i = 0; i < columns; ++i) square += std::pow(in[0].at(at + i) - mean, 2);
    const double root = std::sqrt(square / static_cast<double>(columns) + epsilon);
    for (std::int64_t i = 0; i < columns; ++i)
      out.set(at + i, (in[0].at(at + i) - mean) / root * (in.size() > 1 ? in[1].at(i) : 1) +
                          (in.size() > 2 ? in[2].at(i) : 0));
  }
}

inline void reference(const ops::layer_norm& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  normalized(in, out[0], true, what.epsilon);
}
inline void reference(const ops::rms_norm& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  normalized(in, out[0], false, what.epsilon);
}

template <class Op>
std::vector<op_case> cases_of_normalizing(std::size_t inputs_max) {
  std::vector<op_case> cases;
  const auto add = [&](const dimensions& shape, const dimensions& strides, std::size_t inputs,
                       dtype type = dtypes::f32, double middle = 0.5) {
    const std::int64_t columns = shape[shape.size() - 1];
    host_tensor x(type, shape, strides), row(type, {columns}), other(type, {columns}, {-1});
    op_case one{type.name() + " " + text_of(shape) + ", strides " + text_of(strides) + ", " +
                    std::to_string(inputs) + " inputs",
                Op{},
                {fill_between(x, middle - 2, middle + 2, 5)},
                std::max(4.0, std::abs(middle) / 4)};
    if (inputs > 1) one.inputs.push_back(fill_between(row, -2, 2, 6));
    if (inputs > 2) one.inputs.push_back(fill_between(other, -2, 2, 7));
    cases.push_back(one);
  };
  for (std::size_t inputs = 1; inputs <= inputs_max; ++inputs)
    for (const dtype type : {dtypes::f32, dtypes::f16}) {
      add({1}, {1}, inputs, type);
      add({0, 4}, {4, 1}, inputs, type);
      add({3, 0}, {1, 1}, inputs, type);
      add({37, 10}, {10, 1}, inputs, type);
      add({5, 768}, {768, 1}, inputs, type);
      add({2, 3, 2500}, {-7500, 2500, 1}, inputs, type);
      add({33, 40}, {1, 33}, inputs, type);
      add({6, 5}, {0, 1}, inputs, type);
    }
  add({70001, 9}, {9, 1}, 2);
  add({2, 300001}, {300001, 1}, 2);
  add({3, 1030}, {1030, 1}, 1, dtypes::f32, 300);
  add({2, 3, 2, 3, 2, 3, 2, 3}, transposed_strides({2, 3, 2, 3, 2, 3, 2, 3}), 1);
  return cases;
}
inline std::vector<op_case> cases_of_layer_norm() {
  return cases_of_normalizing<ops::layer_norm>(3);
}
inline std::vector<op_case> cases_of_rms_norm() { return cases_of_normalizing<ops::rms_norm>(2); }

}  // namespace conformance
