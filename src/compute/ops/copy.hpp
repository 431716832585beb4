// SPDX-License-Identifier: Apache-2.0
#pragma once

// Copies as a part of other ops' plans.

#include <cstddef>
#include <span>
#include <utility>

#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Elements of `from` as those of `into`: the same type and shape, any strides.
/// Errors: unsupported (by this device).
result<void> plan_copy(planner& to, slot from_memory, const operand& from, slot into_memory,
                       const operand& into);

/// All elements of a dense `out` become `value`.
/// Errors: invalid_argument (`out`'s type has no such number), unsupported.
result<void> plan_fill(planner& to, slot out_memory, const operand& out, double value);

/// `what` with its dimensions in another order, dense in scratch memory: for ops that a device does
/// not have for the strides that there are.
result<std::pair<slot, operand>> plan_dense(planner& to, slot memory, const operand& what,
                                            std::span<const std::size_t> order);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
