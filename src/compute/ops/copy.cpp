// SPDX-License-Identifier: Apache-2.0
// copy, concat and pad: elements of any type, told apart by their bytes only.
#include "compute/ops/copy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "compute/cpu/copy.hpp"
#include "compute/cpu/half.hpp"
#include "compute/embedded.hpp"
#include "compute/errors.hpp"
#include "compute/op_functions.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// As kernels/dual/move.k has them.
struct move_parameters {
  static constexpr std::size_t rank_max = 8;
  std::uint32_t count, first[2], size[rank_max];
  std::int32_t from[rank_max], to[rank_max];
};
// As kernels/dual/pad.k has them.
struct pad_parameters {
  static constexpr std::size_t rank_max = 6;
  std::uint32_t count, first[2], value[2];
  std::uint32_t size[rank_max];
  std::int32_t source_size[rank_max], before[rank_max], from[rank_max];
};
constexpr std::uint32_t move_group = 128, move_tile = 32;

constexpr kernel_source move_kernel(const kernel_code& code, std::uint32_t bits) {
  return {.name = "move",
          .buffers = 2,
          .parameter_bytes = sizeof(move_parameters),
          .constants = 4,
          .cpu = move_on_cpu,
          .code = &code,
          .storage_16bit = bits == 16,
          .storage_8bit = bits == 8};
}
constexpr kernel_source pad_kernel(const kernel_code& code, std::uint32_t bits) {
  return {.name = "pad",
          .buffers = 2,
          .parameter_bytes = sizeof(pad_parameters),
          .constants = 3,
          .cpu = pad_on_cpu,
          .code = &code,
          .storage_16bit = bits == 16,
          .storage_8bit = bits == 8};
}
constexpr kernel_source move_sources[] = {move_kernel(embedded::move_u8, 8),
                                          move_kernel(embedded::move_u16, 16),
                                          move_kernel(embedded::move_u32, 32)};
constexpr kernel_source pad_sources[] = {pad_kernel(embedded::pad_u8, 8),
                                         pad_kernel(embedded::pad_u16, 16),
                                         pad_kernel(embedded::pad_u32, 32)};
constexpr std::size_t source_index_of(std::size_t bytes) { return bytes < 4 ? bytes - 1 : 2; }
constexpr dtype unsigned_of(std::size_t bytes) {
  return {number_kind::unsigned_integer, static_cast<std::uint8_t>(8 * bytes)};
}

error copy_fault(const char* op_name, const std::string& what) {
  return compute_error(errc::invalid_argument, std::string(op_name) + ": " + what);
}

// What a launch moves: dimensions put together, the target's fastest first; elements as large as
// the strides allow.
struct moved_elements {
  std::size_t rank = 0, bytes = 0;
  std::array<std::int64_t, dimensions::count_max + 1> size{}, from{}, to{};

  moved_elements(const operand& source, const operand& target) : bytes(source.type.bytes()) {
    const operand both[] = {source, target};
    const walk path = walk_together(both);
    rank = path.rank;
    std::copy_n(path.size.begin(), rank, size.begin());
    std::copy_n(path.stride[0].begin(), rank, from.begin());
    std::copy_n(path.stride[1].begin(), rank, to.begin());
    const std::uint64_t offsets = source.offset_bytes | target.offset_bytes;
    while (bytes < 4 && offsets % (2 * bytes) == 0 && can_double()) make_double();
    for (std::size_t d = 1; d < rank; ++d)
      if (std::abs(to[d]) < std::abs(to[0])) exchange(0, d);
  }

