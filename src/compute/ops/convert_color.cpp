// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/convert_color.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/images.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using color_format = ops::convert_color::format;

// As kernels/dual/convert_color.k has them.
struct convert_color_parameters {
  std::uint32_t count, first_x, first_y;
  std::int32_t height, width, image_stride, row_stride, pixel_stride, channel_stride;
  yuv_factors yuv;
  gray_factors gray;
  std::int32_t is_bgr;
};
constexpr std::uint32_t convert_color_group = 128;

constexpr kernel_source convert_color_source{.name = "convert_color",
                                             .buffers = 2,
                                             .parameter_bytes = sizeof(convert_color_parameters),
                                             .constants = 3,
                                             .cpu = convert_color_on_cpu,
                                             .code = &embedded::convert_color,
                                             .storage_8bit = true};

error color_fault(errc code, const std::string& what) {
  return compute_error(code, "convert_color: " + what);
}

const char* color_name(color_format format) {
  constexpr const char* names[] = {"rgb", "bgr", "gray", "nv12", "yuyv"};
  return names[static_cast<std::size_t>(format)];
}
bool color_has_three(color_format f) { return f == color_format::rgb || f == color_format::bgr; }

std::optional<color_change> color_change_of(const ops::convert_color& what) {
  if (color_has_three(what.to)) {
    if (what.from == color_format::nv12) return color_change::nv12;
    if (what.from == color_format::yuyv) return color_change::yuyv;
    if (what.from == color_format::gray) return color_change::from_gray;
    if (what.from != what.to) return color_change::swap;
  }
  if (what.to == color_format::gray && color_has_three(what.from)) return color_change::to_gray;
  return std::nullopt;
}

// Of no negative numbers; std::lround is no constant expression.
constexpr std::int32_t color_rounded(double x) {
  const double up = x + 0.5;
  return static_cast<std::int32_t>(up);
}

// From the parts of red and blue in luma, as BT.601 (2.5), BT.709 (3) and JFIF give them: luma is
// kr R + kg G + kb B, and the differences are those of blue and red to it, made to fit.
struct color_standard {
  yuv_factors yuv{};
  gray_factors gray{};
  constexpr color_standard(double kr, double kb, bool is_limited) {
    const double kg = 1 - kr - kb;
    const double luma = is_limited ? 255.0 / 219 : 1, difference = is_limited ? 255.0 / 224 : 1;
    const double one = 8192 * difference;
    yuv.luma_first = is_limited ? 16 : 0;
    yuv.luma = color_rounded(16384 * luma);
    yuv.red_v = color_rounded(one * 2 * (1 - kr));
    yuv.green_u = color_rounded(one * 2 * kb * (1 - kb) / kg);
    yuv.green_v = color_rounded(one * 2 * kr * (1 - kr) / kg);
    yuv.blue_u = color_rounded(one * 2 * (1 - kb));
    gray.red = color_rounded(32768 * kr);
    gray.blue = color_rounded(32768 * kb);
    gray.green = 32768 - gray.red - gray.blue;
  }
};
// In the order of ops::convert_color::standard.
constexpr color_standard color_standards[] = {
    {0.299, 0.114, true}, {0.299, 0.114, false}, {0.2126, 0.0722, true}, {0.2126, 0.0722, false}};

result<dimensions> color_pixels_of(const ops::convert_color& what, const dimensions& shape) {
  const std::size_t rank = shape.size();
  if (what.from == color_format::nv12) {
    if (rank < 2 || shape[rank - 2] % 3 != 0 || shape[rank - 1] % 2 != 0)
      return color_fault(
          errc::invalid_argument,
          "nv12 is [..., height * 3 / 2, width], both of them even, not " + text_of(shape));
    dimensions made = shape;
    made[rank - 2] = shape[rank - 2] / 3 * 2;
    return made;
  }
  const std::int64_t channels = color_has_three(what.from)        ? 3
                                : what.from == color_format::yuyv ? 2
                                                                  : 1;
  if (rank < 3 || shape[rank - 1] != channels)
    return color_fault(errc::invalid_argument,
                       std::string(color_name(what.from)) + " is [..., height, width, " +
                           std::to_string(channels) + "], not " + text_of(shape));
  if (what.from == color_format::yuyv && shape[rank - 2] % 2 != 0)
    return color_fault(errc::invalid_argument,
                       "yuyv has an even width, not that of " + text_of(shape));
  return dimensions(std::span(shape.begin(), rank - 1));
}

}  // namespace

