// SPDX-License-Identifier: Apache-2.0
// reduce and argmax. On devices with few outputs, rows are cut into pieces, and a second launch
// joins what these left.
#include "compute/cpu/reduce.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <limits>

#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/reduce.k and argmax.k have them.
struct reduce_parameters {
  static constexpr std::size_t kept_max = 4, reduced_max = 3;
  std::uint32_t rows, columns, piece, pieces, first_x, first_y;
  float scale;
  std::uint32_t kept_size[kept_max];
  std::int32_t kept[kept_max];
  std::uint32_t size[reduced_max];
  std::int32_t stride[reduced_max];
};
struct argmax_parameters {
  static constexpr std::size_t kept_max = 5, reduced_max = 1;
  std::uint32_t rows, columns, piece, pieces, first_x, first_y;
  std::int32_t stride;
  std::uint32_t kept_size[kept_max];
  std::int32_t kept[kept_max];
};

constexpr std::uint32_t reduce_group = 128;
// Enough items for large devices; fewer elements for an item are not worth a second launch.
constexpr std::uint64_t reduce_items = 65536, reduce_item_elements = 32;
// The processor: so many outputs keep all threads busy, and so much is a piece then.
constexpr std::uint64_t cpu_outputs_enough = 64, cpu_piece_elements = 65536;

constexpr kernel_source reduce_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "reduce",
          .buffers = 4,
          .parameter_bytes = sizeof(reduce_parameters),
          .constants = 6,
          .cpu = reduce_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source argmax_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "argmax",
          .buffers = 3,
          .parameter_bytes = sizeof(argmax_parameters),
          .constants = 5,
          .cpu = argmax_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source reduce_sources[] = {reduce_kernel(embedded::reduce_f32, false),
                                            reduce_kernel(embedded::reduce_f16, true)};
constexpr kernel_source argmax_sources[] = {argmax_kernel(embedded::argmax_f32, false),
                                            argmax_kernel(embedded::argmax_f16, true)};

error reduce_fault(const char* op_name, const std::string& what) {
  return compute_error(errc::invalid_argument, std::string(op_name) + ": " + what);
}

result<void> check_reduced(const char* op_name, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return reduce_fault(op_name, "takes one input, not " + std::to_string(inputs.size()));
  const dtype type = inputs.front().type;
  if (type != dtypes::f32 && type != dtypes::f16)
    return compute_error(errc::unsupported, std::string(op_name) + ": of f32 and f16, not of " +
                                                type.name() + "; cast it");
  return {};
}

using dimension_set = std::array<bool, dimensions::count_max>;

result<dimension_set> reduced_dimensions(const dimensions& over, const dimensions& shape) {
  dimension_set made{};
  if (!over.is_valid()) return reduce_fault("reduce", "over more than 8 dimensions");
  if (over.size() == 0) made.fill(true);
  for (const std::int64_t d : over) {
    BEAMLET_TRY(const std::size_t which, dimension_of(d, shape));
    if (made[which])
      return reduce_fault("reduce", "over dimension " + std::to_string(d) + " twice");
    made[which] = true;
  }
  return made;
}

dimensions without(const dimensions& shape, const dimension_set& reduced, bool keep) {
  std::array<std::int64_t, dimensions::count_max> made{};
  std::size_t rank = 0;
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (!reduced[d]) made[rank++] = shape[d];
    else if (keep) made[rank++] = 1;
  return dimensions(std::span<const std::int64_t>(made.data(), rank));
}

// An input as outputs, and the elements of each.
struct reduction {
  operand in;  // dimensions of 1 where it is not walked
  slot memory;
  walk kept, reduced;
  std::uint64_t outputs = 1, columns = 1;

  reduction(slot from, const operand& what, const dimension_set& over) : in(what), memory(from) {
    operand rows = what, one_row = what;
    for (std::size_t d = 0; d < what.shape.size(); ++d) {
      (over[d] ? rows : one_row).shape[d] = 1;
      (over[d] ? columns : outputs) *= static_cast<std::uint64_t>(what.shape[d]);
    }
    kept = walk_together(std::span(&rows, 1));
    reduced = walk_together(std::span(&one_row, 1));
  }
  // Whether the next output's element is nearer than the row's next element.
  bool is_across() const {
    if (kept.rank == 0) return false;
    return reduced.rank == 0 || std::abs(kept.stride[0][0]) < std::abs(reduced.stride[0][0]);
  }
};

