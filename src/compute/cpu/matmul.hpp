// SPDX-License-Identifier: Apache-2.0
#pragma once

// Matrix products on the processor, on top of gemm.hpp: batches, halves, weights of 8 bits, and how
// threads share the work.

#include <array>
#include <cstdint>

#include "beamlet/base/dtype.hpp"
#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// What B's numbers are in memory. Those of A and C are halves with B's, else floats.
enum class weights : std::uint32_t { f32, f16, i8 };

/// The parameters of both kernels. C is dense. Every product of the batch is cut into blocks of
/// `rows` x `columns`; a group works on its share of all blocks, one after the other, with scratch
/// memory of its own.
struct cpu_matmul {
  static constexpr std::size_t rank_max = dimensions::count_max;
  /// Of a block whose numbers have to be converted: of the depth, too.
  static constexpr std::uint64_t rows_converted = 512, columns_converted = 256,
                                 depth_converted = 512;

  std::uint64_t m = 0, n = 0, k = 0;
  std::uint64_t rows = 0, columns = 0, blocks = 0, groups = 1;
  std::int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0;
  std::int64_t scale_stride = 0, bias_stride = 0;
  std::uint64_t scratch_bytes = 0;  ///< of one group, a multiple of gemm_alignment
  weights type = weights::f32;
  std::uint32_t has_bias = 0;
  std::uint32_t is_packed = 0;  ///< B is what matmul_pack_on_cpu made
  std::uint32_t rank = 0;       ///< of the batch; its last dimension comes first
  std::array<std::int64_t, rank_max> size{}, a_stride{}, b_stride{};
};

/// For any instruction set of this architecture.
std::uint64_t cpu_matmul_scratch_bytes(const cpu_matmul& how) noexcept;
std::uint64_t cpu_matmul_packed_bytes(const cpu_matmul& how) noexcept;

/// Bindings: A, B, scales, biases (A again where there are none), C and scratch memory.
void matmul_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

/// Packs a B of floats for all groups of the other. Bindings: B and the packed B.
void matmul_pack_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
