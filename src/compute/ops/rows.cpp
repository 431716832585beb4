// SPDX-License-Identifier: Apache-2.0
#include "compute/ops/rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "compute/ops/copy.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

result<void> rows_of_op::make_fit(planner& to, std::size_t kept_max) {
  if (kept.rank <= kept_max) return {};
  std::array<std::size_t, dimensions::count_max> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  BEAMLET_TRY(const auto dense,
              plan_dense(to, memory, in, std::span(order).first(in.shape.size())));
  *this = rows_of_op(dense.first, dense.second, dimension);
  return {};
}

result<void> rows_of_op::set_rows(const planner& to, planned_launch& made, bool many) const {
  const std::uint32_t group = std::bit_floor(std::min(128u, to.device().limits.group_items_max));
  std::uint32_t lanes = 1;
  while (many && lanes < group && lanes < columns) lanes *= 2;
  made.constants.values[3] = lanes;
  return to.set_items(made, group, rows * lanes);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