// Its dimensions in an order that a device has a kernel for: kept ones, then those to reduce.
result<reduction> made_dense(planner& to, const reduction& what, const dimension_set& over) {
  std::array<std::size_t, dimensions::count_max> order{};
  const std::size_t rank = what.in.shape.size();
  for (std::size_t d = 0; d < rank; ++d) order[d] = d;
  std::stable_partition(order.begin(), order.begin() + rank,
                        [&](std::size_t d) { return !over[d]; });
  BEAMLET_TRY(const auto dense, plan_dense(to, what.memory, what.in, std::span(order).first(rank)));
  dimension_set last{};
  for (std::size_t d = 0; d < rank; ++d) last[d] = over[order[d]];
  return reduction(dense.first, dense.second, last);
}

// How a launch on a device is divided.
struct division {
  std::uint32_t lanes = 1;
  std::uint64_t piece, pieces;

  division(const reduction& what, std::uint32_t group) {
    if (!what.is_across())
      while (lanes < group && lanes < what.columns) lanes *= 2;
    const std::uint64_t items = what.outputs * lanes;
    const std::uint64_t most = what.columns / (lanes * reduce_item_elements);
    pieces = std::clamp<std::uint64_t>(reduce_items / items, 1, std::max<std::uint64_t>(most, 1));
    piece = (what.columns + pieces - 1) / pieces;
    pieces = (what.columns + piece - 1) / piece;
  }
};

// A power of two, for lanes to divide it.
std::uint32_t group_of(const planner& to) {
  return std::bit_floor(std::min(reduce_group, to.device().limits.group_items_max));
}

template <class Parameters>
void set_walks(Parameters& p, const reduction& what, const division& how) {
  p.rows = static_cast<std::uint32_t>(what.outputs);
  p.columns = static_cast<std::uint32_t>(what.columns);
  p.piece = static_cast<std::uint32_t>(how.piece);
  p.pieces = static_cast<std::uint32_t>(how.pieces);
  for (std::size_t d = 0; d < Parameters::kept_max; ++d) {
    p.kept_size[d] = d < what.kept.rank ? static_cast<std::uint32_t>(what.kept.size[d]) : 1;
    p.kept[d] = static_cast<std::int32_t>(what.kept.stride[0][d]);
  }
}

result<void> set_rows(planner& to, planned_launch& made, const reduction& what, const division& how,
                      std::uint32_t group) {
  made.constants.values[3] = how.lanes;
  return to.set_items(made, group, what.outputs * how.pieces * how.lanes);
}

constexpr std::uint32_t as_kind(ops::reduce::kind what) { return static_cast<std::uint32_t>(what); }

result<void> plan_reduce_on_device(const ops::reduce& what, planner& to, reduction x,
                                   const dimension_set& over) {
  if (x.kept.rank > reduce_parameters::kept_max ||
      x.reduced.rank > reduce_parameters::reduced_max) {
    BEAMLET_TRY(x, made_dense(to, x, over));
  }
  const operand& out = to.output(0);
  const kernel_source& source = reduce_sources[out.type == dtypes::f16 ? 1 : 0];
  const std::uint32_t group = group_of(to);
  const float scale =
      what.what == ops::reduce::kind::mean ? 1 / static_cast<float>(x.columns) : 1.0f;
  const division how(x, group);
  const bool is_cut = how.pieces > 1;
  const auto piece_rows = static_cast<std::int64_t>(how.pieces);
  const operand parts = operand::dense(
      dtypes::f32, {is_cut ? piece_rows : 1, is_cut ? static_cast<std::int64_t>(x.outputs) : 1});
  const slot scratch = is_cut ? to.scratch(parts.elements() * 4) : to.output_slot(0);
  // One launch: buffers that it does not look at are the output.
  const auto add = [&](const reduction& from, const division& by, bool is_second) -> result<void> {
    planned_launch& made = to.launch(source);
    reduce_parameters p{};
    set_walks(p, from, by);
    const bool is_first = is_cut && !is_second;
    p.scale = is_first ? 1.0f : scale;
    for (std::size_t d = 0; d < reduce_parameters::reduced_max; ++d) {
      p.size[d] = d < from.reduced.rank ? static_cast<std::uint32_t>(from.reduced.size[d]) : 1;
      p.stride[d] = static_cast<std::int32_t>(from.reduced.stride[0][d]);
    }
    if (is_second) {
      BEAMLET_TRY_VOID(to.bind(made, to.output_slot(0), out));
      BEAMLET_TRY(p.first_x, to.bind(made, scratch, parts));
    } else {
      BEAMLET_TRY(p.first_x, to.bind(made, from.memory, from.in));
      BEAMLET_TRY_VOID(to.bind(made, to.output_slot(0), out));
    }
    BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), out));
    if (is_first) {
      BEAMLET_TRY(p.first_y, to.bind(made, scratch, parts));
    } else {
      BEAMLET_TRY_VOID(to.bind(made, to.output_slot(0), out));
    }
    const bool squares_done = is_second && what.what == ops::reduce::kind::sum_of_squares;
    made.constants.values[2] = as_kind(squares_done ? ops::reduce::kind::sum : what.what);
    made.constants.values[4] = is_second;
    made.constants.values[5] = is_first;
    made.set_parameters(p);
    return set_rows(to, made, from, by, group);
  };
  BEAMLET_TRY_VOID(add(x, how, false));
  if (!is_cut) return {};
  dimension_set first{};
  first[0] = true;
  const reduction rest(scratch, parts, first);
  division whole(rest, group);
  whole.piece = rest.columns, whole.pieces = 1;
  return add(rest, whole, true);
}

