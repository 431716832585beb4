// SPDX-License-Identifier: Apache-2.0
// layer_norm and rms_norm: the latter is the former without a mean and a shift.
#include <algorithm>
#include <array>

#include "compute/cpu/normalize.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/rows.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/normalize.k has them.
struct normalize_parameters {
  static constexpr std::size_t kept_max = 4;
  std::uint32_t rows, columns, first_x, first_a, first_b, first_y;
  std::int32_t stride, stride_a, stride_b;
  float epsilon;
  std::uint32_t kept_size[kept_max];
  std::int32_t kept[kept_max];
};

constexpr kernel_source normalize_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "normalize_rows",  // OpenCL C has a normalize()
          .buffers = 4,
          .parameter_bytes = sizeof(normalize_parameters),
          .constants = 6,
          .cpu = normalize_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source normalize_sources[] = {normalize_kernel(embedded::normalize_f32, false),
                                               normalize_kernel(embedded::normalize_f16, true)};

result<tensor_types> normalized_types(const char* op_name, std::span<const tensor_type> inputs,
                                      std::size_t inputs_max) {
  const auto fault = [&](errc code, const std::string& what) {
    return compute_error(code, std::string(op_name) + ": " + what);
  };
  if (inputs.empty() || inputs.size() > inputs_max)
    return fault(errc::invalid_argument, "takes 1 to " + std::to_string(inputs_max) +
                                             " inputs, not " + std::to_string(inputs.size()));
  const tensor_type& in = inputs.front();
  if (in.type != dtypes::f32 && in.type != dtypes::f16)
    return fault(errc::unsupported, "of f32 and f16, not of " + in.type.name() + "; cast it");
  if (in.shape.size() == 0) return fault(errc::invalid_argument, "of a single number");
  const dimensions row{in.shape[in.shape.size() - 1]};
  for (const tensor_type& t : inputs.subspan(1))
    if (t.type != in.type || t.shape != row)
      return fault(errc::invalid_argument, "rows of " + in.type.name() + " " + text_of(row) +
                                               " do not go with " + t.type.name() + " " +
                                               text_of(t.shape));
  return tensor_types{in};
}

op_cost cost_of_normalizing(std::span<const operand> outputs) {
  op_cost made;
  made.bytes = 2 * static_cast<double>(outputs[0].elements() * outputs[0].type.bytes());
  return made;
}

result<void> plan_normalize_on_cpu(planner& to, const kernel_source& source, const rows_of_op& x,
                                   bool is_around_mean, float epsilon) {
  cpu_normalize how;
  how.kept = strided::of(x.kept, 0);
  how.along = x.along();
  how.rows = x.rows;
  how.columns = x.columns;
  how.type = number_of(x.in.type);
  how.epsilon = epsilon;
  how.is_around_mean = is_around_mean;
  how.has_scale = to.input_count() > 1;
  how.has_shift = to.input_count() > 2;
  planned_launch& made = to.launch(source);
  to.bind_from_first(made, x.memory, x.in);
  for (std::size_t i = 1; i < 3; ++i) {
    const bool is_there = i < to.input_count();
    to.bind_from_first(made, to.input_slot(is_there ? i : 0), to.input(is_there ? i : 0));
    if (!is_there) continue;
    strided& where = i == 1 ? how.scale : how.shift;
    where = {1, {static_cast<std::int64_t>(x.columns)}, {to.input(i).strides[0]}};
  }
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.set_parameters(how);
  return to.set_groups(made, x.rows);
}

result<void> plan_normalize(planner& to, bool is_around_mean, float epsilon) {
  const operand& out = to.output(0);
  rows_of_op x(to.input_slot(0), to.input(0), out.shape.size() - 1);
  const kernel_source& source = normalize_sources[out.type == dtypes::f16 ? 1 : 0];
  if (to.on_cpu()) return plan_normalize_on_cpu(to, source, x, is_around_mean, epsilon);
  BEAMLET_TRY_VOID(x.make_fit(to, normalize_parameters::kept_max));
  planned_launch& made = to.launch(source);
  normalize_parameters p{};
  x.set(p);
  p.epsilon = epsilon;
  // What is left out is the first input once more: a kernel has all its buffers.
  BEAMLET_TRY(p.first_x, to.bind(made, x.memory, x.in));
  const bool has_scale = to.input_count() > 1, has_shift = to.input_count() > 2;
  const operand& a = has_scale ? to.input(1) : to.input(0);
  const operand& b = has_shift ? to.input(2) : to.input(0);
  BEAMLET_TRY(p.first_a, to.bind(made, to.input_slot(has_scale ? 1 : 0), a));
  BEAMLET_TRY(p.first_b, to.bind(made, to.input_slot(has_shift ? 2 : 0), b));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  p.stride_a = static_cast<std::int32_t>(a.strides[0]);
  p.stride_b = static_cast<std::int32_t>(b.strides[0]);
  made.constants.values[2] = is_around_mean;
  made.constants.values[4] = has_scale;
  made.constants.values[5] = has_shift;
  made.set_parameters(p);
  return x.set_rows(to, made, true);
}

}  // namespace

result<tensor_types> outputs_of(const ops::layer_norm&, std::span<const tensor_type> inputs) {
  return normalized_types("layer_norm", inputs, 3);
}

op_cost cost_of(const ops::layer_norm&, std::span<const operand>,
                std::span<const operand> outputs) {
  return cost_of_normalizing(outputs);
}

result<void> plan_for(const ops::layer_norm& what, planner& to) {
  return plan_normalize(to, true, what.epsilon);
}

result<tensor_types> outputs_of(const ops::rms_norm&, std::span<const tensor_type> inputs) {
  return normalized_types("rms_norm", inputs, 2);
}

op_cost cost_of(const ops::rms_norm&, std::span<const operand>, std::span<const operand> outputs) {
  return cost_of_normalizing(outputs);
}

result<void> plan_for(const ops::rms_norm& what, planner& to) {
  return plan_normalize(to, false, what.epsilon);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
