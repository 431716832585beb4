// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which instruction set the CPU backend's kernels use. A kernel is compiled in one variant for each
// of them, in functions that carry the set as an attribute, and the variant is chosen at run time.

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// `scalar` is plain C++ and runs everywhere. avx2 means with FMA; avx512 means F, BW, DQ and VL,
/// the set that every server and laptop with AVX-512 has.
enum class isa { scalar, neon, avx2, avx512 };

/// All of them, the best last.
inline constexpr isa isas[] = {isa::scalar, isa::neon, isa::avx2, isa::avx512};

/// May this process run kernels of that set: was it compiled for the architecture, has the CPU the
/// instructions, and does the operating system save their registers?
///
/// Thread: any.   Blocks: no.   Cost: a few instructions.
bool supports(isa set) noexcept;

/// May kernels of that set use AVX-512's shuffles and sums of bytes (VBMI and VNNI) as well? Not
/// all machines of avx512 have them.
bool has_byte_shuffles(isa set) noexcept;

/// The best set that is supported: what kernels are run with unless someone asks for another.
isa best_isa() noexcept;

/// "scalar", "neon", "avx2" or "avx512"; never null.
const char* name_of(isa set) noexcept;

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
