// SPDX-License-Identifier: Apache-2.0
// filter2d, separable_filter and sobel: sums of neighbours times coefficients, by one kernel.
#include "compute/cpu/filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/images.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/filter.k has them.
struct filter_parameters {
  std::uint32_t count, quads, height, width, channels, first_x, first_y;
  std::int32_t image_stride, row_stride, rows, columns, sets, edges;
};
// As kernels/dual/place_values.k has them.
struct place_values_parameters {
  static constexpr std::size_t values_max = 28;
  std::uint32_t count, first;
  float values[values_max];
};
constexpr std::uint32_t filter_group = 128, filter_quad = 4;

constexpr kernel_source filter_kernel(const kernel_code& code, bool is_u8) {
  return {.name = "filter_image",
          .buffers = 3,
          .parameter_bytes = sizeof(filter_parameters),
          .constants = 4,
          .cpu = filter_on_cpu,
          .code = &code,
          .storage_8bit = is_u8};
}
constexpr kernel_source filter_sources[] = {filter_kernel(embedded::filter_f32, false),
                                            filter_kernel(embedded::filter_u8, true)};
constexpr kernel_source place_values_source = {.name = "place_values",
                                               .buffers = 1,
                                               .parameter_bytes = sizeof(place_values_parameters),
                                               .code = &embedded::place_values};

constexpr float sobel_x[] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
constexpr float sobel_y[] = {-1, -2, -1, 0, 0, 0, 1, 2, 1};
constexpr std::uint32_t sobel_size = 3;

using floats_view = std::span<const float>;

error filter_fault(const char* op_name, const std::string& what) {
  return compute_error(errc::invalid_argument, std::string(op_name) + ": " + what);
}

result<void> check_filtered(const char* op_name, std::span<const tensor_type> inputs,
                            ops::border edges) {
  BEAMLET_TRY_VOID(check_images(op_name, inputs));
  const dtype type = inputs.front().type;
  if (type != dtypes::u8 && type != dtypes::f32)
    return compute_error(
        errc::unsupported,
        std::string(op_name) + ": of images of u8 and f32, not of " + type.name() + "; cast them");
  if (static_cast<std::uint8_t>(edges) > static_cast<std::uint8_t>(ops::border::reflect101))
    return filter_fault(op_name, "there is no such border");
  return {};
}

result<void> check_coefficients(const char* op_name, floats_view coefficients) {
  if (std::ranges::all_of(coefficients, [](float c) { return std::isfinite(c); })) return {};
  return filter_fault(op_name, "a coefficient is NaN or infinite");
}

result<void> check_filter_size(const char* op_name, std::size_t size, std::size_t size_max) {
  if (size % 2 == 1 && size <= size_max) return {};
  return filter_fault(op_name, "of an odd number of rows and of columns up to " +
                                   std::to_string(size_max) + ", not of " + std::to_string(size));
}

tensor_types filtered_as(const tensor_type& in, bool to_f32) {
  return {{to_f32 ? dtypes::f32 : in.type, in.shape}};
}

op_cost cost_of_filtering(std::size_t terms, std::span<const operand> inputs,
                          std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  op_cost made;
  made.bytes = elements * static_cast<double>(inputs[0].type.bytes() + outputs[0].type.bytes());
  made.flops = 2 * elements * static_cast<double>(terms);
  return made;
}

// -- on the processor

result<void> plan_filter_on_cpu(planner& to, const image_view& x, cpu_filter how) {
  const operand& out = to.output(0);
  how.images = x.count, how.height = x.height, how.width = x.width, how.channels = x.channels;
  how.image_stride = x.image_stride, how.row_stride = x.row_stride;
  how.from = number_of(x.what.type), how.to = number_of(out.type);
  how.choose_form();
  how.divide();
  const slot scratch = to.scratch(how.scratch_bytes());
  planned_launch& made = to.launch(filter_sources[0]);
  to.bind_from_first(made, x.memory, x.what);
  to.bind_from_first(made, to.output_slot(0), out);
  const auto bytes = static_cast<std::int64_t>(how.scratch_bytes());
  to.bind_from_first(made, scratch, operand::dense(dtypes::u8, {bytes}));
  made.set_parameters(how);
  return to.set_groups(made, how.group_count());
}