  void exchange(std::size_t a, std::size_t b) {
    std::swap(size[a], size[b]);
    std::swap(from[a], from[b]);
    std::swap(to[a], to[b]);
  }
  bool can_double() const {
    if (rank == 0 || size[0] % 2 != 0 || from[0] != 1 || to[0] != 1) return false;
    for (std::size_t d = 1; d < rank; ++d)
      if (from[d] % 2 != 0 || to[d] % 2 != 0) return false;
    return true;
  }
  void make_double() {
    bytes *= 2;
    size[0] /= 2;
    for (std::size_t d = 1; d < rank; ++d) from[d] /= 2, to[d] /= 2;
    if (size[0] != 1) return;
    --rank;
    std::rotate(size.begin(), size.begin() + 1, size.end());
    std::rotate(from.begin(), from.begin() + 1, from.end());
    std::rotate(to.begin(), to.begin() + 1, to.end());
  }
  // For devices, which have no numbers of 64 bits.
  void make_half() {
    bytes /= 2;
    for (std::size_t d = 0; d < rank; ++d) from[d] *= 2, to[d] *= 2;
    std::rotate(size.begin(), size.end() - 1, size.end());
    std::rotate(from.begin(), from.end() - 1, from.end());
    std::rotate(to.begin(), to.end() - 1, to.end());
    size[0] = 2, from[0] = to[0] = 1;
    ++rank;
  }
  // Whether the source is read along another dimension than the target is written, so that tiles
  // pay; makes that dimension the second.
  bool turn() {
    if (rank < 2 || to[0] != 1 || from[0] == 1 || from[0] == 0) return false;
    for (std::size_t d = 1; d < rank; ++d) {
      if (from[d] != 1) continue;
      exchange(1, d);
      return size[0] >= 8 && size[1] >= 8;
    }
    return false;
  }
};

result<void> plan_pad(planner& to, slot from_memory, const operand& from, slot into_memory,
                      const operand& into, const ops::pad& what,
                      const std::array<std::byte, 8>& value);

// The bytes of a number of a type.
result<std::array<std::byte, 8>> bytes_of_value(dtype type, double value) {
  std::array<std::byte, 8> made{};
  const auto put = [&](auto number) { std::memcpy(made.data(), &number, sizeof number); };
  const auto as_float = static_cast<float>(value);
  if (type == dtypes::f32) put(as_float);
  else if (type == dtypes::f64) put(value);
  else if (type == dtypes::f16) put(half_of_float(as_float));
  else if (type == dtypes::bf16) {
    const auto bits = std::bit_cast<std::uint32_t>(as_float);
    put(static_cast<std::uint16_t>(value != value ? 0x7fc0u
                                                  : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16));
  } else {
    const bool is_signed = type.kind == number_kind::signed_integer;
    const int bits = type.kind == number_kind::boolean ? 1 : type.bits - (is_signed ? 1 : 0);
    const double end = std::ldexp(1.0, bits), low = is_signed ? -end : 0;
    if (!(value >= low && value < end) || value != std::trunc(value))
      return copy_fault("pad", "there is no " + std::to_string(value) + " in " + type.name());
    const auto number = value < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value))
                                  : static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < type.bytes(); ++i)
      made[i] = static_cast<std::byte>(number >> 8 * i);
  }
  return made;
}

op_cost cost_of_moving(std::span<const operand> inputs, std::span<const operand> outputs) {
  op_cost made;
  for (const operand& o : inputs) made.bytes += static_cast<double>(o.elements() * o.type.bytes());
  for (const operand& o : outputs) made.bytes += static_cast<double>(o.elements() * o.type.bytes());
  return made;
}

result<void> plan_move_on_cpu(planner& to, slot from_memory, const operand& from, slot into_memory,
                              const operand& into) {
  moved_elements moved(from, into);
  cpu_move how;
  how.is_turned = moved.turn();
  how.rank = static_cast<std::uint32_t>(moved.rank);
  how.bytes = static_cast<std::uint32_t>(moved.bytes);
  std::copy_n(moved.size.begin(), how.size.size(), how.size.begin());
  std::copy_n(moved.from.begin(), how.from.size(), how.from.begin());
  std::copy_n(moved.to.begin(), how.to.size(), how.to.begin());
  if (how.rank == 0) how.rank = 1, how.size[0] = 1, how.from[0] = how.to[0] = 1;
  planned_launch& made = to.launch(move_sources[source_index_of(how.bytes)]);
  to.bind_from_first(made, from_memory, from);
  to.bind_from_first(made, into_memory, into);
  made.set_parameters(how);
  return to.set_groups(made, how.group_count());
}

}  // namespace

