// SPDX-License-Identifier: Apache-2.0
#pragma once

// What both ways to plan a matrix product begin with.

#include <array>

#include "compute/plan.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// C = A B with the dimensions of the batch folded into A's rows where one B serves them all.
struct matmul_product {
  std::uint64_t m = 0, n = 0, k = 0, batches = 1;
  std::int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0;
  walk batch;  // of A, B and C
  bool has_scale = false, has_bias = false;
  /// Of a convolution's plan: a bias is one row's, not one column's. Only on devices.
  bool has_bias_of_rows = false;
  std::array<std::size_t, 2> inputs{0, 1};  ///< which A and B are

  dtype type_of_b;
  std::size_t bias_input() const noexcept { return has_scale ? 3 : 2; }
  bool is_vector() const noexcept { return m == 1 || n == 1; }
};
matmul_product product_of(const ops::matmul& what, const planner& to);

/// On devices that a driver shows.
result<void> plan_matmul_on_device(const matmul_product& product, planner& to);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
