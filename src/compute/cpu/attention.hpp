// SPDX-License-Identifier: Apache-2.0
#pragma once

// Attention on the processor: two products of gemm.hpp for each block of queries and keys, and the
// softmax between them, which keeps what it needs of the blocks before (Milakov and Gimelshein,
// "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022).

#include <array>
#include <cstdint>

#include "beamlet/base/dtype.hpp"
#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Where the rows of one input begin, and its columns.
struct attention_input {
  std::array<std::int64_t, dimensions::count_max> batch{};
  std::int64_t head = 0, row = 0, column = 0;
};

/// The parameters of `attention_on_cpu`. A block is some queries of one head and a part of the
/// keys; a group works on its share of all blocks, with scratch memory of its own.
struct cpu_attention {
  static constexpr std::uint64_t queries = 128, keys = 256;  ///< of a block in the caches

  std::uint64_t batches = 1,
                sharing = 1;  ///< heads of keys, and how many heads of queries each has
  std::uint64_t tq = 0, tk = 0, d = 0, dv = 0;
  std::uint64_t splits = 1, chunk = 0;  ///< of the keys; `chunk` of them in one part
  std::uint64_t groups = 1, scratch_bytes = 0;
  std::uint32_t rank = 0;  ///< of the batch; its last dimension comes first
  number type = number::f32;
  float scale = 1;
  std::uint8_t is_causal = 0, has_mask = 0;
  std::array<std::int64_t, dimensions::count_max> size{};
  attention_input q, k, v, mask;

  std::uint64_t rows() const noexcept { return batches * sharing * tq; }
  std::uint64_t block_count() const noexcept {
    return batches * sharing * ((tq + queries - 1) / queries) * splits;
  }
};

/// Of one group, for any instruction set of this architecture; a multiple of gemm_alignment.
std::uint64_t cpu_attention_scratch_bytes(const cpu_attention& how) noexcept;

/// Bindings: q, k, v, the mask (q again where there is none), the output and scratch memory. With
/// several parts the output is floats for `attention_join_on_cpu`: of each part and row dv sums,
/// the largest score, and the sum of weights.
void attention_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// A group is a row. Bindings: the parts and the output.
struct cpu_attention_join {
  std::uint64_t rows = 0, dv = 0, splits = 0, rows_of_group = 1;
  number type = number::f32;
};
void attention_join_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
