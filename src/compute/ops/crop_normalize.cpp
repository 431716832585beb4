// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/crop_normalize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/images.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr std::size_t crop_channels_max = cpu_crop_normalize::channels_max;
// As floats, which places are computed with, have them all.
constexpr std::int64_t crop_side_max = std::int64_t{1} << 23;

// As kernels/dual/crop_normalize.k has them.
struct crop_normalize_parameters {
  std::uint32_t count, first_x, first_b, first_y;
  std::int32_t in_height, in_width, out_height, out_width, channels;
  std::int32_t row_stride, pixel_stride, channel_stride, box_stride, side_stride;
  std::int32_t has_boxes, is_channels_first;
  float factor[crop_channels_max], offset[crop_channels_max];
};
constexpr std::uint32_t crop_normalize_group = 128;

constexpr kernel_source crop_normalize_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "crop_normalize",
          .buffers = 3,
          .parameter_bytes = sizeof(crop_normalize_parameters),
          .constants = 2,
          .cpu = crop_normalize_on_cpu,
          .code = &code,
          .storage_16bit = is_f16,
          .storage_8bit = true};
}
constexpr kernel_source crop_normalize_sources[] = {
    crop_normalize_kernel(embedded::crop_normalize_f32, false),
    crop_normalize_kernel(embedded::crop_normalize_f16, true)};

error crop_fault(errc code, const std::string& what) {
  return compute_error(code, "crop_normalize: " + what);
}

// One number of none (`rest`), one for all channels, or one for each.
float crop_number_of(const std::vector<float>& all, std::size_t channel, float rest) {
  return all.empty() ? rest : all[all.size() == 1 ? 0 : channel];
}

struct crop_scaling {
  std::array<float, crop_channels_max> factor{}, offset{};
  crop_scaling(const ops::crop_normalize& what, std::size_t channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const double deviation = crop_number_of(what.deviation, c, 1);
      factor[c] = static_cast<float>(1 / deviation);
      offset[c] = static_cast<float>(-crop_number_of(what.mean, c, 0) / deviation);
    }
  }
};

result<void> check_crop_numbers(const ops::crop_normalize& what, std::int64_t channels) {
  const auto count = static_cast<std::size_t>(channels);
  for (const auto* numbers : {&what.mean, &what.deviation})
    if (numbers->size() > 1 && numbers->size() != count)
      return crop_fault(errc::invalid_argument,
                        "`mean` and `deviation` have no number, one, or one for each of " +
                            std::to_string(count) + " channels");
  for (std::size_t c = 0; c < count; ++c) {
    const crop_scaling made(what, count);
    if (!std::isfinite(made.factor[c]) || !std::isfinite(made.offset[c]) || made.factor[c] == 0)
      return crop_fault(errc::invalid_argument,
                        "`mean` and `deviation` are numbers that f32 divides, no deviation is 0");
  }
  return {};
}

}  // namespace

result<tensor_types> outputs_of(const ops::crop_normalize& what,
                                std::span<const tensor_type> inputs) {
  if (inputs.empty() || inputs.size() > 2)
    return crop_fault(errc::invalid_argument, "takes an image and maybe boxes, not " +
                                                  std::to_string(inputs.size()) + " inputs");
  const tensor_type& in = inputs[0];
  if (in.type != dtypes::u8)
    return crop_fault(errc::unsupported, "of u8, not of " + in.type.name());
  if (in.shape.size() != 3)
    return crop_fault(errc::invalid_argument,
                      "takes an image as [height, width, channels], not " + text_of(in.shape));
  if (in.shape[2] < 1 || in.shape[2] > cpu_crop_normalize::channels_max)
    return crop_fault(errc::unsupported, "of 1 to 4 channels, not of " + text_of(in.shape));
  if (what.to != dtypes::f32 && what.to != dtypes::f16)
    return crop_fault(
        errc::unsupported,
        "to f32 and f16, not to " + (what.to.is_valid() ? what.to.name() : "no known type"));
  const bool has_boxes = inputs.size() == 2;
  if (has_boxes &&
      (inputs[1].type != dtypes::f32 || inputs[1].shape.size() != 2 || inputs[1].shape[1] != 4))
    return crop_fault(errc::invalid_argument, "boxes are f32 [n, 4], not " + inputs[1].type.name() +
                                                  " " + text_of(inputs[1].shape));
  if (what.height < 0 || what.width < 0)
    return crop_fault(errc::invalid_argument, "`height` and `width` are 0 at least");
  if (std::max({in.shape[0], in.shape[1], what.height, what.width}) > crop_side_max)
    return crop_fault(errc::unsupported, "of more than 2^23 rows or columns");
  BEAMLET_TRY_VOID(check_crop_numbers(what, in.shape[2]));
  dimensions made = what.is_channels_first ? dimensions{in.shape[2], what.height, what.width}
                                           : dimensions{what.height, what.width, in.shape[2]};
  if (has_boxes) made = {inputs[1].shape[0], made[0], made[1], made[2]};
  const bool is_empty = std::ranges::find(made, std::int64_t{0}) != made.end();
  if (!is_empty && (in.shape[0] == 0 || in.shape[1] == 0))
    return crop_fault(errc::invalid_argument,
                      "an image of " + text_of(in.shape) + " has no pixel to make others of");
  return tensor_types{{what.to, made}};
}

