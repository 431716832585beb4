// SPDX-License-Identifier: Apache-2.0
#include "compute/ops/windows.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/windows.k has them.
struct windows_parameters {
  std::uint32_t count, first[4], channels, multiplier, out_rows, out_columns;
  std::int32_t rows, columns, size[2], stride[2], dilation[2], before[2], step[4], bias_step;
  std::uint32_t has_bias, counts_padding;
};
constexpr std::uint32_t windows_group = 128;

constexpr kernel_source windows_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "windows",
          .buffers = 4,
          .parameter_bytes = sizeof(windows_parameters),
          .constants = 3,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source windows_sources[] = {windows_kernel(embedded::windows_f32, false),
                                             windows_kernel(embedded::windows_f16, true)};
constexpr kernel_source windows_on_cpu{
    .name = "windows", .buffers = 4, .parameter_bytes = sizeof(cpu_pool), .cpu = pool_on_cpu};

// What is not there is bound to the output, and not read.
placed_operand or_output(const std::optional<placed_operand>& what, const planner& to) {
  if (what.has_value() && what->what.elements() > 0) return *what;
  return {to.output_slot(0), to.output(0)};
}

std::uint64_t multiplier_of(const planner& to) {
  return static_cast<std::uint64_t>(to.output(0).shape[1] / to.input(0).shape[1]);
}

result<void> plan_windows_on_cpu(const plane_windows& what, planner& to) {
  const operand &x = to.input(0), &out = to.output(0);
  cpu_pool how;
  how.windows = what.window.on_cpu(x, out.shape);
  // Whole vectors are read, and nothing behind the input.
  if (out.shape[3] < cpu_windows::vector_columns) how.windows.is_copied = 1;
  how.channels = static_cast<std::uint64_t>(out.shape[1]);
  how.multiplier = multiplier_of(to);
  how.image_step = x.strides[0];
  how.channel_step = x.strides[1];
  how.kind = what.kind;
  how.counts_padding = what.counts_padding;
  how.has_bias = what.bias.has_value();
  if (what.bias.has_value()) how.bias_step = what.bias->what.strides[0];
  planned_launch& made = to.launch(windows_on_cpu);
  const placed_operand weights = or_output(what.weights, to), bias = or_output(what.bias, to);
  const placed_operand in = or_output(placed_operand{to.input_slot(0), x}, to);
  to.bind_from_first(made, in.memory, in.what);
  to.bind_from_first(made, weights.memory, weights.what);
  to.bind_from_first(made, bias.memory, bias.what);
  to.bind_from_first(made, to.output_slot(0), out);
  made.set_parameters(how);
  const auto planes = static_cast<std::uint64_t>(out.shape[0] * out.shape[1]);
  return to.set_groups(made, planes * how.groups_of_plane());
}

// Rounds of an item's loops.
result<void> check_rounds(const sliding_window& window, const planner& to, const operand& x,
                          const planned_launch& made, std::uint64_t items) {
  if (to.device().kind != device_kind::software) return {};
  const std::int64_t down = std::min(window.size[0], x.shape[2]);
  const std::int64_t across = std::min(window.size[1], x.shape[3]);
  const std::uint64_t places =
      static_cast<std::uint64_t>(down) * (1 + static_cast<std::uint64_t>(across));
  const std::uint64_t at_once = std::uint64_t{made.groups[0]} * made.constants.values[0];
  if (places > software_rounds_max ||
      (1 + places) * divided_up(items, at_once) > software_rounds_max)
    return to.unsupported(std::string(window.op_name) +
                          ": windows of so many places; `reduce` makes one number of a plane");
  return {};
}

}  // namespace

result<std::array<std::int64_t, 2>> sliding_window::outputs(const dimensions& shape) const {
  const auto fault = [&](const std::string& what) {
    return compute_error(errc::invalid_argument, std::string(op_name) + ": " + what);
  };
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (std::ranges::any_of(padding, [](std::int64_t n) { return n < 0; }))
    return fault("a padding of fewer than no elements");
  if (std::ranges::any_of(padding, [](std::int64_t n) { return n > most; }))
    return compute_error(errc::too_large,
                         std::string(op_name) + ": a padding of more than 2^31 - 1 elements");
  std::array<std::int64_t, 2> made{};
  for (std::size_t d = 0; d < 2; ++d) {
    for (const std::int64_t n : {size[d], stride[d], dilation[d]})
      if (n < 1 || n > most)
        return fault("a window's size, stride and dilation are from 1 to 2^31 - 1, not " +
                     std::to_string(n));
    const std::int64_t reach = (size[d] - 1) * dilation[d] + 1;
    const std::int64_t padded = shape[2 + d] + padding[d] + padding[2 + d];
    if (padded < reach)
      return fault("a window that reaches over " + std::to_string(reach) +
                   (d == 0 ? " rows" : " columns") + " of " + std::to_string(padded) +
                   " with the padding; pad more");
    made[d] = (padded - reach) / stride[d] + 1;
  }
  return made;
}

