// SPDX-License-Identifier: Apache-2.0
#pragma once

// Convolutions on the processor, as products of the weights with a matrix that has what a window
// sees as its columns, and is made where it is packed: a part at a time, in the caches.

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/windows.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `conv_on_cpu`. Weights and output are dense. Each part of the channels of each
/// image makes a matrix of `m` x `pixels`, which is cut into blocks of `rows` x `columns`; a group
/// works on its share of all blocks, one after the other, with scratch memory of its own.
struct cpu_conv {
  /// Pixels of a product: what is packed of them stays in the L2 cache.
  static constexpr std::uint64_t columns_at_once = 256;
  /// Of 16 bits: sums of so many rows are kept.
  static constexpr std::uint64_t rows_converted = 512;

  cpu_windows windows;
  std::uint64_t m = 0, pixels = 0, parts = 1;
  std::uint64_t channels = 0;  ///< of the input, of one part
  std::uint64_t rows = 0, columns = 0, blocks = 0, groups = 1;
  std::int64_t image_step = 0, channel_step = 0, bias_step = 0;
  std::uint64_t scratch_bytes = 0;  ///< of one group, a multiple of gemm_alignment
  std::uint64_t has_bias = 0;

  std::uint64_t depth() const noexcept {
    return channels * static_cast<std::uint64_t>(windows.size[0]) *
           static_cast<std::uint64_t>(windows.size[1]);
  }
};

/// For any instruction set of this architecture.
std::uint64_t cpu_conv_scratch_bytes(const cpu_conv& how) noexcept;

/// Bindings: the input, weights (f32), biases (f32), the output and scratch memory.
void conv_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