cpu_reduce cpu_reduction(const reduction& x) {
  cpu_reduce how;
  how.kept = strided::of(x.kept, 0);
  how.reduced = strided::of(x.reduced, 0);
  how.outputs = x.outputs;
  how.length = how.piece = x.columns;
  how.from = number_of(x.in.type);
  // Rows that are shorter than it takes to begin one, or lie across.
  how.by_columns = (x.is_across() && x.kept.size[0] >= 16) || (x.columns < 16 && x.outputs >= 16);
  return how;
}

result<void> add_on_cpu(planner& to, const kernel_source& source, const cpu_reduce& how,
                        const reduction& x, slot out_memory, const operand& out) {
  planned_launch& made = to.launch(source);
  to.bind_from_first(made, x.memory, x.in);
  to.bind_from_first(made, out_memory, out);
  made.set_parameters(how);
  return to.set_groups(made, how.pieces() * how.groups_of_piece());
}

result<void> plan_reduce_on_cpu(const ops::reduce& what, planner& to, const reduction& x) {
  const operand& out = to.output(0);
  const kernel_source& source = reduce_sources[out.type == dtypes::f16 ? 1 : 0];
  const float scale =
      what.what == ops::reduce::kind::mean ? 1 / static_cast<float>(x.columns) : 1.0f;
  cpu_reduce how = cpu_reduction(x);
  how.what = as_kind(what.what);
  how.to = number_of(out.type);
  how.scale = scale;
  const std::uint64_t side_by_side =
      how.by_columns != 0 ? std::min<std::uint64_t>(x.outputs, block_elements) : 1;
  const std::uint64_t piece = std::max<std::uint64_t>(cpu_piece_elements / side_by_side, 1);
  if (how.groups_of_piece() >= cpu_outputs_enough || x.columns < 2 * piece)
    return add_on_cpu(to, source, how, x, to.output_slot(0), out);
  how.piece = std::max(piece, (x.columns + cpu_outputs_enough - 1) / cpu_outputs_enough);
  how.to = number::f32;
  how.scale = 1;
  const operand parts = operand::dense(
      dtypes::f32, {static_cast<std::int64_t>(how.pieces()), static_cast<std::int64_t>(x.outputs)});
  const slot scratch = to.scratch(parts.elements() * 4);
  BEAMLET_TRY_VOID(add_on_cpu(to, source, how, x, scratch, parts));
  dimension_set first{};
  first[0] = true;
  const reduction rest(scratch, parts, first);
  how = cpu_reduction(rest);
  how.what = what.what == ops::reduce::kind::sum_of_squares ? as_kind(ops::reduce::kind::sum)
                                                            : as_kind(what.what);
  how.to = number_of(out.type);
  how.scale = scale;
  return add_on_cpu(to, source, how, rest, to.output_slot(0), out);
}

double reduced_nothing(ops::reduce::kind what) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (what) {
    case ops::reduce::kind::mean: return std::numeric_limits<double>::quiet_NaN();
    case ops::reduce::kind::product: return 1;
    case ops::reduce::kind::maximum: return -infinity;
    case ops::reduce::kind::minimum: return infinity;
    default: return 0;
  }
}

op_cost cost_of_reducing(std::span<const operand> inputs, std::span<const operand> outputs) {
  op_cost made;
  made.bytes = static_cast<double>(inputs[0].elements() * inputs[0].type.bytes() +
                                   outputs[0].elements() * outputs[0].type.bytes());
  return made;
}

}  // namespace