sliding_window sliding_window::simplified(const dimensions& out_shape) const noexcept {
  sliding_window made = *this;
  for (std::size_t d = 0; d < 2; ++d) {
    if (size[d] == 1) made.dilation[d] = 1;
    if (out_shape[2 + d] == 1) made.stride[d] = 1;
  }
  return made;
}

cpu_windows sliding_window::on_cpu(const operand& x, const dimensions& out_shape) const noexcept {
  const sliding_window of = simplified(out_shape);
  cpu_windows made;
  made.in = {x.shape[2], x.shape[3]};
  made.out = {out_shape[2], out_shape[3]};
  made.size = of.size;
  made.stride = of.stride;
  made.dilation = of.dilation;
  made.before = {padding[0], padding[1]};
  made.step = {x.strides[2], x.strides[3]};
  made.type = number_of(x.type);
  made.is_copied = has_padding();
  return made;
}

result<void> sliding_window::check_on_device(const planner& to, const dimensions& shape) const {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  for (std::size_t d = 0; d < 2; ++d)
    if (shape[2 + d] + padding[d] + padding[2 + d] > most)
      return to.unsupported(std::string(op_name) + ": more rows or columns than 30 bits count");
  return {};
}

result<std::int32_t> window_step(std::int64_t stride, const planner& to) {
  if (stride > std::numeric_limits<std::int32_t>::max() ||
      stride < std::numeric_limits<std::int32_t>::min())
    return to.unsupported("a stride of " + std::to_string(stride) + " elements");
  return static_cast<std::int32_t>(stride);
}

result<void> plan_plane_windows(const plane_windows& what, planner& to) {
  if (to.on_cpu()) return plan_windows_on_cpu(what, to);
  const operand &x = to.input(0), &out = to.output(0);
  BEAMLET_TRY_VOID(what.window.check_on_device(to, x.shape));
  const sliding_window of = what.window.simplified(out.shape);
  planned_launch& made = to.launch(windows_sources[out.type == dtypes::f16 ? 1 : 0]);
  windows_parameters p{};
  const placed_operand all[] = {or_output(placed_operand{to.input_slot(0), x}, to),
                                or_output(what.weights, to),
                                or_output(what.bias, to),
                                {to.output_slot(0), out}};
  for (std::size_t i = 0; i < 4; ++i) {
    BEAMLET_TRY(p.first[i], to.bind(made, all[i].memory, all[i].what));
  }
  p.count = static_cast<std::uint32_t>(out.elements());
  p.channels = static_cast<std::uint32_t>(out.shape[1]);
  p.multiplier = static_cast<std::uint32_t>(multiplier_of(to));
  p.out_rows = static_cast<std::uint32_t>(out.shape[2]);
  p.out_columns = static_cast<std::uint32_t>(out.shape[3]);
  p.rows = static_cast<std::int32_t>(x.shape[2]);
  p.columns = static_cast<std::int32_t>(x.shape[3]);
  for (std::size_t d = 0; d < 2; ++d) {
    p.size[d] = static_cast<std::int32_t>(of.size[d]);
    p.stride[d] = static_cast<std::int32_t>(of.stride[d]);
    p.dilation[d] = static_cast<std::int32_t>(of.dilation[d]);
    p.before[d] = static_cast<std::int32_t>(of.padding[d]);
  }
  for (std::size_t d = 0; d < 4; ++d) {
    BEAMLET_TRY(p.step[d], window_step(x.strides[d], to));
  }
  if (what.bias.has_value()) {
    BEAMLET_TRY(p.bias_step, window_step(what.bias->what.strides[0], to));
  }
  made.constants.values[2] = static_cast<std::uint32_t>(what.kind);
  p.has_bias = what.bias.has_value();
  p.counts_padding = what.counts_padding;
  made.set_parameters(p);
  BEAMLET_TRY_VOID(to.set_items(made, windows_group, p.count));
  return check_rounds(of, to, x, made, p.count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