result<void> plan_copy(planner& to, slot from_memory, const operand& from, slot into_memory,
                       const operand& into) {
  if (to.on_cpu()) return plan_move_on_cpu(to, from_memory, from, into_memory, into);
  moved_elements moved(from, into);
  if (moved.bytes == 8) moved.make_half();
  if (moved.rank > move_parameters::rank_max)
    return to.unsupported("a copy of 8 dimensions of 8 bytes");
  const bool is_turned = moved.turn() && to.device().limits.group_items_max >= move_tile;
  planned_launch& made = to.launch(move_sources[source_index_of(moved.bytes)]);
  operand source = from, target = into;
  source.type = target.type = unsigned_of(moved.bytes);
  move_parameters p{};
  p.count = 1;
  dimensions size(std::span<const std::int64_t>(moved.size.data(), moved.rank)), strides = size;
  source.shape = target.shape = size;
  for (std::size_t d = 0; d < moved.rank; ++d) strides[d] = moved.from[d];
  source.strides = strides;
  for (std::size_t d = 0; d < moved.rank; ++d) strides[d] = moved.to[d];
  target.strides = strides;
  BEAMLET_TRY(p.first[0], to.bind(made, from_memory, source));
  BEAMLET_TRY(p.first[1], to.bind(made, into_memory, target));
  std::uint64_t tiles = 1;
  for (std::size_t d = 0; d < move_parameters::rank_max; ++d) {
    p.size[d] = d < moved.rank ? static_cast<std::uint32_t>(moved.size[d]) : 1;
    p.from[d] = static_cast<std::int32_t>(moved.from[d]);
    p.to[d] = static_cast<std::int32_t>(moved.to[d]);
    p.count *= p.size[d];
    tiles *= d < 2 ? (p.size[d] + move_tile - 1) / move_tile : p.size[d];
  }
  auto& constants = made.constants.values;
  constants[2] = is_turned;
  constants[3] = is_turned ? move_tile * (move_tile + 1) : 1;
  if (is_turned) p.count = static_cast<std::uint32_t>(tiles);
  made.set_parameters(p);
  const std::uint64_t items = is_turned ? tiles * move_group : p.count;
  return to.set_items(made, move_group, items);
}

result<void> plan_fill(planner& to, slot out_memory, const operand& out, double value) {
  BEAMLET_TRY(const auto bytes, bytes_of_value(out.type, value));
  operand nothing = out;
  nothing.shape = nothing.strides = {0};
  return plan_pad(to, out_memory, nothing, out_memory, out, {}, bytes);
}

result<std::pair<slot, operand>> plan_dense(planner& to, slot memory, const operand& what,
                                            std::span<const std::size_t> order) {
  operand from = what;
  for (std::size_t d = 0; d < order.size(); ++d) {
    from.shape[d] = what.shape[order[d]];
    from.strides[d] = what.strides[order[d]];
  }
  const operand made = operand::dense(from.type, from.shape);
  const slot scratch = to.scratch(made.elements() * made.type.bytes());
  BEAMLET_TRY_VOID(plan_copy(to, memory, from, scratch, made));
  return std::pair{scratch, made};
}

// -- copy

result<tensor_types> outputs_of(const ops::copy&, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return copy_fault("copy", "takes one input, not " + std::to_string(inputs.size()));
  return tensor_types{inputs.front()};
}

op_cost cost_of(const ops::copy&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_moving(inputs, outputs);
}

result<void> plan_for(const ops::copy&, planner& to) {
  return plan_copy(to, to.input_slot(0), to.input(0), to.output_slot(0), to.output(0));
}

// -- concat

