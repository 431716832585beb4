// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arithmetic on shapes and strides that ops have in common.

#include <array>
#include <cstdint>
#include <span>

#include "beamlet/base/result.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// How many pieces of `piece` cover `all`.
constexpr std::uint64_t divided_up(std::uint64_t all, std::uint64_t piece) noexcept {
  return (all + piece - 1) / piece;
}

/// The shape that all broadcast to, as in NumPy: aligned at the last dimension, 1 stretches.
/// Errors: invalid_argument, which names both shapes.
result<dimensions> broadcast(const dimensions& a, const dimensions& b);

/// "[2, 3]"
std::string text_of(const dimensions& shape);

/// `what` seen in a larger shape: stride 0 where it stretches.
/// REQUIRES: it broadcasts to `shape`.
operand stretched(const operand& what, const dimensions& shape);

/// -1 is the last.   Errors: invalid_argument.
result<std::size_t> dimension_of(std::int64_t dimension, const dimensions& shape);

/// Several operands of one shape, walked together: dimensions that lie side by side in all of them
/// are one, those of 1 are none. The last (fastest) comes first.
struct walk {
  std::size_t rank = 0;
  std::array<std::int64_t, dimensions::count_max> size{};
  std::array<std::array<std::int64_t, dimensions::count_max>, 4> stride{};  // [operand][dimension]
};
walk walk_together(std::span<const operand> all);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
