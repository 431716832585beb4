// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/conformance/compute/op_suite.hpp"

namespace conformance {

inline void reference(const ops::nms& what, const std::vector<host_tensor>& in,
                      std::vector<host_tensor>& out) {
  const std::int64_t n = in[1].elements();
  const auto area_of = [](double x1, double y1, double x2, double y2) {
    return std::max(x2 - x1, 0.0) * std::max(y2 - y1, 0.0);
  };
  const auto at = [&](std::int64_t box, std::int64_t which) {
    return in[0].at(dimensions{box, which});
  };
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < n; ++i) {
    bool is_finite = true;
    for (std::int64_t k = 0; k < 4; ++k) is_finite = is_finite && std::isfinite(at(i, k));
    if (is_finite && in[1].at(i) > what.score_threshold) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return in[1].at(a) > in[1].at(b); });
  std::vector<std::int64_t> chosen;
  for (const std::int64_t i : order) {
    const bool is_new = std::none_of(chosen.begin(), chosen.end(), [&](std::int64_t k) {
      if (in.size() == 3 && in[2].at(i) != in[2].at(k)) return false;
      const double both = area_of(std::max(at(i, 0), at(k, 0)), std::max(at(i, 1), at(k, 1)),
                                  std::min(at(i, 2), at(k, 2)), std::min(at(i, 3), at(k, 3)));
      const double any = area_of(at(i, 0), at(i, 1), at(i, 2), at(i, 3)) +
                         area_of(at(k, 0), at(k, 1), at(k, 2), at(k, 3)) - both;
      return both > what.iou_threshold * any;
    });
    if (is_new && static_cast<std::int64_t>(chosen.size()) < what.outputs_max) chosen.push_back(i);
  }
  out[0].fill([&](std::int64_t i) {
    const auto which = static_cast<std::size_t>(i);
    return which < chosen.size() ? static_cast<double>(chosen[which]) : -1.0;
  });
  out[1].set(std::int64_t{0}, static_cast<double>(chosen.size()));
}

/// Boxes of whole numbers, so that areas have no rounding.
inline host_tensor boxes_of(std::int64_t n, double wide, const dimensions& strides) {
  host_tensor made(dtypes::f32, {n, 4}, strides);
  numbers from(11);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < 2; ++k) {
      const double begin = std::floor(from.between(0, wide));
      made.set(dimensions{i, k}, begin);
      made.set(dimensions{i, k + 2}, begin + std::floor(from.between(-1, 40)));
    }
  return made;
}

inline std::vector<op_case> cases_of_nms() {
  std::vector<op_case> cases;
  // Few scores, so that many are equal.
  const auto scores_of = [](std::int64_t n, double levels, std::int64_t stride = 1) {
    host_tensor made(dtypes::f32, {n}, {stride});
    numbers from(12);
    return made.fill([&](std::int64_t) { return std::floor(from.between(-levels, levels)); });
  };
  const auto classes_of = [](std::int64_t n, std::int64_t stride = 1) {
    host_tensor made(dtypes::i32, {n}, {stride});
    return made.fill([](std::int64_t i) { return static_cast<double>(i * 7 % 3 - 1); });
  };
  const auto add = [&](std::int64_t n, double wide, const ops::nms& what) {
    const std::string name = std::to_string(n) + " boxes in " + std::to_string(wide);
    cases.push_back({name, what, {boxes_of(n, wide, {4, 1}), scores_of(n, 50)}});
    cases.push_back({name + ", classes",
                     what,
                     {boxes_of(n, wide, {1, std::max<std::int64_t>(n, 1)}), scores_of(n, 50, 3),
                      classes_of(n, -2)}});
  };
  for (const std::int64_t n : {0, 1, 2, 31, 33, 64, 300}) add(n, 60, {0.3f, -20, 20});
  add(100, 5000, {0.5f, -100, 100});
  add(100, 1, {0.0f, 10, 7});
  add(200, 100, {1.0f, -100, 300});
  add(1500, 200, {0.45f, -40, 1});
  add(1100, 300, {0.6f, -40, 900});
  host_tensor boxes = boxes_of(40, 30, {4, 1}), scores = scores_of(40, 3);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  boxes.set(dimensions{3, 2}, std::nan(""));
  boxes.set(dimensions{5, 0}, -infinity);
  for (const std::int64_t i : {1, 7}) scores.set(i, std::nan(""));
  for (const std::int64_t i : {2, 5, 12}) scores.set(i, infinity);
  scores.set(std::int64_t{9}, -infinity);
  scores.set(std::int64_t{10}, -0.0);
  cases.push_back({"NaN and infinities", ops::nms{.outputs_max = 50}, {boxes, scores}});
  cases.push_back({"nothing above the threshold",
                   ops::nms{.score_threshold = 99},
                   {boxes_of(40, 30, {4, 1}), scores_of(40, 3)}});
  return cases;
}

}  // namespace conformance