op_cost cost_of(const ops::crop_normalize&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto written = static_cast<double>(outputs[0].elements());
  op_cost made;
  // What small boxes leave out is not read.
  made.bytes = std::min(static_cast<double>(inputs[0].elements()), 4 * written) +
               written * static_cast<double>(outputs[0].type.bytes());
  made.flops = 8 * written;
  return made;
}

result<void> plan_for(const ops::crop_normalize& what, planner& to) {
  const operand& out = to.output(0);
  const bool has_boxes = to.input_count() == 2, is_f16 = out.type == dtypes::f16;
  BEAMLET_TRY(const image_view in, image_view::of(to, to.input_slot(0), to.input(0), 3));
  const crop_scaling scaling(what, static_cast<std::size_t>(in.channels));
  // A kernel has all its buffers: without boxes the image once more.
  const operand& boxes = has_boxes ? to.input(1) : in.what;
  const slot boxes_slot = has_boxes ? to.input_slot(1) : in.memory;
  planned_launch& made = to.launch(crop_normalize_sources[is_f16]);
  if (to.on_cpu()) {
    cpu_crop_normalize how;
    how.in_height = in.height;
    how.in_width = in.width;
    how.channels = in.channels;
    how.row_stride = in.row_stride;
    how.out_height = what.height;
    how.out_width = what.width;
    how.crops = has_boxes ? static_cast<std::uint64_t>(boxes.shape[0]) : 1;
    if (has_boxes) how.box_strides = {boxes.strides[0], boxes.strides[1]};
    how.has_boxes = has_boxes;
    how.is_channels_first = what.is_channels_first;
    how.to = number_of(out.type);
    how.factor = scaling.factor;
    how.offset = scaling.offset;
    to.bind_from_first(made, in.memory, in.what);
    to.bind_from_first(made, boxes_slot, boxes);
    to.bind_from_first(made, to.output_slot(0), out);
    made.set_parameters(how);
    return to.set_groups(made, how.crops * how.groups_each());
  }
  crop_normalize_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, in.memory, in.what));
  BEAMLET_TRY(p.first_b, to.bind(made, boxes_slot, boxes));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  p.count = static_cast<std::uint32_t>(out.elements());
  p.in_height = static_cast<std::int32_t>(in.height);
  p.in_width = static_cast<std::int32_t>(in.width);
  p.out_height = static_cast<std::int32_t>(what.height);
  p.out_width = static_cast<std::int32_t>(what.width);
  p.channels = static_cast<std::int32_t>(in.channels);
  p.row_stride = static_cast<std::int32_t>(in.row_stride);
  p.pixel_stride = static_cast<std::int32_t>(in.pixel_stride);
  p.channel_stride = static_cast<std::int32_t>(in.channel_stride);
  if (has_boxes) {
    p.box_stride = static_cast<std::int32_t>(boxes.strides[0]);
    p.side_stride = static_cast<std::int32_t>(boxes.strides[1]);
  }
  std::ranges::copy(scaling.factor, p.factor);
  std::ranges::copy(scaling.offset, p.offset);
  p.has_boxes = has_boxes;
  p.is_channels_first = what.is_channels_first;
  made.set_parameters(p);
  return to.set_items_of_any_group(made, crop_normalize_group, p.count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
