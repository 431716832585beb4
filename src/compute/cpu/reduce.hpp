// SPDX-License-Identifier: Apache-2.0
#pragma once

// One number of many on the processor.

#include <cstdint>

#include "compute/backend.hpp"
#include "compute/cpu/blocks.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// The parameters of `reduce_on_cpu` and `argmax_on_cpu`. For each of `outputs` places (in `kept`)
/// there are `length` elements (in `reduced`, from there on); piece p has those from p `piece` on.
/// Results are dense: those of piece 0, then of piece 1, and so on.
struct cpu_reduce {
  strided kept, reduced;
  std::uint64_t outputs = 0, length = 0, piece = 0;
  std::uint32_t what = 0;  ///< ops::reduce::kind; argmax: 1 for the smallest
  number from = number::f32, to = number::f32;
  float scale = 1;
  /// Blocks of outputs at a time, one element of each after the other: for outputs whose elements
  /// lie side by side, and for short rows. Else a row after the other.
  std::uint32_t by_columns = 0;

  std::uint64_t pieces() const noexcept { return (length + piece - 1) / piece; }
  std::uint64_t groups_of_piece() const noexcept {
    return by_columns == 0 ? outputs : (outputs + block_elements - 1) / block_elements;
  }
};

/// Bindings: the input from its first element on, and the output.
void reduce_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);
/// In one piece only; the output is i32.
void argmax_on_cpu(const cpu_call& call, std::uint64_t first, std::uint64_t last);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
