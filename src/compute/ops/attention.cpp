// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "compute/cpu/attention.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/ops/copy.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// -- kernels

constexpr std::size_t attention_batch_max = 2;
// As kernels/dual/attention.k has them; first[]: of q, k, v, the mask and the output.
struct attention_parameters {
  std::uint32_t jobs, sharing, tq, tk, d, dv, chunk, flags, first[5];
  float scale;
  std::uint32_t heads;
  std::int32_t q_batch[attention_batch_max], k_batch[attention_batch_max];
  std::int32_t v_batch[attention_batch_max], mask_batch[attention_batch_max];
  std::int32_t q_head, q_row, k_row, v_row, mask_head, mask_row, mask_key;
};
static_assert(sizeof(attention_parameters) <= 128, "more than Vulkan's least");
// As kernels/dual/attention_join.k.
struct attention_join_parameters {
  std::uint32_t rows, dv, splits, first_y;
};

constexpr kernel_source attention_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "attention",
          .buffers = 5,
          .parameter_bytes = sizeof(attention_parameters),
          .constants = 4,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source attention_sources[] = {attention_kernel(embedded::attention_f32, false),
                                               attention_kernel(embedded::attention_f16, true)};
constexpr kernel_source attention_join_kernel(const kernel_code& code, bool is_f16) {
  return {.name = "attention_join",
          .buffers = 2,
          .parameter_bytes = sizeof(attention_join_parameters),
          .cpu = attention_join_on_cpu,
          .code = &code,
          .storage_16bit = is_f16};
}
constexpr kernel_source attention_join_sources[] = {
    attention_join_kernel(embedded::attention_join_f32, false),
    attention_join_kernel(embedded::attention_join_f16, true)};
constexpr kernel_source attention_cpu_source{.name = "attention",
                                             .buffers = 6,
                                             .parameter_bytes = sizeof(cpu_attention),
                                             .cpu = attention_on_cpu};

// Keys of one part: fewer do not pay for being joined; more would pass the rounds that a driver
// runs of one item's loops (lavapipe: 65 535).
constexpr std::uint64_t attention_chunk_min = 512, attention_chunk_max = 8192;
constexpr std::uint64_t attention_splits_max = 4096;
constexpr std::uint64_t attention_groups_per_unit = 4;
// Less is not worth waking a thread for.
constexpr double attention_group_flops = 2e6;

error attention_fault(std::string what) {
  return compute_error(errc::invalid_argument, "attention: " + std::move(what));
}

std::int64_t from_last(const dimensions& shape, std::size_t i) {
  return shape[shape.size() - 1 - i];
}

// -- what there is to do, anywhere

struct attention_problem {
  struct input {
    slot memory;
    operand what;
  };
  std::array<input, 4> in;  ///< q, k, v and the mask
  bool has_mask = false;
  std::uint64_t sharing, tq, tk, d, dv, batches, rows;
  float scale;
  walk batch;  ///< of those four, with the heads of the keys

  attention_problem(const ops::attention& how, const planner& to) {
    has_mask = to.input_count() > 3;
    for (std::size_t i = 0; i < 3; ++i) in[i] = {to.input_slot(i), to.input(i)};
    const dimensions &q = to.input(0).shape, &k = to.input(1).shape;
    tq = static_cast<std::uint64_t>(from_last(q, 1));
    tk = static_cast<std::uint64_t>(from_last(k, 1));
    d = static_cast<std::uint64_t>(from_last(q, 0));
    dv = static_cast<std::uint64_t>(from_last(to.input(2).shape, 0));
    sharing = static_cast<std::uint64_t>(from_last(q, 2) / from_last(k, 2));
    rows = to.output(0).elements() / dv;
    batches = rows / tq / sharing;
    scale = how.scale != 0 ? how.scale : 1 / std::sqrt(static_cast<float>(d));
    if (has_mask) {
      dimensions scores = q;
      scores[scores.size() - 1] = static_cast<std::int64_t>(tk);
      in[3] = {to.input_slot(3), stretched(to.input(3), scores)};
    } else {
      in[3] = in[0];
      for (std::size_t i = 0; i < q.size(); ++i) in[3].what.strides[i] = 0;
    }
    walk_batch();
  }

