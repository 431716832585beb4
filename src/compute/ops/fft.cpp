// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "compute/cpu/fft.hpp"
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

using fft_kind = ops::fft::kind;

// As kernels/dual/fft.k has them; columns: complex numbers of one of `split` parts of a transform.
struct fft_parameters {
  static constexpr std::size_t kept_max = 4;
  std::uint32_t rows, columns, split, first_x, first_y, flags;
  float scale;
  std::int32_t stride, part_stride;
  std::uint32_t kept_size[kept_max];
  std::int32_t kept[kept_max];
};

constexpr kernel_source fft_source{.name = "fft",
                                   .buffers = 2,
                                   .parameter_bytes = sizeof(fft_parameters),
                                   .constants = 3,
                                   .code = &embedded::fft};
constexpr kernel_source fft_cpu_source{
    .name = "fft", .buffers = 3, .parameter_bytes = sizeof(cpu_fft), .cpu = fft_on_cpu};

constexpr std::uint64_t fft_groups_per_thread = 4;
// Less is not worth waking a thread for.
constexpr double fft_group_flops = 1e6;

error fft_fault(errc code, std::string what) {
  return compute_error(code, "fft: " + std::move(what));
}

bool is_from_real(fft_kind what) { return what == fft_kind::real_forward; }
bool is_to_real(fft_kind what) { return what == fft_kind::real_inverse; }

// Of a row of the output, or of the input of real numbers.
std::int64_t fft_length(fft_kind what, const dimensions& in) {
  const std::size_t rank = in.size();
  if (is_from_real(what)) return in[rank - 1];
  return is_to_real(what) ? 2 * (in[rank - 2] - 1) : in[rank - 2];
}

double fft_flops(fft_kind what, const dimensions& in, std::uint64_t outputs) {
  const auto length = static_cast<double>(fft_length(what, in));
  const bool is_real = is_from_real(what) || is_to_real(what);
  const double numbers = static_cast<double>(outputs) * (is_to_real(what) ? 1 : 0.5);
  return (is_real ? 2.5 : 5) * numbers * std::log2(std::max(length, 2.0));
}

// The input's rows as complex numbers: the dimension of their parts left out.
struct fft_rows_of_op {
  rows_of_op rows;
  std::int64_t stride, part;
  std::uint64_t n;

  fft_rows_of_op(fft_kind what, slot memory, const operand& in)
      : rows(memory, whole(what, in), whole(what, in).shape.size() - 1) {
    const std::size_t rank = in.shape.size();
    stride = rows.columns == 1 ? 0 : rows.stride;
    part = in.strides[rank - 1];
    if (is_from_real(what)) part = stride, stride *= 2;
    const auto length = static_cast<std::uint64_t>(fft_length(what, in.shape));
    n = is_from_real(what) || is_to_real(what) ? length / 2 : length;
  }
  static operand whole(fft_kind what, const operand& in) {
    if (is_from_real(what)) return in;
    const auto without_last = [](const dimensions& of) {
      return dimensions(std::span<const std::int64_t>(of.begin(), of.size() - 1));
    };
    operand made = in;
    made.shape = without_last(in.shape);
    made.strides = without_last(in.strides);
    return made;
  }
};

float scale_of(fft_kind what, std::uint64_t n) {
  if (what == fft_kind::inverse) return 1 / static_cast<float>(n);
  return is_to_real(what) ? 1 / static_cast<float>(2 * n) : 1;
}

result<void> plan_fft_on_cpu(fft_kind what, planner& to) {
  const fft_rows_of_op x(what, to.input_slot(0), to.input(0));
  cpu_fft how;
  how.kept = strided::of(x.rows.kept, 0);
  how.stride = x.stride, how.part = x.part;
  how.rows = x.rows.rows, how.n = x.n;
  how.scale = scale_of(what, x.n);
  how.from_real = is_from_real(what), how.to_real = is_to_real(what);
  how.is_inverse = how.to_real != 0 || what == fft_kind::inverse;
  const std::uint64_t threads = to.device().units;
  const auto most =
      static_cast<double>(threads == 1 ? 1 : std::min(how.rows, threads * fft_groups_per_thread));
  const double flops = fft_flops(what, to.input(0).shape, to.output(0).elements());
  how.groups = static_cast<std::uint64_t>(std::clamp(flops / fft_group_flops, 1.0, most));
  const slot scratch = to.scratch(how.groups * how.scratch_bytes());
  planned_launch& made = to.launch(fft_cpu_source);
  to.bind_from_first(made, to.input_slot(0), to.input(0));
  to.bind_from_first(made, to.output_slot(0), to.output(0));
  made.bindings[made.binding_count++] = {scratch, 0, how.groups * how.scratch_bytes()};
  made.set_parameters(how);
  return to.set_groups(made, how.groups);
}

