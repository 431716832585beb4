// SPDX-License-Identifier: Apache-2.0
#include "compute/ops/matmul.hpp"

#include <algorithm>

#include "compute/cpu/matmul.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr kernel_source matmul_cpu_source{
    .name = "matmul", .buffers = 6, .parameter_bytes = sizeof(cpu_matmul), .cpu = matmul_on_cpu};
constexpr kernel_source matmul_cpu_pack{.name = "matmul_pack",
                                        .buffers = 2,
                                        .parameter_bytes = sizeof(cpu_matmul),
                                        .cpu = matmul_pack_on_cpu};

// How threads share the work. Several groups for each even out what others take from a core; what
// takes less than some 30 us is not worth waking a thread for.
constexpr std::uint64_t matmul_groups_per_thread = 4;
constexpr double matmul_group_flops = 4e6;
// Fewer rows than these do not pay for packing B before: each group packs its own columns.
constexpr std::uint64_t packed_rows_min = 128, packed_columns_min = 32;
constexpr std::uint64_t block_rows_min = 32, block_columns_min = 64;

error matmul_fault(std::string what) {
  return compute_error(errc::invalid_argument, "matmul: " + std::move(what));
}

dimensions first_of(const dimensions& of, std::size_t count) {
  return dimensions(std::span<const std::int64_t>(of.begin(), count));
}

result<void> check_types(dtype a, dtype b) {
  if (a != dtypes::f32 && a != dtypes::f16)
    return compute_error(errc::unsupported,
                         "matmul: of f32 and f16, not of " + a.name() + "; cast it");
  if (b == dtypes::i8 && a == dtypes::f16)
    return compute_error(errc::unsupported,
                         "matmul: weights of i8 are beside an A of f32, not f16");
  if (b != a && b != dtypes::i8)
    return matmul_fault("A of " + a.name() + " and B of " + b.name() + "; cast one");
  return {};
}

// Scales and biases: a number for each column.
result<void> check_columns(const tensor_type& t, const char* name, std::int64_t n) {
  if (t.type == dtypes::f32 && t.shape.size() == 1 && t.shape[0] == n) return {};
  return matmul_fault(std::string(name) + " must be f32 [" + std::to_string(n) + "], not " +
                      t.type.name() + " " + text_of(t.shape));
}

// Blocks of floats: all of it for one thread; else rows that share a B packed before, or else what
// there is more of.
void cut_floats(cpu_matmul& how, std::uint64_t batches, std::uint64_t groups) {
  how.rows = how.m, how.columns = how.n;
  const std::uint64_t pieces = divided_up(groups, batches);
  if (pieces <= 1) return;
  if (how.m >= packed_rows_min || how.m >= how.n) {
    how.rows = std::max(divided_up(how.m, pieces), std::min(how.m, block_rows_min));
    how.is_packed = batches == 1 && how.m >= packed_rows_min && how.n >= packed_columns_min;
  } else {
    const std::uint64_t columns = divided_up(divided_up(how.n, pieces), block_columns_min);
    how.columns = std::min(how.n, columns * block_columns_min);
  }
}

// Blocks of what is converted: no larger than the caches, and enough for all groups.
void cut_converted(cpu_matmul& how, std::uint64_t batches, std::uint64_t groups) {
  how.rows = std::min(how.m, cpu_matmul::rows_converted);
  how.columns = std::min(how.n, cpu_matmul::columns_converted);
  const auto are_few = [&] {
    return batches * divided_up(how.m, how.rows) * divided_up(how.n, how.columns) < groups;
  };
  while (are_few() && how.rows > 2 * block_rows_min) how.rows = divided_up(how.rows, 2);
  while (are_few() && how.columns > 2 * block_columns_min) how.columns = divided_up(how.columns, 2);
}

result<void> plan_pack(const cpu_matmul& how, planner& to, slot packed) {
  planned_launch& made = to.launch(matmul_cpu_pack);
  to.bind_from_first(made, to.input_slot(1), to.input(1));
  made.bindings[made.binding_count++] = {packed, 0, cpu_matmul_packed_bytes(how)};
  made.set_parameters(how);
  return to.set_groups(made, how.groups);
}

