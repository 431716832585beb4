// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `nms_on_cpu`, which is one group.
struct cpu_nms {
  std::int64_t boxes = 0, box_stride = 0, number_stride = 0, score_stride = 0, class_stride = 0;
  std::int64_t outputs = 0;
  float iou_threshold = 0, score_threshold = 0;
  std::uint32_t has_classes = 0;
};

/// Bindings: boxes, scores, classes (or anything), each from its first element on; the indices, how
/// many they are, and scratch memory for an i32 per box.
void nms_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
