// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>

#include "compute/cpu/elementwise.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/elementwise.k has them.
struct elementwise_parameters {
  std::uint32_t count, first[4], size[4];
  std::int32_t stride[12];
  float a[4], b[4];
};
constexpr std::size_t steps_of_launch = 4, rank_of_launch = 4;
constexpr std::uint32_t no_step = 255;
constexpr std::uint32_t elementwise_group = 128;

constexpr kernel_source elementwise_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "elementwise",
          .buffers = 4,
          .parameter_bytes = sizeof(elementwise_parameters),
          .constants = 7,
          .cpu = elementwise_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source elementwise_sources[] = {
    elementwise_kernel(embedded::elementwise_f32, false),
    elementwise_kernel(embedded::elementwise_f16, true)};

const kernel_source& elementwise_source(dtype type) {
  return elementwise_sources[type == dtypes::f16 ? 1 : 0];
}

error elementwise_fault(std::string what) {
  return compute_error(errc::invalid_argument, "elementwise: " + std::move(what));
}

// Those that are exp, log or more; the others hide behind the memory.
bool is_costly(ops::function f) {
  using enum ops::function;
  return (f >= exp && f <= sigmoid) || f == elu || f == gelu || f == silu || f == softplus ||
         f == power;
}

result<void> plan_on_cpu(const ops::elementwise& what, planner& to) {
  cpu_elementwise how;
  const operand& out = to.output(0);
  std::vector<operand> all;
  for (std::size_t i = 0; i < to.input_count(); ++i)
    all.push_back(stretched(to.input(i), out.shape));
  all.push_back(out);
  const walk path = walk_together(all);
  how.count = out.elements();
  how.inputs = static_cast<std::uint32_t>(to.input_count());
  how.steps = static_cast<std::uint32_t>(what.steps.size());
  how.rank = static_cast<std::uint32_t>(path.rank);
  how.is_f16 = out.type == dtypes::f16;
  how.size = path.size;
  std::copy_n(path.stride.begin(), how.inputs, how.stride.begin());
  std::ranges::copy(what.steps, how.step.begin());
  planned_launch& made = to.launch(elementwise_source(out.type));
  for (std::size_t i = 0; i < to.input_count(); ++i)
    to.bind_from_first(made, to.input_slot(i), to.input(i));
  to.bind_from_first(made, to.output_slot(0), out);
  made.set_parameters(how);
  const std::uint64_t groups =
      (how.count + cpu_elementwise::group_elements - 1) / cpu_elementwise::group_elements;
  return to.set_groups(made, groups);
}

// One launch of up to four steps, from `x` (and the other inputs) to `out`.
result<void> plan_steps(planner& to, std::span<const ops::step> steps, slot x_memory,
                        const operand& x, slot out_memory, const operand& out) {
  // Inputs that no step reads are x once more: a kernel has all its buffers.
  std::array<std::pair<slot, operand>, ops::elementwise::inputs_max> in;
  in.fill({x_memory, stretched(x, out.shape)});
  for (const ops::step& s : steps)
    if (takes_two(s.what))
      in[s.with] = {to.input_slot(s.with), stretched(to.input(s.with), out.shape)};
  const operand all[] = {in[0].second, in[1].second, in[2].second, out};
  const walk path = walk_together(all);
  if (path.rank > rank_of_launch)
    return to.unsupported("elementwise over tensors strided in more than 4 dimensions; copy them");
  planned_launch& made = to.launch(elementwise_source(out.type));
  elementwise_parameters p{};
  p.count = static_cast<std::uint32_t>(out.elements());
  for (std::size_t i = 0; i < in.size(); ++i) {
    BEAMLET_TRY(p.first[i], to.bind(made, in[i].first, in[i].second));
  }
  BEAMLET_TRY(p.first[3], to.bind(made, out_memory, out));
  for (std::size_t d = 0; d < rank_of_launch; ++d) {
    p.size[d] = d < path.rank ? static_cast<std::uint32_t>(path.size[d]) : 1;
    for (std::size_t i = 0; d < path.rank && i < in.size(); ++i)
      p.stride[3 * d + i] = static_cast<std::int32_t>(path.stride[i][d]);
  }
  auto& constants = made.constants.values;
  constants[2] = path.rank <= 1;
  for (std::size_t s = 0; s < steps_of_launch; ++s) {
    constants[3 + s] = no_step;
    if (s >= steps.size()) continue;
    constants[3 + s] = static_cast<std::uint32_t>(steps[s].what) + 256u * steps[s].with;
    p.a[s] = steps[s].a;
    p.b[s] = steps[s].b;
  }
  made.set_parameters(p);
  return to.set_items_of_any_group(made, elementwise_group, p.count);
}

}  // namespace

result<tensor_types> outputs_of(const ops::elementwise& what, std::span<const tensor_type> inputs) {
  if (inputs.empty() || inputs.size() > ops::elementwise::inputs_max)
    return elementwise_fault("takes 1 to 3 inputs, not " + std::to_string(inputs.size()));
  if (what.steps.empty() || what.steps.size() > ops::elementwise::steps_max)
    return elementwise_fault("takes 1 to 16 steps, not " + std::to_string(what.steps.size()));
  for (const ops::step& s : what.steps) {
    if (static_cast<std::size_t>(s.what) >= ops::function_count)
      return elementwise_fault("there is no function " + std::to_string(static_cast<int>(s.what)));
    if (takes_two(s.what) && s.with >= inputs.size())
      return elementwise_fault("a step is with input " + std::to_string(s.with) + " of " +
                               std::to_string(inputs.size()));
  }
  tensor_type made = inputs.front();
  if (made.type != dtypes::f32 && made.type != dtypes::f16)
    return compute_error(errc::unsupported,
                         "elementwise: of f32 and f16, not of " + made.type.name() + "; cast it");
  for (const tensor_type& t : inputs) {
    if (t.type != made.type)
      return elementwise_fault("inputs of " + made.type.name() + " and " + t.type.name() +
                               "; cast one");
    BEAMLET_TRY(made.shape, broadcast(made.shape, t.shape));
  }
  return tensor_types{made};
}

op_cost cost_of(const ops::elementwise& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  op_cost made;
  made.bytes = elements * static_cast<double>(outputs[0].type.bytes());
  for (const operand& in : inputs)
    made.bytes += static_cast<double>(in.elements() * in.type.bytes());
  for (const ops::step& s : what.steps)
    if (is_costly(s.what)) made.functions += elements;
  return made;
}

result<void> plan_for(const ops::elementwise& what, planner& to) {
  if (to.on_cpu()) return plan_on_cpu(what, to);
  std::span<const ops::step> left = what.steps;
  slot memory = to.input_slot(0);
  operand x = to.input(0);
  while (!left.empty()) {
    const auto now = left.first(std::min(steps_of_launch, left.size()));
    left = left.subspan(now.size());
    const operand& out = to.output(0);
    const slot out_memory =
        left.empty() ? to.output_slot(0) : to.scratch(out.elements() * out.type.bytes());
    const operand made = left.empty() ? out : operand::dense(out.type, out.shape);
    BEAMLET_TRY_VOID(plan_steps(to, now, memory, x, out_memory, made));
    memory = out_memory;
    x = made;
  }
  return {};
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