result<void> plan_matmul_on_cpu(const matmul_product& p, planner& to) {
  cpu_matmul how;
  how.m = p.m, how.n = p.n, how.k = p.k;
  how.a_row = p.a_row, how.a_column = p.a_column;
  how.b_row = p.b_row, how.b_column = p.b_column;
  how.type = p.type_of_b == dtypes::f32   ? weights::f32
             : p.type_of_b == dtypes::f16 ? weights::f16
                                          : weights::i8;
  how.has_bias = p.has_bias;
  if (p.has_scale) how.scale_stride = to.input(2).strides[0];
  if (p.has_bias) how.bias_stride = to.input(p.bias_input()).strides[0];
  how.rank = static_cast<std::uint32_t>(p.batch.rank);
  how.size = p.batch.size;
  how.a_stride = p.batch.stride[0];
  how.b_stride = p.batch.stride[1];

  const std::uint64_t threads = to.device().units;
  const double flops = 2.0 * static_cast<double>(p.batches) * static_cast<double>(p.m) *
                       static_cast<double>(p.n) * static_cast<double>(p.k);
  const std::uint64_t groups_max = threads == 1 ? 1 : threads * matmul_groups_per_thread;
  const auto worth = static_cast<double>(groups_max) * matmul_group_flops <= flops
                         ? groups_max
                         : 1 + static_cast<std::uint64_t>(flops / matmul_group_flops);
  (how.type == weights::f32 ? cut_floats : cut_converted)(how, p.batches, worth);
  how.blocks = p.batches * divided_up(p.m, how.rows) * divided_up(p.n, how.columns);
  how.groups = std::min(how.blocks, worth);
  how.scratch_bytes = cpu_matmul_scratch_bytes(how);

  slot packed;
  if (how.is_packed != 0) {
    packed = to.scratch(cpu_matmul_packed_bytes(how));
    BEAMLET_TRY_VOID(plan_pack(how, to, packed));
  }
  const slot scratch = to.scratch(how.groups * how.scratch_bytes);
  planned_launch& made = to.launch(matmul_cpu_source);
  // Where there is no such input, or no element of it, the output: nobody reads it.
  const auto bind = [&](std::size_t i, bool is_there) {
    if (is_there && to.input(i).elements() > 0)
      to.bind_from_first(made, to.input_slot(i), to.input(i));
    else to.bind_from_first(made, to.output_slot(0), to.output(0));
  };
  bind(0, true);
  if (how.is_packed != 0)
    made.bindings[made.binding_count++] = {packed, 0, cpu_matmul_packed_bytes(how)};
  else bind(1, true);
  bind(2, p.has_scale);
  bind(p.bias_input(), p.has_bias);
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.bindings[made.binding_count++] = {scratch, 0, how.groups * how.scratch_bytes};
  made.set_parameters(how);
  return to.set_groups(made, how.groups);
}

}  // namespace

