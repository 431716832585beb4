// SPDX-License-Identifier: Apache-2.0
#pragma once

// What gemm.cpp needs of an instruction set: the innermost loops as functions, and the sizes of the
// blocks that suit them. One file per set (gemm_avx512.cpp, ...) fills in one table.

#include <cstddef>

#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// A tile of C: some rows of a block of A times a panel of B, summed over the block's depth.
/// Rows of A are contiguous, and so are those of the panel, one after the other.
struct gemm_tile {
  const float* a;
  std::ptrdiff_t a_stride;
  const float* b;
  float* c;
  std::ptrdiff_t c_stride;
  std::size_t depth;
  std::size_t columns;  // of C, 1 to the kernel's width: no others are read or written
  bool add;             // to what C holds; else C is replaced and not read
};

/// Some rows times one vector: out[i] = sum over p of rows[i * stride + p] * x[p].
struct gemv_dots {
  const float* rows;
  std::ptrdiff_t stride;
  std::size_t depth;
  const float* x;
  float* out;
};

/// A sum of some rows, weighted: out[j] = (add ? out[j] : 0) + sum over i of x[i] * rows[i][j].
struct gemv_sums {
  const float* rows;
  std::ptrdiff_t stride;
  std::size_t width;
  const float* x;
  float* out;
  bool add;
};

/// One instruction set's kernels and block sizes.
struct gemm_kernels {
  static constexpr std::size_t rows_limit = 14;

  std::size_t rows;     // of the highest tile: as many accumulators as there are registers for
  std::size_t columns;  // of a panel: two vectors, so that a broadcast of A serves two products
  std::size_t depth;    // of a block: a tile's rows of A take up to half of the L1 cache
  std::size_t chunk_columns;  // depth * these is what half of the L2 cache holds of B
  std::size_t block_columns;  // depth * these is packed at a time: a share of the L3 cache
  std::size_t block_rows;     // of A, where it is copied: half of the L2 cache or less

  using tile_function = void (*)(const gemm_tile&) noexcept;
  tile_function tiles[rows_limit];  // by rows - 1

  // Of so many rows at a time, and of one.
  static constexpr std::size_t dots_rows = 4, sums_rows = 8;
  void (*dots)(const gemv_dots&) noexcept;
  void (*one_dot)(const gemv_dots&) noexcept;
  void (*sums)(const gemv_sums&) noexcept;
  void (*one_sum)(const gemv_sums&) noexcept;
};

extern const gemm_kernels gemm_kernels_scalar;
#if BEAMLET_NEON
extern const gemm_kernels gemm_kernels_neon;
#endif
#if BEAMLET_X86_64
extern const gemm_kernels gemm_kernels_avx2;
extern const gemm_kernels gemm_kernels_avx512;
#endif

/// The table of a supported set.
const gemm_kernels& gemm_kernels_of(isa set) noexcept;

/// The vector products of gemv.cpp: `outputs` sums of `depth` products; all may be strided.
struct gemv_call {
  std::size_t outputs, depth;
  const float* matrix;
  std::ptrdiff_t output_stride, depth_stride;  // of the matrix
  const float* x;
  std::ptrdiff_t x_stride;
  float* out;
  std::ptrdiff_t out_stride;
  bool add;
};
std::size_t gemv_scratch_bytes(std::size_t outputs, std::size_t depth) noexcept;
void gemv(const gemm_kernels& kernels, const gemv_call& call, std::byte* scratch) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
