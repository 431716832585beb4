// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/cast.hpp"

#include <algorithm>
#include <array>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/cast.k has them.
struct cast_parameters {
  static constexpr std::size_t rank_max = 6;
  std::uint32_t count, first_x, first_y;
  float scale, offset;
  std::uint32_t size[rank_max];
  std::int32_t stride[rank_max];
};
constexpr std::uint32_t cast_group = 128;

constexpr kernel_source cast_kernel(const kernel_code& code, std::size_t bytes_min) {
  return {.name = "cast",
          .buffers = 2,
          .parameter_bytes = sizeof(cast_parameters),
          .constants = 4,
          .cpu = cast_on_cpu,
          .code = &code,
          .storage_16bit = bytes_min <= 2,
          .storage_8bit = bytes_min == 1};
}
// Each can do what those after it can.
constexpr kernel_source cast_sources[] = {cast_kernel(embedded::cast_8, 1),
                                          cast_kernel(embedded::cast_16, 2),
                                          cast_kernel(embedded::cast_32, 4)};

result<void> plan_cast_on_cpu(const ops::cast& what, planner& to, planned_launch& made) {
  const operand both[] = {to.input(0), to.output(0)};
  cpu_cast how;
  how.count = to.output(0).elements();
  how.where = strided::of(walk_together(both), 0);
  how.from = number_of(to.input(0).type);
  how.to = number_of(what.to);
  how.scale = what.scale;
  how.offset = what.offset;
  to.bind_from_first(made, to.input_slot(0), to.input(0));
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.set_parameters(how);
  return to.set_groups(made, (how.count + cpu_cast::group_elements - 1) / cpu_cast::group_elements);
}

}  // namespace

result<tensor_types> outputs_of(const ops::cast& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return compute_error(errc::invalid_argument,
                         "cast: takes one input, not " + std::to_string(inputs.size()));
  const tensor_type& in = inputs.front();
  if (number_index_of(in.type) == number_count || number_index_of(what.to) == number_count)
    return compute_error(errc::unsupported,
                         "cast: from and to f32, f16, u8, i8 and i32, not from " + in.type.name() +
                             " to " + (what.to.is_valid() ? what.to.name() : "no known type"));
  return tensor_types{{what.to, in.shape}};
}

op_cost cost_of(const ops::cast&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  op_cost made;
  made.bytes = static_cast<double>(outputs[0].elements()) *
               static_cast<double>(inputs[0].type.bytes() + outputs[0].type.bytes());
  return made;
}

result<void> plan_for(const ops::cast& what, planner& to) {
  const operand& in = to.input(0);
  const operand& out = to.output(0);
  // All digits of an integer stay.
  if (in.type == out.type && what.scale == 1 && what.offset == 0)
    return plan_copy(to, to.input_slot(0), in, to.output_slot(0), out);
  const std::size_t bytes_min = std::min(in.type.bytes(), out.type.bytes());
  planned_launch& made = to.launch(cast_sources[bytes_min / 2]);
  if (to.on_cpu()) return plan_cast_on_cpu(what, to, made);
  const operand both[] = {in, out};
  const walk path = walk_together(both);
  if (path.rank > cast_parameters::rank_max)
    return to.unsupported("a cast of a tensor strided in more than 6 dimensions; copy it");
  cast_parameters p{};
  p.count = static_cast<std::uint32_t>(out.elements());
  BEAMLET_TRY(p.first_x, to.bind(made, to.input_slot(0), in));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
  p.scale = what.scale;
  p.offset = what.offset;
  for (std::size_t d = 0; d < cast_parameters::rank_max; ++d) {
    p.size[d] = d < path.rank ? static_cast<std::uint32_t>(path.size[d]) : 1;
    p.stride[d] = static_cast<std::int32_t>(path.stride[0][d]);
  }
  made.constants.values[2] = static_cast<std::uint32_t>(number_index_of(in.type));
  made.constants.values[3] = static_cast<std::uint32_t>(number_index_of(out.type));
  made.set_parameters(p);
  return to.set_items_of_any_group(made, cast_group, p.count);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
