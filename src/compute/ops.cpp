// SPDX-License-Identifier: Apache-2.0
#include "beamlet/compute/ops.hpp"

#include <algorithm>

#include "compute/errors.hpp"
#include "compute/op_functions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

template <class Op>
struct op_facts;
#define BEAMLET_OP(op_name, how_far)              \
  template <>                                     \
  struct op_facts<ops::op_name> {                 \
    static constexpr const char* name = #op_name; \
    static constexpr double tolerance = how_far;  \
  };
#include "kernels/ops.def"

/// Past this no arithmetic on sizes overflows.
constexpr std::int64_t tensor_bytes_max = std::int64_t{1} << 62;

result<void> check_tensor(const tensor_type& t) {
  if (!t.type.is_valid()) return compute_error(errc::invalid_argument, "a tensor of no known type");
  if (!t.shape.is_valid())
    return compute_error(errc::too_large, "a tensor of more than 8 dimensions");
  std::int64_t bytes = static_cast<std::int64_t>(t.type.bytes());
  for (std::int64_t n : t.shape) {
    if (n < 0) return compute_error(errc::invalid_argument, "a tensor with a negative dimension");
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(n, 1), &bytes) ||
        bytes > tensor_bytes_max)
      return compute_error(errc::too_large, "a tensor of 2^62 bytes or more");
  }
  return {};
}

}  // namespace

const char* name_of(const op& what) noexcept {
  return std::visit([]<class Op>(const Op&) { return op_facts<Op>::name; }, what);
}

double tolerance_of(const op& what) noexcept {
  return std::visit([]<class Op>(const Op&) { return op_facts<Op>::tolerance; }, what);
}

result<std::vector<tensor_type>> outputs_of(const op& what, std::span<const tensor_type> inputs) {
  for (const tensor_type& t : inputs) BEAMLET_TRY_VOID(check_tensor(t));
  BEAMLET_TRY(auto made,
              std::visit([&](const auto& one) { return outputs_of(one, inputs); }, what));
  for (const tensor_type& t : made) BEAMLET_TRY_VOID(check_tensor(t));
  return made;
}

op_cost cost_of(const op& what, std::span<const operand> inputs, std::span<const operand> outputs) {
  return std::visit([&](const auto& one) { return cost_of(one, inputs, outputs); }, what);
}

result<plan> plan_for(const op& what, const device_info& device, std::span<const operand> inputs,
                      std::span<const operand> outputs, std::uint32_t way) {
  std::vector<operand> all(inputs.begin(), inputs.end());
  all.insert(all.end(), outputs.begin(), outputs.end());
  planner made(device, all, inputs.size(), way);
  const bool is_empty = std::all_of(outputs.begin(), outputs.end(),
                                    [](const operand& o) { return o.elements() == 0; });
  if (!is_empty)
    BEAMLET_TRY_VOID(std::visit([&](const auto& one) { return plan_for(one, made); }, what));
  return std::move(made).take();
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
