// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/resize.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/ops/images.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/resize.k has them.
struct resize_parameters {
  std::uint32_t count, first_x, first_y;
  std::int32_t in_height, in_width, out_height, out_width, channels;
  std::int32_t image_stride, row_stride, pixel_stride, channel_stride;
  std::int32_t units[4];  // in and out without their common factor: of height, of width
};
constexpr std::uint32_t resize_group = 128;
// Below that products and sums fit 32 bits on devices, and a loop ends in time.
constexpr std::int64_t resize_product_end = std::int64_t{1} << 30, resize_side_end = 65536,
                       resize_area_pixels_max = 16384;
// Sums of bytes of so many pixels fit 32 bits.
constexpr std::int64_t resize_whole_max = std::int64_t{1} << 24;

constexpr kernel_source resize_kernel(const kernel_code& code, bool is_u8) {
  return {.name = "resize",
          .buffers = 2,
          .parameter_bytes = sizeof(resize_parameters),
          .constants = 4,
          .cpu = resize_on_cpu,
          .code = &code,
          .storage_8bit = is_u8};
}
constexpr kernel_source resize_sources[] = {resize_kernel(embedded::resize_f32, false),
                                            resize_kernel(embedded::resize_u8, true)};

error resize_fault(errc code, const std::string& what) {
  return compute_error(code, "resize: " + what);
}

// The area's mean as integers: the numbers of units multiply to what 32 bits sum up.
bool is_whole_area(std::int64_t in_height, std::int64_t out_height, std::int64_t in_width,
                   std::int64_t out_width) {
  const std::int64_t down = in_height / std::gcd(in_height, out_height),
                     across = in_width / std::gcd(in_width, out_width);
  return down * across <= resize_whole_max;
}

result<void> check_resize_on_device(const planner& to, const ops::resize& what,
                                    const image_view& in) {
  if (in.height * what.height >= resize_product_end ||
      in.width * what.width >= resize_product_end || what.height >= resize_side_end ||
      what.width >= resize_side_end)
    return to.unsupported("a resize of so many rows or columns; cut the image");
  if (what.how == ops::resize::method::area &&
      (in.height / what.height + 2) * (in.width / what.width + 2) > resize_area_pixels_max)
    return to.unsupported("a resize that takes the mean of so many pixels; do it in two steps");
  return {};
}

result<void> plan_resize_on_cpu(planner& to, const ops::resize& what, const image_view& in,
                                bool is_whole) {
  const operand& out = to.output(0);
  const bool is_u8 = out.type == dtypes::u8;
  cpu_resize how;
  how.in_height = in.height;
  how.in_width = in.width;
  how.out_height = what.height;
  how.out_width = what.width;
  how.channels = in.channels;
  how.image_stride = in.image_stride;
  how.row_stride = in.row_stride;
  how.rows = static_cast<std::uint64_t>(in.count * what.height);
  how.how = what.how;
  how.is_u8 = is_u8;
  how.is_whole = is_whole;
  planned_launch& made = to.launch(resize_sources[is_u8]);
  to.bind_from_first(made, in.memory, in.what);
  to.bind_from_first(made, to.output_slot(0), out);
  made.set_parameters(how);
  return to.set_groups(made, how.group_count());
}

}  // namespace

result<tensor_types> outputs_of(const ops::resize& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return resize_fault(errc::invalid_argument,
                        "takes one input, not " + std::to_string(inputs.size()));
  const tensor_type& in = inputs.front();
  if (in.type != dtypes::u8 && in.type != dtypes::f32)
    return resize_fault(errc::unsupported, "of u8 and f32, not of " + in.type.name() + "; cast it");
  const std::size_t rank = in.shape.size();
  if (rank < 3)
    return resize_fault(errc::invalid_argument,
                        "takes images as [..., height, width, channels], not " + text_of(in.shape));
  if (what.how > ops::resize::method::area)
    return resize_fault(errc::invalid_argument, "there is no such method");
  if (what.height < 0 || what.width < 0)
    return resize_fault(errc::invalid_argument, "`height` and `width` are 0 at least");
  const std::int64_t height = in.shape[rank - 3], width = in.shape[rank - 2];
  if (std::max({height, width, what.height, what.width}) > image_side_max)
    return resize_fault(errc::unsupported, "of more than 2^30 rows or columns");
  tensor_type made = in;
  made.shape[rank - 3] = what.height;
  made.shape[rank - 2] = what.width;
  if ((height == 0 || width == 0) &&
      operand::dense(in.type, {what.height, what.width}).elements() != 0)
    return resize_fault(errc::invalid_argument,
                        "an image of " + text_of(in.shape) + " has no pixel to make others of");
  return tensor_types{made};
}

op_cost cost_of(const ops::resize& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto read = static_cast<double>(inputs[0].elements()),
             written = static_cast<double>(outputs[0].elements());
  op_cost made;
  made.bytes = (read + written) * static_cast<double>(outputs[0].type.bytes());
  if (what.how == ops::resize::method::bilinear) made.flops = 6 * written;
  if (what.how == ops::resize::method::area) made.flops = 2 * std::max(read, written);
  return made;
}

result<void> plan_for(const ops::resize& what, planner& to) {
  const operand& out = to.output(0);
  // As large as it is: every method gives the pixels themselves.
  if (to.input(0).shape == out.shape)
    return plan_copy(to, to.input_slot(0), to.input(0), to.output_slot(0), out);
  BEAMLET_TRY(const image_view in, image_view::of(to, to.input_slot(0), to.input(0), 3));
  const bool is_u8 = out.type == dtypes::u8;
  const bool is_whole = is_u8 && is_whole_area(in.height, what.height, in.width, what.width);
  if (to.on_cpu()) return plan_resize_on_cpu(to, what, in, is_whole);
  BEAMLET_TRY_VOID(check_resize_on_device(to, what, in));
  planned_launch& made = to.launch(resize_sources[is_u8]);
  resize_parameters p{};
  p.count = static_cast<std::uint32_t>(out.elements());
  BEAMLET_TRY(p.first_x, to.bind(made, in.memory, in.what));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  const std::int64_t numbers[] = {in.height,     in.width,        what.height,
                                  what.width,    in.channels,     in.image_stride,
                                  in.row_stride, in.pixel_stride, in.channel_stride};
  std::int32_t* fields[] = {&p.in_height,  &p.in_width,     &p.out_height,
                            &p.out_width,  &p.channels,     &p.image_stride,
                            &p.row_stride, &p.pixel_stride, &p.channel_stride};
  for (std::size_t i = 0; i < std::size(numbers); ++i)
    *fields[i] = static_cast<std::int32_t>(numbers[i]);
  const std::int64_t down = std::gcd(in.height, what.height),
                     across = std::gcd(in.width, what.width);
  p.units[0] = static_cast<std::int32_t>(in.height / down);
  p.units[1] = static_cast<std::int32_t>(what.height / down);
  p.units[2] = static_cast<std::int32_t>(in.width / across);
  p.units[3] = static_cast<std::int32_t>(what.width / across);
  made.constants.values[2] = static_cast<std::uint32_t>(what.how);
  made.constants.values[3] = is_whole && what.how == ops::resize::method::area;
  made.set_parameters(p);
  return to.set_items_of_any_group(made, resize_group, p.count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