// -- reduce

result<tensor_types> outputs_of(const ops::reduce& what, std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_reduced("reduce", inputs));
  if (as_kind(what.what) > as_kind(ops::reduce::kind::sum_of_squares))
    return reduce_fault("reduce", "there is no such kind");
  const tensor_type& in = inputs.front();
  BEAMLET_TRY(const dimension_set over, reduced_dimensions(what.over, in.shape));
  return tensor_types{{in.type, without(in.shape, over, what.keep_dimensions)}};
}

op_cost cost_of(const ops::reduce&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_reducing(inputs, outputs);
}

result<void> plan_for(const ops::reduce& what, planner& to) {
  const operand& in = to.input(0);
  if (in.elements() == 0)
    return plan_fill(to, to.output_slot(0), to.output(0), reduced_nothing(what.what));
  BEAMLET_TRY(const dimension_set over, reduced_dimensions(what.over, in.shape));
  const reduction x(to.input_slot(0), in, over);
  if (to.on_cpu()) return plan_reduce_on_cpu(what, to, x);
  return plan_reduce_on_device(what, to, x, over);
}

// -- argmax

namespace {

result<void> plan_argmax_on_device(const ops::argmax& what, planner& to, reduction x,
                                   const dimension_set& over) {
  if (x.kept.rank > argmax_parameters::kept_max) {
    BEAMLET_TRY(x, made_dense(to, x, over));
  }
  const kernel_source& source = argmax_sources[x.in.type == dtypes::f16 ? 1 : 0];
  const operand& out = to.output(0);
  const std::uint32_t group = group_of(to);
  const division how(x, group);
  const bool is_cut = how.pieces > 1;
  const operand found =
      operand::dense(dtypes::i32, {static_cast<std::int64_t>(how.pieces * x.outputs)});
  const slot scratch = is_cut ? to.scratch(found.elements() * 4) : to.output_slot(0);
  const auto add = [&](const division& by, std::uint64_t columns, bool is_second) -> result<void> {
    planned_launch& made = to.launch(source);
    argmax_parameters p{};
    set_walks(p, x, by);
    p.columns = static_cast<std::uint32_t>(columns);
    p.stride = static_cast<std::int32_t>(x.reduced.rank == 0 ? 0 : x.reduced.stride[0][0]);
    BEAMLET_TRY(p.first_x, to.bind(made, x.memory, x.in));
    BEAMLET_TRY_VOID(
        to.bind(made, is_second ? scratch : to.output_slot(0), is_second ? found : out));
    const bool is_first = is_cut && !is_second;
    BEAMLET_TRY(p.first_y,
                to.bind(made, is_first ? scratch : to.output_slot(0), is_first ? found : out));
    made.constants.values[2] = what.smallest;
    made.constants.values[4] = is_second;
    made.set_parameters(p);
    return set_rows(to, made, x, by, group);
  };
  BEAMLET_TRY_VOID(add(how, x.columns, false));
  if (!is_cut) return {};
  division whole = how;
  whole.piece = how.pieces, whole.pieces = 1;
  return add(whole, how.pieces, true);
}

}  // namespace

result<tensor_types> outputs_of(const ops::argmax& what, std::span<const tensor_type> inputs) {
  BEAMLET_TRY_VOID(check_reduced("argmax", inputs));
  const tensor_type& in = inputs.front();
  BEAMLET_TRY(const std::size_t along, dimension_of(what.dimension, in.shape));
  if (in.shape[along] == 0) return reduce_fault("argmax", "of no element");
  if (in.shape[along] > std::numeric_limits<std::int32_t>::max())
    return compute_error(errc::too_large, "argmax: of more elements than an i32 counts");
  dimension_set over{};
  over[along] = true;
  return tensor_types{{dtypes::i32, without(in.shape, over, what.keep_dimension)}};
}

op_cost cost_of(const ops::argmax&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_reducing(inputs, outputs);
}

result<void> plan_for(const ops::argmax& what, planner& to) {
  BEAMLET_TRY(const std::size_t along, dimension_of(what.dimension, to.input(0).shape));
  dimension_set over{};
  over[along] = true;
  const reduction x(to.input_slot(0), to.input(0), over);
  if (!to.on_cpu()) return plan_argmax_on_device(what, to, x, over);
  cpu_reduce how = cpu_reduction(x);
  how.what = what.smallest;
  return add_on_cpu(to, argmax_sources[x.in.type == dtypes::f16 ? 1 : 0], how, x, to.output_slot(0),
                    to.output(0));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
