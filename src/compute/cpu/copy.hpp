// SPDX-License-Identifier: Apache-2.0
#pragma once

// Elements from one place to another on the processor, of 1, 2, 4 or 8 bytes.

#include <array>
#include <cstdint>

#include "compute/backend.hpp"
#include "compute/shapes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `move_on_cpu`. Groups: group_count().
struct cpu_move {
  static constexpr std::size_t rank_max = dimensions::count_max;
  /// Where each dimension's next element is, in elements; the target's fastest comes first. If
  /// `is_turned`, the second is the source's fastest, and both are walked in tiles.
  std::array<std::int64_t, rank_max> size{}, from{}, to{};
  std::uint32_t rank = 0, bytes = 0, is_turned = 0;

  static constexpr std::int64_t row_piece = 16384;
  /// So many elements of a dimension are one group's.
  std::int64_t piece(std::size_t dimension) const noexcept;
  std::uint64_t group_count() const noexcept;
  /// Turned, too large for the caches, and every line of `target` is written as a whole.
  bool streams(const void* target) const noexcept;
};

/// Bindings: source and target, each from its first element on.
void move_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// The parameters of `pad_on_cpu`, all fastest dimension first. A group is a row of the target,
/// which is dense.
struct cpu_pad {
  static constexpr std::size_t rank_max = dimensions::count_max;
  std::array<std::int64_t, rank_max> size{}, source_size{}, before{}, from{};
  std::array<std::byte, 8> value{};
  std::uint32_t rank = 0, bytes = 0, mode = 0;  // ops::pad::mode
};

/// Bindings: source and target, as above.
void pad_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
