// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "compute/cpu/isa.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

#if defined(__x86_64__)
// What registers alone can do: sixteen chains that never touch memory.
__attribute__((target("avx512f"))) inline double roof_avx512(long turns) {
  __m512 sum[16], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-9f);
  for (auto& s : sum) s = y;
  for (long i = 0; i < turns; ++i) {
#pragma GCC unroll 16
    for (auto& s : sum) s = _mm512_fmadd_ps(s, x, y);
  }
  for (int i = 1; i < 16; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return static_cast<double>(sum[0][0]);
}
__attribute__((target("avx2,fma"))) inline double roof_avx2(long turns) {
  __m256 sum[12], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-9f);
  for (auto& s : sum) s = y;
  for (long i = 0; i < turns; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm256_fmadd_ps(s, x, y);
  }
  for (int i = 1; i < 12; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  return static_cast<double>(sum[0][0]);
}
#endif

// GFLOP/s of the register loop, or 0 where it is not written for this machine.
inline double roof(double (*now)()) {
  double best = 0;
#if defined(__x86_64__)
  const long turns = 200'000;
  volatile double keep = 0;
  for (int i = 0; i < 10; ++i) {
    const bool wide = beamlet::compute::best_isa() == beamlet::compute::isa::avx512;
    if (beamlet::compute::best_isa() == beamlet::compute::isa::scalar) return 0;
    const double start = now();
    keep = keep + (wide ? roof_avx512(turns) : roof_avx2(turns));
    const double flops = static_cast<double>(turns) * (wide ? 16 * 32 : 12 * 16);
    best = std::max(best, flops / (now() - start) / 1e9);
  }
#endif
  return best;
}

}  // namespace bench
