// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows whose numbers are brought into a range, on the processor.

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `softmax_on_cpu`. In the output, which is dense, `inner` rows lie across; a
/// group is so many of them as column_block(), or one row where `inner` is 1.
struct cpu_softmax {
  strided kept, along;
  std::uint64_t rows = 0, columns = 0, inner = 1;
  number type = number::f32;
  std::uint32_t is_logarithm = 0;

  /// All of a block's numbers are to stay in the L2 cache, as they are read three times.
  static constexpr std::uint64_t cached_elements = 262144;
  std::uint64_t column_block() const noexcept {
    std::uint64_t block = cached_elements / columns / 64 * 64;
    block = block < 64 ? 64 : block > block_elements ? block_elements : block;
    return block < inner ? block : inner;
  }
  std::uint64_t group_count() const noexcept {
    const std::uint64_t block = column_block();
    return rows / inner * ((inner + block - 1) / block);
  }
};
/// Bindings: the input from its first element on, and the output.
void softmax_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// The parameters of `normalize_on_cpu`; a group is a row of the output, which is dense.
struct cpu_normalize {
  strided kept, along, scale, shift;
  std::uint64_t columns = 0;
  number type = number::f32;
  float epsilon = 0;
  std::uint8_t is_around_mean = 0, has_scale = 0, has_shift = 0;
};
/// Bindings: the input, what rows are multiplied by, what is added, and the output.
void normalize_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
