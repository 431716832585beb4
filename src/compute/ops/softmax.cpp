// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>

#include "compute/cpu/normalize.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/ops/rows.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/softmax.k has them.
struct softmax_parameters {
  static constexpr std::size_t kept_max = 4;
  std::uint32_t rows, columns, inner, first_x, first_y;
  std::int32_t stride;
  std::uint32_t kept_size[kept_max];
  std::int32_t kept[kept_max];
};

constexpr kernel_source softmax_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "softmax",
          .buffers = 2,
          .parameter_bytes = sizeof(softmax_parameters),
          .constants = 4,
          .cpu = softmax_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source softmax_sources[] = {softmax_kernel(embedded::softmax_f32, false),
                                             softmax_kernel(embedded::softmax_f16, true)};
constexpr kernel_source softmax_columns_source{.name = "softmax_columns",
                                               .buffers = 3,
                                               .parameter_bytes = sizeof(cpu_softmax),
                                               .cpu = softmax_columns_on_cpu};
// What a thread of several should have to do at least, and how many groups even out their speed.
constexpr std::uint64_t softmax_group_elements = 65536, softmax_groups_per_unit = 4;

std::uint64_t inner_of(const dimensions& shape, std::size_t along) {
  std::uint64_t inner = 1;
  for (std::size_t d = along + 1; d < shape.size(); ++d)
    inner *= static_cast<std::uint64_t>(shape[d]);
  return inner;
}

result<void> plan_softmax_on_cpu(cpu_softmax& how, const kernel_source& source, const rows_of_op& x,
                                 planner& to) {
  slot scratch;
  if (how.inner > 1) {
    const std::uint64_t threads = to.device().units, elements = how.rows * how.columns;
    const std::uint64_t worth = divided_up(elements, softmax_group_elements);
    how.groups =
        std::min({how.block_count(), worth, threads == 1 ? 1 : threads * softmax_groups_per_unit});
    scratch = to.scratch(how.groups * how.scratch_elements() * sizeof(float));
  }
  planned_launch& made = to.launch(how.inner > 1 ? softmax_columns_source : source);
  to.bind_from_first(made, x.memory, x.in);
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  if (how.inner > 1)
    made.bindings[made.binding_count++] = {scratch, 0,
                                           how.groups * how.scratch_elements() * sizeof(float)};
  made.set_parameters(how);
  return to.set_groups(made, how.inner > 1 ? how.groups : how.rows);
}

}  // namespace

result<tensor_types> outputs_of(const ops::softmax& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return compute_error(errc::invalid_argument,
                         "softmax: takes one input, not " + std::to_string(inputs.size()));
  const tensor_type& in = inputs.front();
  if (in.type != dtypes::f32 && in.type != dtypes::f16)
    return compute_error(errc::unsupported,
                         "softmax: of f32 and f16, not of " + in.type.name() + "; cast it");
  BEAMLET_TRY_VOID(dimension_of(what.dimension, in.shape));
  return tensor_types{in};
}

op_cost cost_of(const ops::softmax&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  op_cost made;
  made.bytes = 2 * elements * static_cast<double>(inputs[0].type.bytes());
  made.functions = elements;
  return made;
}

result<void> plan_for(const ops::softmax& what, planner& to) {
  const operand& out = to.output(0);
  BEAMLET_TRY(const std::size_t along, dimension_of(what.dimension, out.shape));
  const std::uint64_t inner = inner_of(out.shape, along);
  rows_of_op x(to.input_slot(0), to.input(0), along);
  const kernel_source& source = softmax_sources[out.type == dtypes::f16 ? 1 : 0];
  if (to.on_cpu()) {
    cpu_softmax how;
    how.kept = strided::of(x.kept, 0);
    how.along = x.along();
    how.rows = x.rows;
    how.columns = x.columns;
    how.inner = inner;
    how.type = number_of(out.type);
    how.is_logarithm = what.logarithm;
    return plan_softmax_on_cpu(how, source, x, to);
  }
  BEAMLET_TRY_VOID(x.make_fit(to, softmax_parameters::kept_max));
  planned_launch& made = to.launch(source);
  softmax_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, x.memory, x.in));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  x.set(p);
  p.inner = static_cast<std::uint32_t>(inner);
  made.constants.values[2] = what.logarithm;
  made.set_parameters(p);
  return x.set_rows(to, made, inner == 1);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
