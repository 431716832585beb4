// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string>

#include "compute/cpu/cast.hpp"
#include "compute/cpu/conv.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/ops/matmul.hpp"
#include "compute/ops/windows.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/conv_tile.k has them.
struct conv_parameters {
  std::uint32_t m, k, pixels, images, parts, channels, first[4], out_columns;
  std::int32_t rows, columns;
  std::uint32_t size[2];
  std::int32_t stride[2], dilation[2], before[2], step[4], bias_step;
  std::uint32_t has_bias;
};

constexpr kernel_source conv_tile_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "conv_tile",
          .buffers = 4,
          .parameter_bytes = sizeof(conv_parameters),
          .constants = 4,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source conv_tile_sources[] = {conv_tile_kernel(embedded::conv_tile_f32, false),
                                               conv_tile_kernel(embedded::conv_tile_f16, true)};
constexpr kernel_source conv_cpu_source{
    .name = "conv", .buffers = 5, .parameter_bytes = sizeof(cpu_conv), .cpu = conv_on_cpu};
constexpr kernel_source conv_cpu_cast{
    .name = "cast", .buffers = 2, .parameter_bytes = sizeof(cpu_cast), .cpu = cast_on_cpu};

// As of matrix products: several groups for each thread, each worth waking it.
constexpr std::uint64_t conv_groups_per_thread = 4;
constexpr double conv_group_flops = 4e6;
constexpr std::uint64_t conv_columns_min = 64, conv_rows_min = 32;
// More output channels than these of one input channel are worth a matrix.
constexpr std::int64_t conv_multiplier_max = 3;

error conv_fault(std::string what) {
  return compute_error(errc::invalid_argument, "conv2d: " + std::move(what));
}

sliding_window window_of(const ops::conv2d& what, const dimensions& weights) {
  return {"conv2d", {weights[2], weights[3]}, what.stride, what.dilation, what.padding};
}

result<void> check_channels(const ops::conv2d& what, const dimensions& x,
                            const dimensions& weights) {
  if (what.groups < 1) return conv_fault("of no groups");
  if (x[1] % what.groups != 0 || weights[0] % what.groups != 0)
    return conv_fault(std::to_string(x[1]) + " channels and " + std::to_string(weights[0]) +
                      " of the output do not make " + std::to_string(what.groups) +
                      " equal groups");
  if (weights[1] != x[1] / what.groups)
    return conv_fault("weights " + text_of(weights) + " for " + text_of(x) + " must be of " +
                      std::to_string(x[1] / what.groups) + " channels");
  return {};
}

// What a plan is made of.
struct convolution {
  sliding_window window;
  placed_operand weights;
  std::optional<placed_operand> bias;
  std::int64_t parts;

  convolution(const ops::conv2d& what, const planner& to)
      : window(window_of(what, to.input(1).shape)),
        weights{to.input_slot(1), to.input(1)},
        parts(what.groups) {
    if (what.bias) bias = placed_operand{to.input_slot(2), to.input(2)};
  }
  bool is_of_planes() const {
    return weights.what.shape[1] == 1 && weights.what.shape[0] / parts <= conv_multiplier_max;
  }
};

// Dense weights, and on the processor floats.
result<void> prepare_weights(convolution& c, planner& to) {
  if (c.weights.what.elements() == 0) return {};
  if (!c.weights.what.is_dense()) {
    constexpr std::array<std::size_t, 4> order{0, 1, 2, 3};
    BEAMLET_TRY(const auto dense, plan_dense(to, c.weights.memory, c.weights.what, order));
    c.weights = {dense.first, dense.second};
  }
  if (!to.on_cpu() || c.weights.what.type == dtypes::f32) return {};
  const operand from = c.weights.what, made = operand::dense(dtypes::f32, from.shape);
  const slot memory = to.scratch(made.elements() * sizeof(float));
  cpu_cast how;
  how.count = made.elements();
  how.where = strided::of(walk_together(std::span(&from, 1)), 0);
  how.from = number_of(from.type);
  how.to = number::f32;
  planned_launch& launch = to.launch(conv_cpu_cast);
  to.bind_from_first(launch, c.weights.memory, from);
  to.bind_from_first(launch, memory, made);
  launch.set_parameters(how);
  c.weights = {memory, made};
  return to.set_groups(launch, divided_up(how.count, cpu_cast::group_elements));
}