  void walk_batch() {
    std::array<operand, 4> all;
    for (std::size_t i = 0; i < 4; ++i) {
      const operand& from = in[i].what;
      const std::size_t rank = from.shape.size() - 2;
      all[i] = from;
      all[i].shape = dimensions(std::span<const std::int64_t>(in[1].what.shape.begin(), rank));
      all[i].strides = dimensions(std::span<const std::int64_t>(from.strides.begin(), rank));
      if (i == 0 || i == 3) all[i].strides[rank - 1] *= static_cast<std::int64_t>(sharing);
    }
    batch = walk_together(all);
  }

  std::int64_t head_stride(std::size_t i) const { return stride_from_last(i, 2); }
  std::int64_t row_stride(std::size_t i) const { return stride_from_last(i, 1); }
  std::int64_t column_stride(std::size_t i) const { return stride_from_last(i, 0); }
  std::int64_t stride_from_last(std::size_t i, std::size_t dimension) const {
    const operand& from = in[i].what;
    return from_last(from.shape, dimension) == 1 ? 0 : from_last(from.strides, dimension);
  }

  /// Parts of keys for so many more groups than there are blocks.
  std::uint64_t split_keys(std::uint64_t wanted, std::uint64_t blocks, std::uint64_t least,
                           std::uint64_t multiple, std::uint64_t& chunk) const {
    const std::uint64_t splits = std::max<std::uint64_t>(
        std::min(divided_up(wanted, blocks), divided_up(tk, attention_chunk_min)), least);
    chunk = divided_up(divided_up(tk, splits), multiple) * multiple;
    return divided_up(tk, chunk);
  }
  operand parts(std::uint64_t splits) const {
    return operand::dense(dtypes::f32,
                          {static_cast<std::int64_t>(splits), static_cast<std::int64_t>(rows),
                           static_cast<std::int64_t>(dv + 2)});
  }
};

// -- the processor

attention_input input_of(const attention_problem& p, std::size_t i) {
  return {p.batch.stride[i], p.head_stride(i), p.row_stride(i), p.column_stride(i)};
}

result<void> plan_attention_join_on_cpu(const attention_problem& p, std::uint64_t splits,
                                        slot parts, planner& to) {
  cpu_attention_join how;
  how.rows = p.rows, how.dv = p.dv, how.splits = splits;
  how.type = number_of(to.output(0).type);
  const std::uint64_t enough = std::uint64_t{1} << 18;  // numbers, for one group
  how.rows_of_group = std::clamp<std::uint64_t>(enough / (p.dv * splits), 1, p.rows);
  planned_launch& made = to.launch(attention_join_sources[to.output(0).type == dtypes::f16]);
  to.bind_from_first(made, parts, p.parts(splits));
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.set_parameters(how);
  return to.set_groups(made, divided_up(p.rows, how.rows_of_group));
}

result<void> plan_attention_on_cpu(const ops::attention& op, const attention_problem& p,
                                   planner& to) {
  cpu_attention how;
  how.batches = p.batches, how.sharing = p.sharing;
  how.tq = p.tq, how.tk = p.tk, how.d = p.d, how.dv = p.dv;
  how.rank = static_cast<std::uint32_t>(p.batch.rank);
  how.size = p.batch.size;
  how.type = number_of(to.output(0).type);
  how.scale = p.scale;
  how.is_causal = op.causal && p.tq > 1;  // the last query sees all keys
  how.has_mask = p.has_mask;
  how.q = input_of(p, 0), how.k = input_of(p, 1), how.v = input_of(p, 2);
  how.mask = input_of(p, 3);
  // One query of each head: the heads that share keys are the rows of one product.
  if (p.tq == 1) {
    std::swap(how.sharing, how.tq);
    how.q.row = how.q.head, how.mask.row = how.mask.head;
  }
  const std::uint64_t threads = to.device().units;
  const double flops =
      2 * static_cast<double>(p.rows) * static_cast<double>(p.tk) * static_cast<double>(p.d + p.dv);
  const auto worth = static_cast<std::uint64_t>(
      std::clamp(flops / attention_group_flops, 1.0,
                 static_cast<double>(threads == 1 ? 1 : threads * attention_groups_per_unit)));
  how.splits =
      p.split_keys(std::min(worth, threads), how.block_count(), 1, cpu_attention::keys, how.chunk);
  how.groups = std::min(how.block_count(), worth);
  how.scratch_bytes = cpu_attention_scratch_bytes(how);
  const bool is_split = how.splits > 1;
  slot parts;
  if (is_split) parts = to.scratch(p.parts(how.splits).elements() * sizeof(float));
  const slot scratch = to.scratch(how.groups * how.scratch_bytes);
  planned_launch& made = to.launch(attention_cpu_source);
  for (const attention_problem::input& one : p.in) to.bind_from_first(made, one.memory, one.what);
  if (is_split) to.bind_from_first(made, parts, p.parts(how.splits));
  else to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.bindings[made.binding_count++] = {scratch, 0, how.groups * how.scratch_bytes};
  made.set_parameters(how);
  BEAMLET_TRY_VOID(to.set_groups(made, how.groups));
  if (!is_split) return {};
  return plan_attention_join_on_cpu(p, how.splits, parts, to);
}

