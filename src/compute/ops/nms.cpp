// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/nms.hpp"

#include <cmath>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/nms.k has them.
struct nms_parameters {
  std::uint32_t boxes, words, first_box, first_of_box, first_y;
  std::int32_t box_stride, number_stride, of_box_stride;
  float iou_threshold, score_threshold;
  std::uint32_t outputs, has_classes;
};
constexpr std::uint32_t nms_group = 128, nms_stages = 4, nms_word = 32;
constexpr std::uint32_t nms_words_max = ops::nms::boxes_max / nms_word;

constexpr kernel_source nms_on_devices = {.name = "nms",
                                          .buffers = 4,
                                          .parameter_bytes = sizeof(nms_parameters),
                                          .constants = 4,
                                          .code = &embedded::nms_stages};
constexpr kernel_source nms_on_processor = {
    .name = "nms", .buffers = 6, .parameter_bytes = sizeof(cpu_nms), .cpu = nms_on_cpu};

error nms_fault(const std::string& what) {
  return compute_error(errc::invalid_argument, "nms: " + what);
}

result<void> plan_nms_on_cpu(const ops::nms& what, planner& to) {
  cpu_nms how;
  how.boxes = to.input(0).shape[0];
  how.box_stride = to.input(0).strides[0];
  how.number_stride = to.input(0).strides[1];
  how.score_stride = to.input(1).strides[0];
  how.has_classes = to.input_count() == 3;
  const std::size_t classes = how.has_classes != 0 ? 2 : 1;
  how.class_stride = to.input(classes).strides[0];
  how.outputs = what.outputs_max;
  how.iou_threshold = what.iou_threshold;
  how.score_threshold = what.score_threshold;
  const operand order = operand::dense(dtypes::i32, {how.boxes});
  const slot scratch = to.scratch(order.elements() * 4);
  planned_launch& made = to.launch(nms_on_processor);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}, classes})
    to.bind_from_first(made, to.input_slot(i), to.input(i));
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
    to.bind_from_first(made, to.output_slot(i), to.output(i));
  to.bind_from_first(made, scratch, order);
  made.set_parameters(how);
  return to.set_groups(made, 1);
}

// Scores as integers, ranks, who suppresses whom, and the choice.
result<void> plan_nms_on_device(const ops::nms& what, planner& to) {
  const auto n = static_cast<std::uint32_t>(to.input(0).shape[0]);
  const auto words = static_cast<std::uint32_t>(divided_up(n, nms_word));
  const std::int64_t numbers = 1 + std::int64_t{n} * (2 + std::int64_t{words});
  const operand work = operand::dense(dtypes::i32, {numbers});
  const slot scratch = to.scratch(work.elements() * 4);
  const bool has_classes = to.input_count() == 3;
  const std::uint64_t items[nms_stages] = {n, n, std::uint64_t{n} * words, 1};
  for (std::uint32_t stage = 0; stage < nms_stages; ++stage) {
    const std::size_t of_box = stage >= 2 && has_classes ? 2 : 1;
    planned_launch& made = to.launch(nms_on_devices);
    nms_parameters p{};
    BEAMLET_TRY(p.first_box, to.bind(made, to.input_slot(0), to.input(0)));
    BEAMLET_TRY(p.first_of_box, to.bind(made, to.input_slot(of_box), to.input(of_box)));
    BEAMLET_TRY_VOID(to.bind(made, scratch, work));
    BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), to.output(0)));
    p.boxes = n;
    p.words = words;
    p.box_stride = static_cast<std::int32_t>(to.input(0).strides[0]);
    p.number_stride = static_cast<std::int32_t>(to.input(0).strides[1]);
    p.of_box_stride = static_cast<std::int32_t>(to.input(of_box).strides[0]);
    p.iou_threshold = what.iou_threshold;
    p.score_threshold = what.score_threshold;
    p.outputs = static_cast<std::uint32_t>(what.outputs_max);
    p.has_classes = has_classes;
    made.constants.values[2] = stage;
    made.constants.values[3] = stage + 1 == nms_stages ? nms_words_max : 1;
    made.set_parameters(p);
    BEAMLET_TRY_VOID(to.set_items(made, nms_group, items[stage]));
  }
  return plan_copy(to, scratch, operand::dense(dtypes::i32, {1}), to.output_slot(1), to.output(1));
}

}  // namespace

result<tensor_types> outputs_of(const ops::nms& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 2 && inputs.size() != 3)
    return nms_fault("takes boxes, scores and perhaps classes, not " +
                     std::to_string(inputs.size()) + " inputs");
  const dimensions& boxes = inputs[0].shape;
  if (inputs[0].type != dtypes::f32 || boxes.size() != 2 || boxes[1] != 4)
    return nms_fault("boxes are f32 [n, 4], not " + inputs[0].type.name() + " " + text_of(boxes));
  const dimensions expected{boxes[0]};
  if (inputs[1].type != dtypes::f32 || inputs[1].shape != expected)
    return nms_fault("scores are f32 " + text_of(expected) + ", not " + inputs[1].type.name() +
                     " " + text_of(inputs[1].shape));
  if (inputs.size() == 3 && (inputs[2].type != dtypes::i32 || inputs[2].shape != expected))
    return nms_fault("classes are i32 " + text_of(expected) + ", not " + inputs[2].type.name() +
                     " " + text_of(inputs[2].shape));
  if (!(what.iou_threshold >= 0 && what.iou_threshold <= 1))
    return nms_fault("iou_threshold is 0 to 1");
  if (std::isnan(what.score_threshold)) return nms_fault("score_threshold is NaN");
  if (what.outputs_max < 1 || what.outputs_max > what.boxes_max)
    return nms_fault("outputs_max is 1 to " + std::to_string(what.boxes_max) + ", not " +
                     std::to_string(what.outputs_max));
  if (boxes[0] > what.boxes_max)
    return compute_error(errc::unsupported, "nms: of " + std::to_string(boxes[0]) +
                                                " boxes, more than " +
                                                std::to_string(what.boxes_max) +
                                                "; leave out those of low scores before");
  return tensor_types{{dtypes::i32, {what.outputs_max}}, {dtypes::i32, {1}}};
}

op_cost cost_of(const ops::nms&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto n = static_cast<double>(inputs[1].elements());
  op_cost made;
  made.bytes = 24 * n + 4 * static_cast<double>(outputs[0].elements());
  made.functions = n * n;  // pairs that are compared
  return made;
}

result<void> plan_for(const ops::nms& what, planner& to) {
  if (to.on_cpu()) return plan_nms_on_cpu(what, to);
  if (to.input(0).elements() != 0) return plan_nms_on_device(what, to);
  BEAMLET_TRY_VOID(plan_fill(to, to.output_slot(0), to.output(0), -1));
  return plan_fill(to, to.output_slot(1), to.output(1), 0);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