placed_operand conv_input(const planner& to) {
  if (to.input(0).elements() > 0) return {to.input_slot(0), to.input(0)};
  return {to.output_slot(0), to.output(0)};
}
placed_operand conv_weights(const convolution& c, const planner& to) {
  if (c.weights.what.elements() > 0) return c.weights;
  return {to.output_slot(0), to.output(0)};
}
placed_operand conv_bias(const convolution& c, const planner& to) {
  return c.bias.has_value() ? *c.bias : placed_operand{to.output_slot(0), to.output(0)};
}

// Blocks: all of a product for one thread; else pixels, and then rows, for several.
void cut_into_blocks(cpu_conv& how, std::uint64_t products, std::uint64_t groups) {
  how.rows = how.m, how.columns = how.pixels;
  if (how.windows.type != number::f32) how.rows = std::min(how.m, cpu_conv::rows_converted);
  const std::uint64_t pieces = divided_up(groups, products);
  if (pieces <= 1) return;
  const std::uint64_t across =
      std::min(pieces, std::max<std::uint64_t>(1, how.pixels / conv_columns_min));
  const std::uint64_t columns = divided_up(divided_up(how.pixels, across), conv_columns_min);
  how.columns = std::min(how.pixels, columns * conv_columns_min);
  const std::uint64_t down = divided_up(pieces, across);
  how.rows = std::min(how.rows, std::max(divided_up(how.m, down), conv_rows_min));
}

// A window of one pixel sees rows of an image as one long row.
void join_rows(cpu_windows& windows) {
  const bool is_pixel = windows.size == cpu_windows::pair{1, 1} && windows.in == windows.out &&
                        windows.is_copied == 0;
  if (!is_pixel || (windows.in[0] != 1 && windows.step[0] != windows.in[1] * windows.step[1]))
    return;
  windows.in = windows.out = {1, windows.in[0] * windows.in[1]};
  windows.stride = {1, 1};
}

result<void> plan_conv_on_cpu(const convolution& c, planner& to) {
  const operand &x = to.input(0), &out = to.output(0);
  cpu_conv how;
  how.windows = c.window.on_cpu(x, out.shape);
  join_rows(how.windows);
  how.parts = static_cast<std::uint64_t>(c.parts);
  how.m = static_cast<std::uint64_t>(out.shape[1] / c.parts);
  how.pixels = static_cast<std::uint64_t>(out.shape[2] * out.shape[3]);
  how.channels = static_cast<std::uint64_t>(x.shape[1] / c.parts);
  how.image_step = x.strides[0];
  how.channel_step = x.strides[1];
  how.has_bias = c.bias.has_value();
  if (c.bias.has_value()) how.bias_step = c.bias->what.strides[0];

  const std::uint64_t products = static_cast<std::uint64_t>(out.shape[0]) * how.parts;
  const double flops = 2.0 * static_cast<double>(products * how.m) *
                       static_cast<double>(how.pixels) * static_cast<double>(how.depth());
  const std::uint64_t threads = to.device().units;
  const std::uint64_t groups_max = threads == 1 ? 1 : threads * conv_groups_per_thread;
  const std::uint64_t groups = static_cast<double>(groups_max) * conv_group_flops <= flops
                                   ? groups_max
                                   : 1 + static_cast<std::uint64_t>(flops / conv_group_flops);
  cut_into_blocks(how, products, groups);
  how.blocks = products * divided_up(how.m, how.rows) * divided_up(how.pixels, how.columns);
  how.groups = std::min(how.blocks, groups);
  how.scratch_bytes = cpu_conv_scratch_bytes(how);

  const slot scratch = to.scratch(how.groups * how.scratch_bytes);
  planned_launch& made = to.launch(conv_cpu_source);
  for (const placed_operand& o : {conv_input(to), conv_weights(c, to), conv_bias(c, to)})
    to.bind_from_first(made, o.memory, o.what);
  to.bind_from_first(made, to.output_slot(0), out);
  made.bindings[made.binding_count++] = {scratch, 0, how.groups * how.scratch_bytes};
  made.set_parameters(how);
  return to.set_groups(made, how.groups);
}