// -- devices

// Copies inputs that the kernel does not see as they are: columns apart, or a batch strided in more
// than two dimensions. What repeats within a mask is not written out.
result<void> copy_attention_input(attention_problem::input& one, planner& to) {
  std::array<std::size_t, dimensions::count_max> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  const operand before = one.what;
  const std::size_t rank = before.shape.size();
  for (std::size_t i = rank - 2; i < rank; ++i)
    if (before.strides[i] == 0) one.what.shape[i] = 1;
  BEAMLET_TRY(const auto made, plan_dense(to, one.memory, one.what, std::span(order).first(rank)));
  one = {made.first, made.second};
  one.what.shape = before.shape;
  for (std::size_t i = rank - 2; i < rank; ++i)
    if (before.strides[i] == 0) one.what.strides[i] = 0;
  return {};
}

result<void> make_fit(attention_problem& p, planner& to) {
  const bool is_deep = p.batch.rank > attention_batch_max;
  const std::uint64_t columns[] = {p.d, p.d, p.dv, 1};
  for (std::size_t i = 0; i < (p.has_mask ? 4u : 3u); ++i) {
    const bool is_apart = columns[i] > 1 && p.column_stride(i) != 1;
    if (is_deep || is_apart) BEAMLET_TRY_VOID(copy_attention_input(p.in[i], to));
  }
  p.walk_batch();
  return {};
}

result<void> set_strides(const attention_problem& p, const planner& to,
                         attention_parameters& with) {
  const auto narrow = [&](std::int64_t stride, std::int32_t& into) -> result<void> {
    if (!std::in_range<std::int32_t>(stride))
      return to.unsupported("attention with a stride of " + std::to_string(stride) + " elements");
    into = static_cast<std::int32_t>(stride);
    return {};
  };
  std::int32_t* const batches[] = {with.q_batch, with.k_batch, with.v_batch, with.mask_batch};
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t d = 0; d < p.batch.rank; ++d)
      BEAMLET_TRY_VOID(narrow(p.batch.stride[i][d], batches[i][d]));
  with.heads = p.batch.rank == 0 ? 1 : static_cast<std::uint32_t>(p.batch.size[0]);
  BEAMLET_TRY_VOID(narrow(p.head_stride(0), with.q_head));
  BEAMLET_TRY_VOID(narrow(p.row_stride(0), with.q_row));
  BEAMLET_TRY_VOID(narrow(p.row_stride(1), with.k_row));
  BEAMLET_TRY_VOID(narrow(p.row_stride(2), with.v_row));
  BEAMLET_TRY_VOID(narrow(p.head_stride(3), with.mask_head));
  BEAMLET_TRY_VOID(narrow(p.row_stride(3), with.mask_row));
  return narrow(p.column_stride(3), with.mask_key);
}

