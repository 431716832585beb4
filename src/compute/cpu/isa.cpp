// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

bool supports(isa set) noexcept {
  switch (set) {
    case isa::scalar: return true;
    case isa::neon: return BEAMLET_NEON != 0;  // no AArch64 without it
#if BEAMLET_X86_64
    // The compilers' own test reads XCR0 as well: false where the system does not save registers.
    case isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case isa::avx512:
      return supports(isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#endif
    default: return false;
  }
}

bool has_byte_shuffles(isa set) noexcept {
#if BEAMLET_X86_64
  return set == isa::avx512 && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vnni");
#else
  (void)set;
  return false;
#endif
}

isa best_isa() noexcept {
  isa best = isa::scalar;
  for (isa set : isas)
    if (supports(set)) best = set;
  return best;
}

const char* name_of(isa set) noexcept {
  switch (set) {
    case isa::neon: return "neon";
    case isa::avx2: return "avx2";
    case isa::avx512: return "avx512";
    default: return "scalar";
  }
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