// -- on other devices

result<slot> place_values(planner& to, floats_view values) {
  const operand all = operand::dense(dtypes::f32, {static_cast<std::int64_t>(values.size())});
  const slot made = to.scratch(values.size_bytes());
  constexpr std::size_t at_once = place_values_parameters::values_max;
  for (std::size_t i = 0; i < values.size(); i += at_once) {
    planned_launch& one = to.launch(place_values_source);
    place_values_parameters p{};
    p.count = static_cast<std::uint32_t>(std::min(at_once, values.size() - i));
    BEAMLET_TRY(const std::uint32_t first, to.bind(one, made, all));
    p.first = first + static_cast<std::uint32_t>(i);
    std::memcpy(p.values, values.data() + i, p.count * sizeof(float));
    one.set_parameters(p);
    BEAMLET_TRY_VOID(to.set_items(one, filter_group, 1));
  }
  return made;
}

struct filter_shape {
  std::uint32_t rows, columns, sets = 1;
};

result<void> plan_filter_on_device(planner& to, const image_view& x, slot out_memory,
                                   const operand& out, floats_view coefficients,
                                   const filter_shape& shape, ops::border edges) {
  BEAMLET_TRY(const slot placed, place_values(to, coefficients));
  const bool from_f32 = x.what.type == dtypes::f32, to_f32 = out.type == dtypes::f32;
  planned_launch& made = to.launch(filter_sources[from_f32 && to_f32 ? 0 : 1]);
  filter_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, x.memory, x.what));
  const auto count = static_cast<std::int64_t>(coefficients.size());
  BEAMLET_TRY_VOID(to.bind(made, placed, operand::dense(dtypes::f32, {count})));
  BEAMLET_TRY(p.first_y, to.bind(made, out_memory, out));
  const auto quads = divided_up(static_cast<std::uint64_t>(x.width * x.channels), filter_quad);
  const std::uint64_t items = static_cast<std::uint64_t>(x.count * x.height) * quads;
  p.count = static_cast<std::uint32_t>(items);
  p.quads = static_cast<std::uint32_t>(quads);
  p.height = static_cast<std::uint32_t>(x.height);
  p.width = static_cast<std::uint32_t>(x.width);
  p.channels = static_cast<std::uint32_t>(x.channels);
  p.image_stride = static_cast<std::int32_t>(x.image_stride);
  p.row_stride = static_cast<std::int32_t>(x.row_stride);
  p.rows = static_cast<std::int32_t>(shape.rows);
  p.columns = static_cast<std::int32_t>(shape.columns);
  p.sets = static_cast<std::int32_t>(shape.sets);
  p.edges = static_cast<std::int32_t>(edges);
  const bool has_floats = !(from_f32 && to_f32);
  made.constants.values[2] = has_floats && from_f32;
  made.constants.values[3] = has_floats && to_f32;
  made.set_parameters(p);
  return to.set_items(made, filter_group, items);
}

// Coefficients in one form, or two sets of them for a magnitude.
result<void> plan_plain_filter(planner& to, floats_view coefficients, const filter_shape& shape,
                               ops::border edges) {
  BEAMLET_TRY(const image_view x, image_view::of(to, to.input_slot(0), to.input(0), 3, true));
  if (!to.on_cpu())
    return plan_filter_on_device(to, x, to.output_slot(0), to.output(0), coefficients, shape,
                                 edges);
  cpu_filter how;
  how.how = shape.sets == 2 ? cpu_filter::form::magnitude : cpu_filter::form::plain;
  how.rows = shape.rows, how.columns = shape.columns, how.edges = edges;
  std::ranges::copy(coefficients, how.coefficients.begin());
  return plan_filter_on_cpu(to, x, how);
}

}  // namespace

// -- filter2d

