// SPDX-License-Identifier: Apache-2.0
#pragma once

// What softmax and the norms have in common: rows of an input, along one dimension.

#include <cstdint>

#include "compute/cpu/blocks.hpp"
#include "compute/plan.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

struct rows_of_op {
  slot memory;
  operand in;
  std::size_t dimension;
  walk kept;  ///< where each row begins
  std::uint64_t rows = 1, columns = 1;
  std::int64_t stride = 0;

  rows_of_op(slot from, const operand& what, std::size_t along)
      : memory(from), in(what), dimension(along) {
    columns = static_cast<std::uint64_t>(in.shape[along]);
    stride = in.strides[along];
    operand first = in;
    first.shape[along] = 1;
    rows = first.elements();
    kept = walk_together(std::span(&first, 1));
  }
  strided along() const noexcept { return {1, {static_cast<std::int64_t>(columns)}, {stride}}; }

  /// Copies the input where a kernel for `kept_max` dimensions does not see all of it.
  result<void> make_fit(planner& to, std::size_t kept_max);

  template <class Parameters>
  void set(Parameters& p) const {
    p.rows = static_cast<std::uint32_t>(rows);
    p.columns = static_cast<std::uint32_t>(columns);
    p.stride = static_cast<std::int32_t>(stride);
    for (std::size_t d = 0; d < Parameters::kept_max; ++d) {
      p.kept_size[d] = d < kept.rank ? static_cast<std::uint32_t>(kept.size[d]) : 1;
      p.kept[d] = static_cast<std::int32_t>(kept.stride[0][d]);
    }
  }
  /// Groups, and constant 3: `lanes` of the kernel, one item a row or many.
  result<void> set_rows(const planner& to, planned_launch& made, bool many) const;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