// A window of one pixel, whose places lie in memory as columns of a matrix: a plain product.
std::optional<matmul_product> product_of(const convolution& c, const planner& to) {
  const operand &x = to.input(0), &out = to.output(0), &weights = to.input(1);
  const sliding_window of = c.window.simplified(out.shape);
  constexpr std::array<std::int64_t, 2> one{1, 1};
  const std::int64_t rows = x.shape[2], columns = x.shape[3];
  const bool is_row = rows == 1 || columns == 1 || x.strides[2] == columns * x.strides[3];
  if (of.size != one || of.stride != one || c.window.has_padding() || c.parts != 1 || !is_row ||
      out.shape[2] != rows || out.shape[3] != columns)
    return {};
  matmul_product p;
  p.m = static_cast<std::uint64_t>(out.shape[1]);
  p.n = static_cast<std::uint64_t>(rows * columns);
  p.k = static_cast<std::uint64_t>(x.shape[1]);
  p.batches = static_cast<std::uint64_t>(x.shape[0]);
  p.a_row = weights.strides[0], p.a_column = weights.strides[1];
  p.b_row = x.strides[1], p.b_column = columns == 1 ? x.strides[2] : x.strides[3];
  p.type_of_b = x.type;
  p.inputs = {1, 0};
  p.has_bias = p.has_bias_of_rows = c.bias.has_value();
  if (p.batches == 1) return p;
  p.batch.rank = 1;
  p.batch.size[0] = x.shape[0];
  p.batch.stride[1][0] = x.strides[0];
  p.batch.stride[2][0] = out.strides[0];
  return p;
}

// Rounds of an item's loops: of each step of the depth, with those that load the strips.
constexpr std::uint64_t conv_step = 16, conv_rounds_of_step = 24;

result<void> plan_conv_on_device(const convolution& c, planner& to) {
  const operand &x = to.input(0), &out = to.output(0), &weights = c.weights.what;
  BEAMLET_TRY_VOID(c.window.check_on_device(to, x.shape));
  const std::uint64_t k = weights.elements() / static_cast<std::uint64_t>(weights.shape[0]);
  const auto groups_most = to.device().limits.groups_max[2];
  const std::uint64_t parts_of_group = divided_up(static_cast<std::uint64_t>(c.parts), groups_most);
  const std::uint64_t most = to.device().kind == device_kind::software
                                 ? software_rounds_max / conv_rounds_of_step * conv_step
                                 : std::uint64_t{std::numeric_limits<std::int32_t>::max()};
  if ((k + conv_step) * parts_of_group > most)
    return to.unsupported("conv2d: sums of " + std::to_string(k) + " products");
  const sliding_window of = c.window.simplified(out.shape);
  planned_launch& made = to.launch(conv_tile_sources[out.type == dtypes::f16 ? 1 : 0]);
  conv_parameters p{};
  const placed_operand all[] = {
      conv_input(to), conv_weights(c, to), conv_bias(c, to), {to.output_slot(0), out}};
  for (std::size_t i = 0; i < 4; ++i) {
    BEAMLET_TRY(p.first[i], to.bind(made, all[i].memory, all[i].what));
  }
  p.m = static_cast<std::uint32_t>(out.shape[1] / c.parts);
  p.k = static_cast<std::uint32_t>(k);
  p.pixels = static_cast<std::uint32_t>(out.shape[2] * out.shape[3]);
  p.images = static_cast<std::uint32_t>(out.shape[0]);
  p.parts = static_cast<std::uint32_t>(c.parts);
  p.channels = static_cast<std::uint32_t>(x.shape[1] / c.parts);
  p.out_columns = static_cast<std::uint32_t>(out.shape[3]);
  p.rows = static_cast<std::int32_t>(x.shape[2]);
  p.columns = static_cast<std::int32_t>(x.shape[3]);
  for (std::size_t d = 0; d < 2; ++d) {
    p.size[d] = static_cast<std::uint32_t>(of.size[d]);
    p.stride[d] = static_cast<std::int32_t>(of.stride[d]);
    p.dilation[d] = static_cast<std::int32_t>(of.dilation[d]);
    p.before[d] = static_cast<std::int32_t>(of.padding[d]);
  }
  for (std::size_t d = 0; d < 4; ++d) {
    BEAMLET_TRY(p.step[d], window_step(x.strides[d], to));
  }
  if (c.bias.has_value()) {
    BEAMLET_TRY(p.bias_step, window_step(c.bias->what.strides[0], to));
  }
  // A tile of 32 rows and 64 columns, of a kernel that every device can run.
  constexpr std::uint32_t across = 16, down = 8;
  made.constants.values = {across, down, 1, 1};
  p.has_bias = c.bias.has_value();
  made.set_parameters(p);
  const std::uint64_t columns = std::uint64_t{p.pixels} * p.images;
  return to.set_groups(made, divided_up(columns, std::uint64_t{4} * across),
                       divided_up(p.m, std::uint64_t{4} * down),
                       std::min<std::uint64_t>(p.parts, groups_most));
}

}  // namespace

