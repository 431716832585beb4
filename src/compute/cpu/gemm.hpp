// SPDX-License-Identifier: Apache-2.0
#pragma once

// Single precision matrix products on one core: C = A B, or C += A B. Whoever has several cores
// cuts C into blocks of rows (or columns) and calls this once for each, on threads of its own; a B
// that is used again and again (weights) is packed once.
//
// Every call runs on the caller's thread, allocates nothing, cannot fail, and reads and writes
// nothing outside of the matrices. Sums run in an order that depends only on shape, strides and
// instruction set: equal input gives equal bits. Infinities and NaN go the way that IEEE 754 gives
// them. A matrix may have no elements; its pointer is then not used. C must not overlap A, B or the
// scratch memory.

#include <cstddef>

#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Scratch and packed memory begins at a multiple of this: a line of the cache, a register of
/// AVX-512.
inline constexpr std::size_t gemm_alignment = 64;

/// An input: element (i, j) is `data[i * row_stride + j * column_stride]`. A transposed matrix is
/// the same memory with its strides exchanged; a stride of 0 repeats.
struct matrix_in {
  const float* data = nullptr;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t column_stride = 1;
};

/// The result: element (i, j) is `data[i * row_stride + j]`. For a transposed result compute
/// C' = B' A'.
struct matrix_out {
  float* data = nullptr;
  std::ptrdiff_t row_stride = 0;
};

/// C is m x n, A is m x k, B is k x n.
struct gemm_shape {
  std::size_t m = 0, n = 0, k = 0;
};

/// Is C replaced or added to? With k = 0 the one writes zeros and the other does nothing.
enum class gemm_output { replace, add };

/// What `gemm` needs as scratch memory for this shape.
///
/// Thread: any.   Blocks: no.   Limits: under 5 MiB, or for a vector 4 bytes for each of m + n + k.
std::size_t gemm_scratch_bytes(isa set, gemm_shape shape) noexcept;

/// C = A B or C += A B. m = 1 and n = 1 go a way of their own, as fast as memory is.
///
/// Thread: any; calls with different C and scratch run side by side.   Blocks: no.
/// `set` must be supported; `scratch` is aligned to gemm_alignment and large enough.
void gemm(isa set, gemm_shape shape, matrix_in a, matrix_in b, matrix_out c, gemm_output output,
          std::byte* scratch) noexcept;

/// A B that is made while it is packed, of parts of it, in the order in which kernels read it: rows
/// from `p` on and columns from `j` on, in panels of `width` columns, one behind the other; rows of
/// a panel lie side by side, and the last panel is filled up with zeros.
struct made_b {
  struct part {
    std::size_t p, depth, j, columns, width;
  };
  void (*pack)(const void* of, const part& which, float* to) noexcept;
  const void* of;
};

/// As gemm() and its scratch memory.
std::size_t gemm_made_scratch_bytes(isa set, gemm_shape shape) noexcept;
void gemm_made(isa set, gemm_shape shape, matrix_in a, const made_b& b, matrix_out c,
               gemm_output output, std::byte* scratch) noexcept;

/// A matrix B in the order in which the kernels of one instruction set read it: a view of memory
/// that the packer's caller owns.
struct packed_b {
  isa set = isa::scalar;
  std::size_t k = 0, n = 0;
  const float* data = nullptr;
};

/// Bytes of a packed B: its elements, and the columns filled up with zeros to the kernel's width
/// (not a single one: that is a vector).
std::size_t packed_b_bytes(isa set, std::size_t k, std::size_t n) noexcept;

/// Copies a k x n matrix in the kernels' order into `memory`, which holds packed_b_bytes() and is
/// aligned to gemm_alignment.
///
/// Thread: any.   Blocks: no.   Cost: one read and one write of B.
/// Lifetime: `memory` must live, unchanged, as long as the result is used.
packed_b pack_b(isa set, std::size_t k, std::size_t n, matrix_in b, std::byte* memory) noexcept;

/// One of `parts` parts of the same work, all for one memory, so that threads may share it.
packed_b pack_b_part(isa set, std::size_t k, std::size_t n, matrix_in b, std::byte* memory,
                     std::size_t part, std::size_t parts) noexcept;

/// What `gemm_packed` needs as scratch memory for up to m rows.
std::size_t gemm_packed_scratch_bytes(const packed_b& b, std::size_t m) noexcept;

/// The product of m rows with a packed B. To share the work, give each thread its rows of A and C,
/// and scratch memory of its own; all may use one B.
///
/// Thread: any.   Blocks: no.
void gemm_packed(std::size_t m, matrix_in a, const packed_b& b, matrix_out c, gemm_output output,
                 std::byte* scratch) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