result<tensor_types> outputs_of(const ops::filter2d& what, std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_filtered("filter2d", inputs, what.edges));
  BEAMLET_TRY_VOID(check_filter_size("filter2d", what.rows, what.size_max));
  BEAMLET_TRY_VOID(check_filter_size("filter2d", what.columns, what.size_max));
  if (what.coefficients.size() != std::size_t{what.rows} * what.columns)
    return filter_fault("filter2d", std::to_string(what.rows) + " x " +
                                        std::to_string(what.columns) + " coefficients, not " +
                                        std::to_string(what.coefficients.size()));
  BEAMLET_TRY_VOID(check_coefficients("filter2d", what.coefficients));
  return filtered_as(inputs.front(), what.to_f32);
}

op_cost cost_of(const ops::filter2d& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_filtering(what.coefficients.size(), inputs, outputs);
}

result<void> plan_for(const ops::filter2d& what, planner& to) {
  return plan_plain_filter(to, what.coefficients, {what.rows, what.columns}, what.edges);
}

// -- separable_filter

result<tensor_types> outputs_of(const ops::separable_filter& what,
                                std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_filtered("separable_filter", inputs, what.edges));
  for (const auto* one : {&what.horizontal, &what.vertical}) {
    BEAMLET_TRY_VOID(check_filter_size("separable_filter", one->size(), what.size_max));
    BEAMLET_TRY_VOID(check_coefficients("separable_filter", *one));
  }
  return filtered_as(inputs.front(), what.to_f32);
}

op_cost cost_of(const ops::separable_filter& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_filtering(what.horizontal.size() + what.vertical.size(), inputs, outputs);
}

result<void> plan_for(const ops::separable_filter& what, planner& to) {
  BEAMLET_TRY(const image_view x, image_view::of(to, to.input_slot(0), to.input(0), 3, true));
  const auto rows = static_cast<std::uint32_t>(what.vertical.size());
  const auto columns = static_cast<std::uint32_t>(what.horizontal.size());
  if (to.on_cpu()) {
    cpu_filter how;
    how.how = cpu_filter::form::separable;
    how.rows = rows, how.columns = columns, how.edges = what.edges;
    std::ranges::copy(what.vertical, how.coefficients.begin());
    std::ranges::copy(what.horizontal, how.coefficients.begin() + rows);
    return plan_filter_on_cpu(to, x, how);
  }
  const operand& out = to.output(0);
  const operand between = operand::dense(dtypes::f32, out.shape);
  const slot scratch = to.scratch(between.elements() * sizeof(float));
  BEAMLET_TRY_VOID(
      plan_filter_on_device(to, x, scratch, between, what.horizontal, {1, columns}, what.edges));
  BEAMLET_TRY(const image_view half, image_view::of(to, scratch, between, 3, true));
  return plan_filter_on_device(to, half, to.output_slot(0), out, what.vertical, {rows, 1},
                               what.edges);
}

// -- sobel

result<tensor_types> outputs_of(const ops::sobel& what, std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_filtered("sobel", inputs, what.edges));
  if (static_cast<std::uint8_t>(what.what) > static_cast<std::uint8_t>(ops::sobel::kind::magnitude))
    return filter_fault("sobel", "there is no such kind");
  return filtered_as(inputs.front(), true);
}

op_cost cost_of(const ops::sobel& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  constexpr std::size_t terms = 6;  // that are not 0
  return cost_of_filtering(what.what == ops::sobel::kind::magnitude ? 2 * terms : terms, inputs,
                           outputs);
}

result<void> plan_for(const ops::sobel& what, planner& to) {
  if (what.what == ops::sobel::kind::dx)
    return plan_plain_filter(to, sobel_x, {sobel_size, sobel_size}, what.edges);
  if (what.what == ops::sobel::kind::dy)
    return plan_plain_filter(to, sobel_y, {sobel_size, sobel_size}, what.edges);
  std::array<float, std::size(sobel_x) + std::size(sobel_y)> both{};
  std::ranges::copy(sobel_x, both.begin());
  std::ranges::copy(sobel_y, both.begin() + std::size(sobel_x));
  return plan_plain_filter(to, both, {sobel_size, sobel_size, 2}, what.edges);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
