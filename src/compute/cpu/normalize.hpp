// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows whose numbers are brought into a range, on the processor.

#include <algorithm>
#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `softmax_on_cpu`, where a group is a row, and of `softmax_columns_on_cpu`: in
/// the output, which is dense, `inner` rows lie across, and column_block() of them are a block; a
/// group works on its share of all blocks, with scratch memory of its own.
struct cpu_softmax {
  strided kept, along;
  std::uint64_t rows = 0, columns = 0, inner = 1, groups = 1;
  number type = number::f32;
  std::uint32_t is_logarithm = 0;

  /// A block's numbers are kept where they fit the L2 cache, else read again.
  static constexpr std::uint64_t cached_elements = 65536, block_min = 32, chunk_elements = 16;
  bool keeps() const noexcept { return columns <= cached_elements / block_min; }
  /// Lines of the caches as a whole.
  static constexpr std::uint64_t padded(std::uint64_t count) noexcept {
    return (count + 15) / 16 * 16;
  }
  std::uint64_t column_block() const noexcept {
    const std::uint64_t block = keeps() ? cached_elements / columns / 16 * 16 : 256;
    return std::min({block, inner, std::uint64_t{block_elements}});
  }
  std::uint64_t blocks_of_outer() const noexcept {
    return (inner + column_block() - 1) / column_block();
  }
  std::uint64_t block_count() const noexcept { return rows / inner * blocks_of_outer(); }
  std::uint64_t kept_elements() const noexcept { return keeps() ? columns : chunk_elements; }
  /// Too large for the caches, and every row of the output (across: of a block) in whole lines.
  bool streams(const void* to) const noexcept {
    const std::uint64_t next = (inner > 1 ? inner : columns) * sizeof(float);
    return (reinterpret_cast<std::uintptr_t>(to) | next) % 64 == 0 &&
           rows * columns * sizeof(float) >= past_caches_bytes;
  }
  /// Of one group.
  std::uint64_t scratch_elements() const noexcept {
    const std::uint64_t chunks = (kept_elements() + chunk_elements - 1) / chunk_elements;
    return padded(column_block()) * (kept_elements() + chunks);
  }
};
/// Bindings: the input from its first element on, and the output.
void softmax_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);
/// And scratch memory.
void softmax_columns_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// The parameters of `normalize_on_cpu`; a group is a row of the output, which is dense.
struct cpu_normalize {
  strided kept, along, scale, shift;
  std::uint64_t rows = 0, columns = 0;
  number type = number::f32;
  float epsilon = 0;
  std::uint8_t is_around_mean = 0, has_scale = 0, has_shift = 0;
};
/// Bindings: the input, what rows are multiplied by, what is added, and the output.
void normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
