// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every op has to have: src/compute/ops/ defines these for each line of kernels/ops.def.

#include <span>
#include <vector>

#include "beamlet/compute/ops.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

using tensor_types = std::vector<tensor_type>;

/// outputs_of: types and shapes of what it makes. Inputs have valid types and shapes without
/// negative dimensions, and fewer than 2^62 bytes; all else is for it to check.
/// cost_of, plan_for: of operands that outputs_of accepted. plan_for is not asked where no output
/// has an element.
#define BEAMLET_OP(name, tolerance)                                                            \
  result<tensor_types> outputs_of(const ops::name& what, std::span<const tensor_type> inputs); \
  op_cost cost_of(const ops::name& what, std::span<const operand> inputs,                      \
                  std::span<const operand> outputs);                                           \
  result<void> plan_for(const ops::name& what, planner& to);
#include "kernels/ops.def"

/// How far a result may be from exact: kernels/ops.def.
double tolerance_of(const op& what) noexcept;

op_cost cost_of(const op& what, std::span<const operand> inputs, std::span<const operand> outputs);

/// The launches that run `what` on a device of that kind, in one of the ways that there are
/// (plan::ways); what is not one of them is the first.
///
/// REQUIRES: outputs are those of outputs_of(), dense, and overlap nothing.
/// Thread: any.   Blocks: no.   Errors: invalid_argument, unsupported (by this device, or at all).
result<plan> plan_for(const op& what, const device_info& device, std::span<const operand> inputs,
                      std::span<const operand> outputs, std::uint32_t way = 0);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