result<tensor_types> outputs_of(const ops::conv2d& what, std::span<const tensor_type> inputs) {
  const std::size_t count = what.bias ? 3 : 2;
  if (inputs.size() != count)
    return conv_fault(std::string("takes images, weights") + (what.bias ? ", a bias" : "") +
                      ", which is " + std::to_string(count) + " inputs, not " +
                      std::to_string(inputs.size()));
  const tensor_type &x = inputs[0], &weights = inputs[1];
  if (x.type != dtypes::f32 && x.type != dtypes::f16)
    return compute_error(errc::unsupported,
                         "conv2d: of f32 and f16, not of " + x.type.name() + "; cast it");
  if (weights.type != x.type)
    return conv_fault("images of " + x.type.name() + " and weights of " + weights.type.name() +
                      "; cast one");
  if (x.shape.size() != 4 || weights.shape.size() != 4)
    return conv_fault("of [n, c, h, w] with weights [m, c / groups, kh, kw], not of " +
                      text_of(x.shape) + " with " + text_of(weights.shape) + "; reshape them");
  BEAMLET_TRY_VOID(check_channels(what, x.shape, weights.shape));
  const std::int64_t m = weights.shape[0];
  if (what.bias && (inputs[2].type != dtypes::f32 || inputs[2].shape != dimensions{m}))
    return conv_fault("the bias must be f32 [" + std::to_string(m) + "], not " +
                      inputs[2].type.name() + " " + text_of(inputs[2].shape));
  BEAMLET_TRY(const auto out, window_of(what, weights.shape).outputs(x.shape));
  return tensor_types{{x.type, {x.shape[0], m, out[0], out[1]}}};
}

op_cost cost_of(const ops::conv2d&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  const dimensions& weights = inputs[1].shape;
  op_cost made;
  made.flops = 2 * elements * static_cast<double>(weights[1]) * static_cast<double>(weights[2]) *
               static_cast<double>(weights[3]);
  made.bytes = elements * static_cast<double>(outputs[0].type.bytes());
  for (const operand& in : inputs)
    made.bytes += static_cast<double>(in.elements() * in.type.bytes());
  return made;
}

result<void> plan_for(const ops::conv2d& what, planner& to) {
  convolution c(what, to);
  if (!to.on_cpu())
    if (const auto product = product_of(c, to)) return plan_matmul_on_device(*product, to);
  BEAMLET_TRY_VOID(prepare_weights(c, to));
  if (c.is_of_planes())
    return plan_plane_windows({c.window, window_kind::weighted, false, c.weights, c.bias}, to);
  return to.on_cpu() ? plan_conv_on_cpu(c, to) : plan_conv_on_device(c, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