result<tensor_types> outputs_of(const ops::concat& what, std::span<const tensor_type> inputs) {
  if (inputs.empty()) return copy_fault("concat", "takes one input at least");
  tensor_type made = inputs.front();
  BEAMLET_TRY(const std::size_t along, dimension_of(what.dimension, made.shape));
  for (const tensor_type& t : inputs.subspan(1)) {
    dimensions expected = made.shape;
    if (t.shape.size() == expected.size()) expected[along] = t.shape[along];
    if (t.type != made.type || t.shape != expected)
      return copy_fault("concat", t.type.name() + " " + text_of(t.shape) + " does not go behind " +
                                      made.type.name() + " " + text_of(made.shape) +
                                      " along dimension " + std::to_string(along));
    if (__builtin_add_overflow(made.shape[along], t.shape[along], &made.shape[along]))
      return compute_error(errc::too_large, "concat: more than 63 bits count");
  }
  return tensor_types{made};
}

op_cost cost_of(const ops::concat&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_moving(inputs, outputs);
}

result<void> plan_for(const ops::concat& what, planner& to) {
  operand part = to.output(0);
  BEAMLET_TRY(const std::size_t along, dimension_of(what.dimension, part.shape));
  for (std::size_t i = 0; i < to.input_count(); ++i) {
    const operand& in = to.input(i);
    part.shape = in.shape;
    if (in.elements() != 0)
      BEAMLET_TRY_VOID(plan_copy(to, to.input_slot(i), in, to.output_slot(0), part));
    part.offset_bytes +=
        static_cast<std::uint64_t>(in.shape[along] * part.strides[along]) * in.type.bytes();
  }
  return {};
}

// -- pad

namespace {

struct padded_elements {
  std::size_t rank = 0;
  std::array<std::int64_t, dimensions::count_max + 1> size{}, source_size{}, before{}, from{};

  // The last dimension first; those that nothing is added to go together where they can.
  padded_elements(const operand& source, const operand& target, const ops::pad& what) {
    const bool is_filled = source.elements() == 0;  // nothing is inside
    for (std::size_t d = target.shape.size(); d-- > 0;) {
      const std::int64_t wide = target.shape[d], narrow = is_filled ? 0 : source.shape[d];
      const std::int64_t stride = is_filled ? 0 : source.strides[d];
      if (wide == 1 && narrow == 1) continue;
      const std::size_t last = rank - 1;
      if (rank > 0 && (is_filled || (wide == narrow && size[last] == source_size[last] &&
                                     stride == from[last] * size[last]))) {
        size[last] *= wide, source_size[last] *= narrow;
        continue;
      }
      size[rank] = wide, source_size[rank] = narrow, from[rank] = stride;
      before[rank++] = is_filled ? 0 : what.before[d];
    }
    if (rank == 0) size[0] = 1, source_size[0] = is_filled ? 0 : 1, rank = 1;
  }
};

result<void> plan_pad_on_cpu(planner& to, const padded_elements& padded, slot from_memory,
                             const operand& from, slot into_memory, const operand& into,
                             const ops::pad& what, const std::array<std::byte, 8>& value) {
  cpu_pad how;
  std::copy_n(padded.size.begin(), how.size.size(), how.size.begin());
  std::copy_n(padded.source_size.begin(), how.size.size(), how.source_size.begin());
  std::copy_n(padded.before.begin(), how.size.size(), how.before.begin());
  std::copy_n(padded.from.begin(), how.size.size(), how.from.begin());
  how.value = value;
  how.rank = static_cast<std::uint32_t>(padded.rank);
  how.bytes = static_cast<std::uint32_t>(into.type.bytes());
  how.mode = static_cast<std::uint32_t>(what.how);
  planned_launch& made = to.launch(pad_sources[source_index_of(how.bytes)]);
  const bool has_source = from.elements() != 0;
  to.bind_from_first(made, has_source ? from_memory : into_memory, has_source ? from : into);
  to.bind_from_first(made, into_memory, into);
  made.set_parameters(how);
  return to.set_groups(made, into.elements() / static_cast<std::uint64_t>(how.size[0]));
}

result<void> plan_pad(planner& to, slot from_memory, const operand& from, slot into_memory,
                      const operand& into, const ops::pad& what,
                      const std::array<std::byte, 8>& value) {
  const padded_elements padded(from, into, what);
  if (to.on_cpu())
    return plan_pad_on_cpu(to, padded, from_memory, from, into_memory, into, what, value);
  const std::size_t pairs = into.type.bytes() == 8 ? 1 : 0;  // two numbers of 32 bits
  if (padded.rank + pairs > pad_parameters::rank_max)
    return to.unsupported("pad of more than " + std::to_string(pad_parameters::rank_max - pairs) +
                          " dimensions");
  planned_launch& made = to.launch(pad_sources[source_index_of(into.type.bytes())]);
  pad_parameters p{};
  const bool has_source = from.elements() != 0;
  BEAMLET_TRY(p.first[0],
              to.bind(made, has_source ? from_memory : into_memory, has_source ? from : into));
  BEAMLET_TRY(p.first[1], to.bind(made, into_memory, into));
  std::memcpy(p.value, value.data(), sizeof p.value);
  if (pairs == 0) p.value[1] = p.value[0];
  p.size[0] = 2, p.source_size[0] = 2, p.from[0] = 1;
  for (std::size_t d = pairs; d < pad_parameters::rank_max; ++d) {
    const std::size_t k = d - pairs;
    p.size[d] = p.source_size[d] = 1;
    if (k >= padded.rank) continue;
    p.size[d] = static_cast<std::uint32_t>(padded.size[k]);
    p.source_size[d] = static_cast<std::int32_t>(padded.source_size[k]);
    p.before[d] = static_cast<std::int32_t>(padded.before[k]);
    p.from[d] = static_cast<std::int32_t>(padded.from[k] << pairs);
  }
  if (pairs != 0) p.first[0] *= 2, p.first[1] *= 2;
  p.count = static_cast<std::uint32_t>(into.elements() << pairs);
  made.constants.values[2] = static_cast<std::uint32_t>(what.how);
  made.set_parameters(p);
  return to.set_items_of_any_group(made, move_group, p.count);
}

}  // namespace

