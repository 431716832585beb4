// SPDX-License-Identifier: Apache-2.0
#pragma once

// Discrete Fourier transforms on the processor: Stockham's order in passes of radix 4, and one of
// radix 2 where the length is an odd power of two. Each pass takes whole vectors of neighbours.

#include <cstddef>
#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `fft_on_cpu`: `rows` transforms of `n` complex numbers each. Two neighbours of
/// real numbers are one of them, so there n is half of the row's length.
struct cpu_fft {
  strided kept;                       ///< where each row of the input begins
  std::int64_t stride = 0, part = 0;  ///< from one complex number to the next, to its imaginary
  std::uint64_t rows = 0, n = 1;
  std::uint64_t groups = 1;
  float scale = 1;
  std::uint8_t is_inverse = 0, from_real = 0, to_real = 0;

  /// Of floats, between the four arrays that a group has: the same lines of the cache else.
  static constexpr std::size_t gap = 32;
  std::size_t array_floats() const noexcept { return static_cast<std::size_t>(n) + gap; }
  std::uint64_t scratch_bytes() const noexcept { return 4 * array_floats() * sizeof(float); }
};

/// Bindings: the input from its first element on, the output, and scratch memory of all groups.
void fft_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
