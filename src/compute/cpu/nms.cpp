// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/nms.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

struct nms_box {
  float x1, y1, x2, y2;
  bool is_finite() const {
    return std::isfinite(x1) && std::isfinite(y1) && std::isfinite(x2) && std::isfinite(y2);
  }
};

// Of what two ranges have in common, or 0.
float common_length(float a1, float a2, float b1, float b2) {
  const float d = (a2 < b2 ? a2 : b2) - (a1 > b1 ? a1 : b1);
  return d > 0 ? d : 0;
}
float common_area(const nms_box& a, const nms_box& b) {
  return common_length(a.x1, a.x2, b.x1, b.x2) * common_length(a.y1, a.y2, b.y1, b.y2);
}

struct nms_inputs {
  const cpu_call& call;
  const cpu_nms& how;

  nms_box box(std::int32_t i) const {
    const float* from =
        call.buffer<const float>(0) + static_cast<std::ptrdiff_t>(i * how.box_stride);
    const auto next = static_cast<std::ptrdiff_t>(how.number_stride);
    return {from[0], from[next], from[2 * next], from[3 * next]};
  }
  float score(std::int32_t i) const {
    return call.buffer<const float>(1)[static_cast<std::ptrdiff_t>(i * how.score_stride)];
  }
  bool are_of_one_class(std::int32_t i, std::int32_t k) const {
    if (how.has_classes == 0) return true;
    const auto* all = call.buffer<const std::int32_t>(2);
    return all[static_cast<std::ptrdiff_t>(i * how.class_stride)] ==
           all[static_cast<std::ptrdiff_t>(k * how.class_stride)];
  }
  bool overlap(const nms_box& a, const nms_box& b) const {
    const float both = common_area(a, b);
    return both > how.iou_threshold * (common_area(a, a) + common_area(b, b) - both);
  }
};

}  // namespace

void nms_on_cpu(const cpu_call& call, std::uint64_t, std::uint64_t) {
  const auto& how = call.parameters_as<cpu_nms>();
  const nms_inputs in{call, how};
  auto* const order = call.buffer<std::int32_t>(5);
  std::int32_t* end = order;
  for (std::int32_t i = 0; i < how.boxes; ++i)
    if (in.score(i) > how.score_threshold && in.box(i).is_finite()) *end++ = i;
  std::sort(order, end, [&](std::int32_t a, std::int32_t b) {
    const float x = in.score(a), y = in.score(b);
    return x > y || (x == y && a < b);
  });
  const std::span chosen(call.buffer<std::int32_t>(3), static_cast<std::size_t>(how.outputs));
  std::size_t count = 0;
  for (const std::int32_t* next = order; next != end && count < chosen.size(); ++next) {
    const nms_box box = in.box(*next);
    const bool is_new = std::ranges::none_of(chosen.first(count), [&](std::int32_t k) {
      return in.are_of_one_class(*next, k) && in.overlap(in.box(k), box);
    });
    if (is_new) chosen[count++] = *next;
  }
  std::ranges::fill(chosen.subspan(count), -1);
  *call.buffer<std::int32_t>(4) = static_cast<std::int32_t>(count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