result<tensor_types> outputs_of(const ops::pad& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return copy_fault("pad", "takes one input, not " + std::to_string(inputs.size()));
  tensor_type made = inputs.front();
  const std::size_t rank = made.shape.size();
  if (!what.before.is_valid() || what.before.size() != rank || !what.after.is_valid() ||
      what.after.size() != rank)
    return copy_fault("pad", "`before` and `after` have a number for each of " +
                                 std::to_string(rank) + " dimensions");
  if (static_cast<std::uint8_t>(what.how) > static_cast<std::uint8_t>(ops::pad::mode::reflect))
    return copy_fault("pad", "there is no such mode");
  for (std::size_t d = 0; d < rank; ++d) {
    const std::int64_t before = what.before[d], after = what.after[d], size = made.shape[d];
    if (before < 0 || after < 0) return copy_fault("pad", "adds fewer than no elements");
    const std::int64_t most =
        what.how == ops::pad::mode::reflect             ? std::max<std::int64_t>(size - 1, 0)
        : what.how == ops::pad::mode::edge && size == 0 ? 0
                                                        : std::numeric_limits<std::int64_t>::max();
    if (before > most || after > most)
      return copy_fault("pad", "dimension " + std::to_string(d) + " of " + text_of(made.shape) +
                                   " has not so many elements to repeat");
    if (__builtin_add_overflow(size, before, &made.shape[d]) ||
        __builtin_add_overflow(made.shape[d], after, &made.shape[d]))
      return compute_error(errc::too_large, "pad: more than 63 bits count");
  }
  if (what.how == ops::pad::mode::constant) BEAMLET_TRY_VOID(bytes_of_value(made.type, what.value));
  return tensor_types{made};
}

op_cost cost_of(const ops::pad&, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  return cost_of_moving(inputs, outputs);
}

result<void> plan_for(const ops::pad& what, planner& to) {
  std::array<std::byte, 8> value{};
  if (what.how == ops::pad::mode::constant) {
    BEAMLET_TRY(value, bytes_of_value(to.output(0).type, what.value));
  }
  return plan_pad(to, to.input_slot(0), to.input(0), to.output_slot(0), to.output(0), what, value);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
