// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which kernel makes a matrix product on a device, and in which shape.

#include <array>
#include <cstdint>
#include <span>

#include "compute/ops/matmul.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

enum class matmul_kind : std::uint8_t { matvec, tile, panels, vec4 };

/// Sizes of a kernel's work. Of `matvec`: items of a group, and whether neighbours in memory belong
/// to one sum (`rows`). Of `tile`: items of a group, and fours of rows and columns of an item. Of
/// `panels`: rows of an item, and lanes of a vector, two of which are its columns. Of `vec4`: rows.
struct matmul_way {
  matmul_kind kind = matmul_kind::tile;
  std::uint32_t group_x = 16, group_y = 8, rows = 1, columns = 1;
  friend bool operator==(const matmul_way&, const matmul_way&) = default;
};

/// All that a device can do; what a table of measured shapes or else a rule of thumb says comes
/// first. There is at least one.
struct matmul_ways {
  static constexpr std::size_t count_max = 8;
  std::array<matmul_way, count_max> all;
  std::size_t count = 0;

  void add(const matmul_way& one) noexcept;  // unless it is there, or there is no room
  std::span<const matmul_way> list() const noexcept { return std::span(all).first(count); }
};
matmul_ways ways_of(const matmul_product& p, const planner& to);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