result<tensor_types> outputs_of(const ops::convert_color& what,
                                std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return color_fault(errc::invalid_argument,
                       "takes one input, not " + std::to_string(inputs.size()));
  if (what.from > color_format::yuyv || what.to > color_format::yuyv ||
      what.by > ops::convert_color::standard::bt709_full)
    return color_fault(errc::invalid_argument, "there is no such format or standard");
  const tensor_type& in = inputs.front();
  if (in.type != dtypes::u8)
    return color_fault(errc::unsupported, "of u8, not of " + in.type.name() + "; cast it");
  if (!color_change_of(what))
    return color_fault(errc::unsupported, std::string("not from ") + color_name(what.from) +
                                              " to " + color_name(what.to));
  BEAMLET_TRY(const dimensions pixels, color_pixels_of(what, in.shape));
  if (pixels.size() == dimensions::count_max)
    return color_fault(errc::unsupported, "of 8 dimensions, and channels");
  std::array<std::int64_t, dimensions::count_max> shape{};
  std::copy(pixels.begin(), pixels.end(), shape.begin());
  shape[pixels.size()] = what.to == color_format::gray ? 1 : 3;
  return tensor_types{{dtypes::u8, dimensions(std::span(shape).first(pixels.size() + 1))}};
}

op_cost cost_of(const ops::convert_color&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  op_cost made;
  made.bytes = static_cast<double>(inputs[0].elements() + outputs[0].elements());
  return made;
}

result<void> plan_for(const ops::convert_color& what, planner& to) {
  const operand& out = to.output(0);
  const std::size_t own = what.from == color_format::nv12 ? 2 : 3;
  BEAMLET_TRY(const image_view in, image_view::of(to, to.input_slot(0), to.input(0), own));
  const color_change change = *color_change_of(what);
  const bool is_bgr = (color_has_three(what.to) ? what.to : what.from) == color_format::bgr;
  const color_standard& standard = color_standards[static_cast<std::size_t>(what.by)];
  const std::int64_t height = out.shape[out.shape.size() - 3];
  planned_launch& made = to.launch(convert_color_source);
  if (to.on_cpu()) {
    cpu_convert_color how;
    how.height = height;
    how.width = in.width;
    how.image_stride = in.image_stride;
    how.row_stride = in.row_stride;
    how.rows = static_cast<std::uint64_t>(in.count * height);
    how.what = change;
    how.is_bgr = is_bgr;
    how.yuv = standard.yuv;
    how.gray = standard.gray;
    to.bind_from_first(made, in.memory, in.what);
    to.bind_from_first(made, to.output_slot(0), out);
    made.set_parameters(how);
    return to.set_groups(made, how.group_count());
  }
  convert_color_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, in.memory, in.what));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  p.count = static_cast<std::uint32_t>(in.count * height * in.width);
  p.height = static_cast<std::int32_t>(height);
  p.width = static_cast<std::int32_t>(in.width);
  p.image_stride = static_cast<std::int32_t>(in.image_stride);
  p.row_stride = static_cast<std::int32_t>(in.row_stride);
  p.pixel_stride = static_cast<std::int32_t>(in.pixel_stride);
  p.channel_stride = static_cast<std::int32_t>(in.channel_stride);
  p.yuv = standard.yuv;
  p.gray = standard.gray;
  made.constants.values[2] = static_cast<std::uint32_t>(change);
  p.is_bgr = is_bgr;
  made.set_parameters(p);
  return to.set_items_of_any_group(made, convert_color_group, p.count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
