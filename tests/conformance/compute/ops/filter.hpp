// SPDX-License-Identifier: Apache-2.0
#pragma once

// filter2d, separable_filter and sobel.

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "compute/shapes.hpp"
#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

/// What an image shows at `index`, whose row and column may lie beyond its edges.
inline double shown(const host_tensor& image, dimensions index, ops::border edges) {
  const dimensions& shape = image.what().shape;
  for (std::size_t d = shape.size() - 3; d + 1 < shape.size(); ++d) {
    const std::int64_t last = shape[d] - 1;
    if (index[d] >= 0 && index[d] <= last) continue;
    if (edges == ops::border::constant) return 0;
    if (edges == ops::border::replicate) index[d] = std::clamp<std::int64_t>(index[d], 0, last);
    while (index[d] < 0 || index[d] > last)  // as often as the mirrors show each other
      index[d] = last == 0 ? 0 : index[d] < 0 ? -index[d] : 2 * last - index[d];
  }
  return image.at(index);
}

/// The sum around each element. `at(r, c)`: the coefficient of row r and column c.
inline double sum_around(const host_tensor& image, dimensions index, std::int64_t rows,
                         std::int64_t columns, ops::border edges,
                         const std::function<double(std::int64_t, std::int64_t)>& at) {
  const std::size_t y = index.size() - 3, x = index.size() - 2;
  double sum = 0;
  index[y] -= rows / 2;
  for (std::int64_t r = 0; r < rows; ++r, ++index[y]) {
    dimensions place = index;
    place[x] -= columns / 2;
    for (std::int64_t c = 0; c < columns; ++c, ++place[x])
      if (at(r, c) != 0) sum += at(r, c) * shown(image, place, edges);
  }
  return sum;
}

inline double as_type_of(const host_tensor& out, double value) {
  if (out.what().type != dtypes::u8) return value;
  return std::isnan(value) ? 0 : std::clamp(std::nearbyint(value), 0.0, 255.0);
}

inline void reference(const ops::filter2d& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  out[0].fill([&](std::int64_t i) {
    return as_type_of(
        out[0],
        sum_around(in[0], out[0].index_of(i), what.rows, what.columns, what.edges,
                   [&](std::int64_t r, std::int64_t c) {
                     return what.coefficients[static_cast<std::size_t>(r * what.columns + c)];
                   }));
  });
}

inline void reference(const ops::separable_filter& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const auto rows = static_cast<std::int64_t>(what.vertical.size());
  const auto columns = static_cast<std::int64_t>(what.horizontal.size());
  out[0].fill([&](std::int64_t i) {
    const double sum = sum_around(in[0], out[0].index_of(i), rows, columns, what.edges,
                                  [&](std::int64_t r, std::int64_t c) {
                                    return double{what.vertical[static_cast<std::size_t>(r)]} *
                                           what.horizontal[static_cast<std::size_t>(c)];
                                  });
    return as_type_of(out[0], sum);
  });
}

inline void reference(const ops::sobel& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const auto along = [&](std::int64_t i, bool is_x) {
    return sum_around(in[0], out[0].index_of(i), 3, 3, what.edges,
                      [&](std::int64_t r, std::int64_t c) {
                        const std::int64_t by = (is_x ? c : r) - 1, weight = (is_x ? r : c) == 1;
                        return static_cast<double>(by * (1 + weight));
                      });
  };
  out[0].fill([&](std::int64_t i) {
    if (what.what == ops::sobel::kind::dx) return along(i, true);
    if (what.what == ops::sobel::kind::dy) return along(i, false);
    return std::hypot(along(i, true), along(i, false));
  });
}

/// Multiples of 1/64 between -1 and 1: sums of them with bytes have no rounding.
inline std::vector<float> coefficients_of(std::size_t count, std::uint32_t seed) {
  numbers from(seed);
  std::vector<float> made(count);
  for (float& c : made) c = static_cast<float>(std::round(from.next() * 64) / 64);
  return made;
}

struct image_shape {
  dimensions shape, strides;
  image_shape(const dimensions& dense)
      : shape(dense), strides(operand::dense(dtypes::u8, dense).strides) {}
  image_shape(const dimensions& size, const dimensions& apart) : shape(size), strides(apart) {}
};

/// Whole numbers, as bytes and as floats.
inline host_tensor image_of(dtype type, const image_shape& how) {
  host_tensor made(type, how.shape, how.strides);
  numbers from(7);
  return made.fill([&](std::int64_t) { return std::floor(from.between(0, 256)); });
}

/// Smaller and larger than what is looked at, of one and many channels, parts of larger images,
/// upside down, several, turned.
inline std::vector<image_shape> image_shapes() {
  return {image_shape({1, 1, 1}),
          image_shape({2, 1, 3}),
          image_shape({9, 2, 3}),
          image_shape({3, 70, 1}),
          image_shape({2, 5, 6, 1}),
          image_shape({71, 33, 3}),
          image_shape({5, 2, 131}),
          image_shape({0, 4, 2}),
          image_shape({20, 30, 3}, {150, 3, 1}),
          image_shape({20, 30, 1}, {-41, 1, 1}),
          image_shape({3, 8, 7, 2}, {140, -14, 2, 1}),
          image_shape({2, 2, 9, 11, 2}, {500, 210, 22, 2, 1}),
          image_shape({12, 18, 4}, {18, 1, 216})};
}