result<void> plan_fft_on_device(fft_kind what, planner& to) {
  constexpr std::uint32_t elements_min = 4, elements_max = 8;
  const device_limits& limits = to.device().limits;
  const std::uint32_t items = std::bit_floor(std::min(128u, limits.group_items_max));
  slot memory = to.input_slot(0);
  operand in = to.input(0);
  if (fft_rows_of_op(what, memory, in).rows.kept.rank > fft_parameters::kept_max) {
    std::array<std::size_t, dimensions::count_max> order{};
    std::iota(order.begin(), order.end(), std::size_t{0});
    BEAMLET_TRY(const auto dense,
                plan_dense(to, memory, in, std::span(order).first(in.shape.size())));
    memory = dense.first, in = dense.second;
  }
  const fft_rows_of_op x(what, memory, in);
  const auto all = static_cast<std::uint32_t>(x.n);
  const std::uint32_t n = std::min(all, items * elements_max), split = all / n;
  // Taking real numbers' transforms apart needs both of two mirrored numbers in one group.
  if (is_from_real(what) && split > 2)
    return to.unsupported("fft of " + std::to_string(2 * all) + " real numbers by groups of " +
                          std::to_string(items) + " items");
  const std::uint32_t lanes = std::clamp(n / elements_min, 1u, items);
  if (!std::in_range<std::int32_t>(x.stride) || !std::in_range<std::int32_t>(x.part))
    return to.unsupported("fft with a stride of " + std::to_string(x.stride) + " elements");
  planned_launch& made = to.launch(fft_source);
  fft_parameters p{};
  BEAMLET_TRY(p.first_x, to.bind(made, memory, in));
  BEAMLET_TRY(p.first_y, to.bind(made, to.output_slot(0), to.output(0)));
  x.rows.set(p);
  p.rows *= split;
  p.columns = n;
  p.split = split;
  p.stride = static_cast<std::int32_t>(x.stride);
  p.part_stride = static_cast<std::int32_t>(x.part);
  p.flags = (what == fft_kind::inverse ? 1u : 0u) | (is_from_real(what) ? 2u : 0u) |
            (is_to_real(what) ? 5u : 0u);
  p.scale = scale_of(what, x.n);
  made.constants.values[2] = std::max(n / lanes, elements_min);
  made.set_parameters(p);
  return to.set_items(made, items, x.rows.rows * split * lanes);
}

}  // namespace

result<tensor_types> outputs_of(const ops::fft& what, std::span<const tensor_type> inputs) {
  if (inputs.size() != 1)
    return fft_fault(errc::invalid_argument,
                     "takes one input, not " + std::to_string(inputs.size()));
  const tensor_type& in = inputs.front();
  if (static_cast<std::uint8_t>(what.what) > static_cast<std::uint8_t>(fft_kind::real_inverse))
    return fft_fault(errc::invalid_argument, "there is no such kind");
  if (in.type != dtypes::f32)
    return fft_fault(errc::unsupported, "of f32, not of " + in.type.name() + "; cast it");
  const std::size_t rank = in.shape.size();
  if (is_from_real(what.what) ? rank < 1 : rank < 2 || in.shape[rank - 1] != 2)
    return fft_fault(errc::invalid_argument,
                     std::string(is_from_real(what.what)
                                     ? "real numbers are [..., n]"
                                     : "complex numbers are [..., n, 2], real and imaginary part") +
                         ", not " + text_of(in.shape));
  const bool is_real = is_from_real(what.what) || is_to_real(what.what);
  const std::int64_t least = is_real ? 2 : 1;
  // The half of a longer one does not fit 63 bits when doubled, either.
  const std::int64_t length = is_to_real(what.what) && in.shape[rank - 2] > ops::fft::length_max
                                  ? in.shape[rank - 2]
                                  : fft_length(what.what, in.shape);
  if (length < least || length > ops::fft::length_max ||
      !std::has_single_bit(static_cast<std::uint64_t>(length)))
    return fft_fault(errc::unsupported, "of powers of two from " + std::to_string(least) + " to " +
                                            std::to_string(ops::fft::length_max) + ", not of " +
                                            std::to_string(length) + " numbers; pad them");
  tensor_type made = in;
  if (is_from_real(what.what)) {
    made.shape[rank - 1] = length / 2 + 1;
    if (rank == dimensions::count_max)
      return fft_fault(errc::unsupported, "of real numbers in fewer than 8 dimensions");
    std::array<std::int64_t, dimensions::count_max> all{};
    std::copy(made.shape.begin(), made.shape.end(), all.begin());
    all[rank] = 2;
    made.shape = dimensions(std::span<const std::int64_t>(all.data(), rank + 1));
  } else if (is_to_real(what.what)) {
    made.shape = dimensions(std::span<const std::int64_t>(in.shape.begin(), rank - 1));
    made.shape[rank - 2] = length;
  }
  return tensor_types{made};
}

op_cost cost_of(const ops::fft& what, std::span<const operand> inputs,
                std::span<const operand> outputs) {
  op_cost made;
  made.flops = fft_flops(what.what, inputs[0].shape, outputs[0].elements());
  made.bytes = 4 * static_cast<double>(inputs[0].elements() + outputs[0].elements());
  return made;
}

result<void> plan_for(const ops::fft& what, planner& to) {
  return to.on_cpu() ? plan_fft_on_cpu(what.what, to) : plan_fft_on_device(what.what, to);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