matmul_product product_of(const ops::matmul& what, const planner& to) {
  const operand& c = to.output(0);
  const std::size_t rank = c.shape.size();
  matmul_product p;
  p.type_of_b = to.input(1).type;
  p.has_scale = p.type_of_b == dtypes::i8;
  p.has_bias = what.bias;
  p.m = static_cast<std::uint64_t>(c.shape[rank - 2]);
  p.n = static_cast<std::uint64_t>(c.shape[rank - 1]);
  const operand &in_a = to.input(0), &in_b = to.input(1);
  const std::size_t last_a = in_a.shape.size() - 1, last_b = in_b.shape.size() - 1;
  p.k = static_cast<std::uint64_t>(in_a.shape[last_a]);
  p.a_row = in_a.strides[last_a - 1], p.a_column = in_a.strides[last_a];
  p.b_row = in_b.strides[last_b - 1], p.b_column = in_b.strides[last_b];

  // The batch alone: A and B as they stretch to it.
  std::size_t left = rank - 2;
  const dimensions whole = first_of(c.shape, left);
  const auto batch_of = [&](const operand& from, std::size_t dimensions_left) {
    operand made = from;
    made.shape = first_of(from.shape, from.shape.size() - 2);
    made.strides = first_of(from.strides, from.strides.size() - 2);
    made = stretched(made, whole);
    made.shape = first_of(made.shape, dimensions_left);
    made.strides = first_of(made.strides, dimensions_left);
    return made;
  };
  const operand a = batch_of(in_a, left), b = batch_of(in_b, left);
  for (; left > 0; --left) {
    const std::int64_t size = whole[left - 1], stride = a.strides[left - 1];
    if (size == 1) continue;
    const bool goes_on = p.m == 1 || stride == static_cast<std::int64_t>(p.m) * p.a_row;
    if (b.strides[left - 1] != 0 || !goes_on) break;
    if (p.m == 1) p.a_row = stride;
    p.m *= static_cast<std::uint64_t>(size);
  }
  const operand all[] = {batch_of(in_a, left), batch_of(in_b, left), batch_of(c, left)};
  p.batch = walk_together(all);
  p.batches = all[2].elements();
  return p;
}

result<tensor_types> outputs_of(const ops::matmul& what, std::span<const tensor_type> inputs) {
  if (inputs.size() < 2)
    return matmul_fault("takes two matrices, not " + std::to_string(inputs.size()));
  const tensor_type &a = inputs[0], &b = inputs[1];
  BEAMLET_TRY_VOID(check_types(a.type, b.type));
  const bool has_scale = b.type == dtypes::i8;
  const std::size_t count = 2u + (has_scale ? 1u : 0u) + (what.bias ? 1u : 0u);
  if (inputs.size() != count)
    return matmul_fault("takes A, B" + std::string(has_scale ? ", a scale" : "") +
                        (what.bias ? ", a bias" : "") + ", which is " + std::to_string(count) +
                        " inputs, not " + std::to_string(inputs.size()));
  const std::size_t rank_a = a.shape.size(), rank_b = b.shape.size();
  if (rank_a < 2 || rank_b < 2)
    return matmul_fault("of " + text_of(a.shape) + " and " + text_of(b.shape) +
                        "; a vector is given as [1, k] or [k, 1]");
  if (a.shape[rank_a - 1] != b.shape[rank_b - 2])
    return matmul_fault("rows of " + text_of(a.shape) + " and columns of " + text_of(b.shape) +
                        " are not of one length");
  const std::int64_t m = a.shape[rank_a - 2], n = b.shape[rank_b - 1];
  BEAMLET_TRY(const dimensions batch,
              broadcast(first_of(a.shape, rank_a - 2), first_of(b.shape, rank_b - 2)));
  if (has_scale) BEAMLET_TRY_VOID(check_columns(inputs[2], "the scale", n));
  if (what.bias) BEAMLET_TRY_VOID(check_columns(inputs[count - 1], "the bias", n));
  tensor_type made{a.type, rank_a >= rank_b ? a.shape : b.shape};
  const std::size_t rank = made.shape.size();
  std::copy(batch.begin(), batch.end(), made.shape.data());
  made.shape[rank - 2] = m;
  made.shape[rank - 1] = n;
  return tensor_types{made};
}

op_cost cost_of(const ops::matmul&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const auto elements = static_cast<double>(outputs[0].elements());
  const dimensions& a = inputs[0].shape;
  op_cost made;
  made.flops = 2 * elements * static_cast<double>(a[a.size() - 1]);
  made.bytes = elements * static_cast<double>(outputs[0].type.bytes());
  for (const operand& in : inputs)
    made.bytes += static_cast<double>(in.elements() * in.type.bytes());
  return made;
}

result<void> plan_for(const ops::matmul& what, planner& to) {
  const matmul_product product = product_of(what, to);
  return to.on_cpu() ? plan_matmul_on_cpu(product, to) : plan_matmul_on_device(product, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