inline std::string name_of_filter(dtype type, const image_shape& how, ops::border edges) {
  return type.name() + " " + text_of(how.shape) + ", strides " + text_of(how.strides) +
         ", border " + std::to_string(static_cast<int>(edges));
}

inline std::vector<op_case> cases_of_filter2d() {
  std::vector<op_case> cases;
  const auto add = [&](dtype type, const image_shape& how, const ops::filter2d& what,
                       double factor = 1) {
    cases.push_back({name_of_filter(type, how, what.edges) + ", " + std::to_string(what.rows) +
                         " x " + std::to_string(what.columns) + (what.to_f32 ? ", to f32" : ""),
                     what,
                     {image_of(type, how)},
                     factor});
  };
  using ops::border;
  // Of which sums fit into shorts: as 128th parts, and as they are.
  std::vector<float> smooth = {1, 2, 1, 2, 4, 2, 1, 2, 1},
                     mixed = {-9, 20, 3, 0, 59, -5, 1, -30, 1};
  for (float& c : smooth) c /= 16;
  for (float& c : mixed) c /= 128;
  const std::vector<float> sharp = {0, -1, 0, -1, 5, -1, 0, -1, 0};
  for (const border edges : {border::constant, border::replicate, border::reflect101})
    for (const image_shape& how : image_shapes()) {
      add(dtypes::u8, how, {3, 3, smooth, edges, false});
      add(dtypes::u8, how, {3, 3, sharp, edges, false});
      add(dtypes::u8, how, {3, 3, coefficients_of(9, 1), edges, false});
      add(dtypes::u8, how, {5, 3, coefficients_of(15, 2), edges, true});
      add(dtypes::u8, how, {7, 7, coefficients_of(49, 3), edges, false});
      add(dtypes::f32, how, {5, 5, coefficients_of(25, 4), edges, false}, 8);
    }
  const border mirror = border::reflect101;
  const image_shape large({150, 301, 3}), wide({3, 9000, 1});
  add(dtypes::u8, large, {3, 3, smooth, mirror, false});
  add(dtypes::u8, large, {3, 3, mixed, mirror, false});
  add(dtypes::u8, wide, {1, 3, {0.25f, 0.5f, 0.25f}, mirror, false});
  add(dtypes::u8, wide, {3, 1, {128, 0, -128}, mirror, false});
  add(dtypes::u8, wide, {1, 1, {0.5f}, mirror, false});
  add(dtypes::u8, wide, {1, 5, {0, 0, 0, 0, 0}, mirror, true});
  add(dtypes::f32, wide, {3, 7, coefficients_of(21, 5), mirror, false}, 8);
  add(dtypes::u8, {{70, 130, 3}, {390 * 2, 6, 2}}, {3, 3, coefficients_of(9, 6), mirror, true});
  host_tensor ends(dtypes::f32, {5, 7, 1});
  ends.fill([](std::int64_t i) { return i == 3 ? std::nan("") : i == 20 ? HUGE_VAL : 1.0; });
  cases.push_back({"NaN and infinities", ops::filter2d{3, 3, {1, 0, 1, 0, 2, 0, 1, 0, 1}}, {ends}});
  return cases;
}

inline std::vector<op_case> cases_of_separable_filter() {
  std::vector<op_case> cases;
  const auto add = [&](dtype type, const image_shape& how, std::size_t columns, std::size_t rows,
                       ops::border edges, bool to_f32, double factor = 1) {
    ops::separable_filter what{coefficients_of(columns, 3), coefficients_of(rows, 4), edges,
                               to_f32};
    cases.push_back({name_of_filter(type, how, edges) + ", " + std::to_string(columns) + " and " +
                         std::to_string(rows) + (to_f32 ? ", to f32" : ""),
                     what,
                     {image_of(type, how)},
                     factor});
  };
  using ops::border;
  for (const border edges : {border::constant, border::replicate, border::reflect101})
    for (const image_shape& how : image_shapes()) {
      add(dtypes::u8, how, 5, 3, edges, false);
      if (edges == border::reflect101) add(dtypes::u8, how, 3, 31, edges, true, 16);
      add(dtypes::f32, how, 11, 7, edges, false, 16);
    }
  const border mirror = border::reflect101;
  add(dtypes::u8, image_shape({36, 37, 2}), 31, 31, mirror, true, 16);
  add(dtypes::u8, image_shape({5, 500, 3}), 31, 3, mirror, true, 16);
  add(dtypes::u8, image_shape({4, 5000, 1}), 7, 1, mirror, false);
  add(dtypes::f32, image_shape({260, 9, 1}), 1, 31, mirror, false, 16);
  return cases;
}

inline std::vector<op_case> cases_of_sobel() {
  std::vector<op_case> cases;
  using ops::border;
  using kind = ops::sobel::kind;
  const auto add = [&](dtype type, const image_shape& how, kind what, border edges) {
    cases.push_back(
        {name_of_filter(type, how, edges) + ", kind " + std::to_string(static_cast<int>(what)),
         ops::sobel{what, edges},
         {image_of(type, how)}});
  };
  for (const dtype type : {dtypes::u8, dtypes::f32})
    for (const kind what : {kind::dx, kind::dy, kind::magnitude}) {
      for (const image_shape& how : image_shapes()) add(type, how, what, border::reflect101);
      add(type, image_shape({9, 40, 1}), what, border::constant);
      add(type, image_shape({9, 40, 1}), what, border::replicate);
      add(type, image_shape({140, 300, 1}), what, border::reflect101);
    }
  return cases;
}

}  // namespace conformance