result<void> plan_attention_join(const attention_problem& p, std::uint64_t splits, slot parts,
                                 planner& to) {
  planned_launch& made = to.launch(attention_join_sources[to.output(0).type == dtypes::f16]);
  attention_join_parameters with{static_cast<std::uint32_t>(p.rows),
                                 static_cast<std::uint32_t>(p.dv),
                                 static_cast<std::uint32_t>(splits), 0};
  BEAMLET_TRY_VOID(to.bind(made, parts, p.parts(splits)));
  BEAMLET_TRY(with.first_y, to.bind(made, to.output_slot(0), to.output(0)));
  made.set_parameters(with);
  return to.set_items(made, 64, p.rows * p.dv);
}

result<void> plan_attention_on_device(const ops::attention& op, attention_problem& p, planner& to) {
  const device_limits& limits = to.device().limits;
  if (limits.buffers_max < 5) return to.unsupported("attention: a kernel of 5 buffers");
  if (limits.group_items_max < 32) return to.unsupported("attention: groups of 32 items");
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  if (p.rows > most || p.tk > most || p.tq > most - p.tk)
    return to.unsupported("attention of more queries and keys than 31 bits count");
  BEAMLET_TRY_VOID(make_fit(p, to));
  constexpr std::uint32_t lanes = 32, held_max = 8;
  const std::uint32_t items = std::bit_floor(std::min(128u, limits.group_items_max));
  const std::uint32_t held = p.sharing * p.tq == 1 ? 1 : held_max;
  const std::uint64_t tiles = divided_up(p.sharing * p.tq, held);
  std::uint64_t chunk = 0;
  const std::uint64_t splits =
      p.split_keys(std::uint64_t{to.device().units} * attention_groups_per_unit, tiles * p.batches,
                   divided_up(p.tk, attention_chunk_max), items, chunk);
  if (splits > attention_splits_max)
    return to.unsupported("attention over " + std::to_string(p.tk) + " keys");
  const bool is_f16 = to.output(0).type == dtypes::f16, is_part = splits > 1 || is_f16;
  slot parts;
  if (is_part) parts = to.scratch(p.parts(splits).elements() * sizeof(float));

  planned_launch& made = to.launch(attention_sources[is_f16]);
  attention_parameters with{};
  for (std::size_t i = 0; i < 4; ++i) {
    const attention_problem::input& from = p.in[i == 3 && !p.has_mask ? 0 : i];
    BEAMLET_TRY(with.first[i], to.bind(made, from.memory, from.what));
  }
  BEAMLET_TRY(with.first[4], is_part ? to.bind(made, parts, p.parts(splits))
                                     : to.bind(made, to.output_slot(0), to.output(0)));
  BEAMLET_TRY_VOID(set_strides(p, to, with));
  with.jobs = static_cast<std::uint32_t>(p.batches * splits);
  with.sharing = static_cast<std::uint32_t>(p.sharing);
  with.tq = static_cast<std::uint32_t>(p.tq);
  with.tk = static_cast<std::uint32_t>(p.tk);
  with.d = static_cast<std::uint32_t>(p.d);
  with.dv = static_cast<std::uint32_t>(p.dv);
  with.chunk = static_cast<std::uint32_t>(chunk);
  with.flags = (op.causal ? 1u : 0u) | (p.has_mask ? 2u : 0u) | (is_part ? 4u : 0u);
  with.scale = p.scale;
  made.constants.values = {items, 1, held,
                           std::bit_ceil(static_cast<std::uint32_t>(divided_up(p.dv, lanes)))};
  made.set_parameters(with);
  const std::uint64_t jobs = p.batches * splits;
  const std::uint64_t across = std::min<std::uint64_t>(jobs, limits.groups_max[1]);
  if (divided_up(jobs, across) > limits.groups_max[2])
    return to.unsupported("attention of " + std::to_string(p.batches) + " heads");
  BEAMLET_TRY_VOID(to.set_groups(made, tiles, across, divided_up(jobs, across)));
  return is_part ? plan_attention_join(p, splits, parts, to) : result<void>{};
}

// -- checks

result<void> check_attention_mask(const tensor_type& mask, dimensions scores) {
  if (mask.type != dtypes::f32)
    return compute_error(errc::unsupported,
                         "attention: a mask of f32, not of " + mask.type.name() + "; cast it");
  const auto made = broadcast(mask.shape, scores);
  if (made.has_value() && *made == scores) return {};
  return attention_fault("a mask of " + text_of(mask.shape) + " does not broadcast to scores of " +
                         text_of(scores));
}

}  // namespace

result<tensor_types> outputs_of(const ops::attention& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 3 && inputs.size() != 4)
    return attention_fault("takes q, k, v and perhaps a mask, not " +
                           std::to_string(inputs.size()) + " inputs");
  const tensor_type &q = inputs[0], &k = inputs[1], &v = inputs[2];
  if (q.type != dtypes::f32 && q.type != dtypes::f16)
    return compute_error(errc::unsupported,
                         "attention: of f32 and f16, not of " + q.type.name() + "; cast it");
  if (k.type != q.type || v.type != q.type)
    return attention_fault("q of " + q.type.name() + " with k of " + k.type.name() + " and v of " +
                           v.type.name() + "; cast them to one");
  const std::size_t rank = q.shape.size();
  if (rank < 3 || k.shape.size() != rank || v.shape.size() != rank)
    return attention_fault("q, k and v are [..., heads, length, depth], not " + text_of(q.shape) +
                           ", " + text_of(k.shape) + ", " + text_of(v.shape));
  bool fits = k.shape[rank - 1] == q.shape[rank - 1];
  for (std::size_t i = 0; i + 1 < rank; ++i) fits = fits && k.shape[i] == v.shape[i];
  for (std::size_t i = 0; i + 3 < rank; ++i) fits = fits && q.shape[i] == k.shape[i];
  const std::int64_t heads = q.shape[rank - 3], kv_heads = k.shape[rank - 3];
  fits = fits && (kv_heads == 0 ? heads == 0 : heads % kv_heads == 0);
  if (!fits)
    return attention_fault("q " + text_of(q.shape) + ", k " + text_of(k.shape) + " and v " +
                           text_of(v.shape) +
                           " do not go together: one batch, depths of q and k alike, lengths of k "
                           "and v alike, heads of q a multiple of theirs");
  const std::int64_t d = q.shape[rank - 1], dv = v.shape[rank - 1];
  if (d == 0) return attention_fault("queries and keys of no number");
  if (std::max(d, dv) > ops::attention::depth_max)
    return compute_error(errc::unsupported,
                         "attention: rows of up to " + std::to_string(ops::attention::depth_max) +
                             " numbers, not of " + std::to_string(std::max(d, dv)) +
                             "; use matmul and softmax");
  if (!std::isfinite(what.scale)) return attention_fault("a scale that is no finite number");
  if (inputs.size() == 4) {
    dimensions scores = q.shape;
    scores[rank - 1] = k.shape[rank - 2];
    BEAMLET_TRY_VOID(check_attention_mask(inputs[3], scores));
  }
  tensor_type made = q;
  made.shape[rank - 1] = dv;
  return tensor_types{made};
}

op_cost cost_of(const ops::attention& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  const dimensions &q = inputs[0].shape, &k = inputs[1].shape;
  const double tq = static_cast<double>(from_last(q, 1)), tk = static_cast<double>(from_last(k, 1));
  double scores = tk;
  for (std::size_t i = 0; i + 1 < q.size(); ++i) scores *= static_cast<double>(q[i]);
  if (what.causal && tq > 0 && tk > 0) scores *= tq <= tk ? 1 - (tq - 1) / (2 * tk) : tk / (2 * tq);
  op_cost made;
  made.flops = 2 * scores * static_cast<double>(from_last(q, 0) + from_last(inputs[2].shape, 0));
  made.functions = scores;
  made.bytes = static_cast<double>(outputs[0].elements() * outputs[0].type.bytes());
  for (const operand& in : inputs)
    made.bytes += static_cast<double>(in.elements() * in.type.bytes());
  return made;
}

result<void> plan_for(const ops::attention& what, planner& to) {
  if (from_last(to.input(1).shape, 1) == 0)
    return plan_fill(to, to.output_slot(0), to.output(0), 0);
  attention_problem problem(what, to);
  return to.on_cpu() ? plan_attention_on_cpu(what, problem, to)
                     : plan_attention_on_device(what, problem, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
