// SPDX-License-Identifier: Apache-2.0
// 14 x 32: 28 accumulators, two vectors of B and one broadcast of A fill 31 of the 32 registers.
#include "compute/cpu/gemm_kernels.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

BEAMLET_AVX512 inline __mmask16 first_lanes(std::size_t count) noexcept {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : (1u << count) - 1);
}

// Through memory: what g++ 12 has for it warns of itself.
BEAMLET_AVX512 inline float sum_of_lanes_avx512(__m512 v) noexcept {
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, v);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

template <int Rows>
BEAMLET_AVX512 void tile_avx512(const gemm_tile& t) noexcept {
  __m512 sum[Rows][2];
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    _mm_prefetch(reinterpret_cast<const char*>(t.c + i * t.c_stride), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(t.c + i * t.c_stride + 16), _MM_HINT_T0);
  }
  const float *a = t.a, *b = t.b;
  for (std::size_t left = t.depth; left > 0; --left, ++a, b += 32) {
    const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      const __m512 x = _mm512_set1_ps(a[i * t.a_stride]);
      sum[i][0] = _mm512_fmadd_ps(x, b0, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(x, b1, sum[i][1]);
    }
  }
  if (t.columns == 32) {
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i) {
      float* c = t.c + i * t.c_stride;
      if (t.add) {
        sum[i][0] = _mm512_add_ps(sum[i][0], _mm512_loadu_ps(c));
        sum[i][1] = _mm512_add_ps(sum[i][1], _mm512_loadu_ps(c + 16));
      }
      _mm512_storeu_ps(c, sum[i][0]);
      _mm512_storeu_ps(c + 16, sum[i][1]);
    }
    return;
  }
  const __mmask16 mask0 = first_lanes(t.columns);
  const __mmask16 mask1 = first_lanes(t.columns > 16 ? t.columns - 16 : 0);
#pragma GCC unroll 14
  for (int i = 0; i < Rows; ++i) {
    float* c = t.c + i * t.c_stride;
    if (t.add) {
      sum[i][0] = _mm512_add_ps(sum[i][0], _mm512_maskz_loadu_ps(mask0, c));
      sum[i][1] = _mm512_add_ps(sum[i][1], _mm512_maskz_loadu_ps(mask1, c + 16));
    }
    _mm512_mask_storeu_ps(c, mask0, sum[i][0]);
    _mm512_mask_storeu_ps(c + 16, mask1, sum[i][1]);
  }
}

template <int Rows>
BEAMLET_AVX512 void dots_avx512(const gemv_dots& d) noexcept {
  const float *rows = d.rows, *x = d.x;
  const std::ptrdiff_t stride = d.stride;
  const std::size_t depth = d.depth;
  __m512 sum[Rows][2];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  std::size_t p = 0;
  for (; p + 32 <= depth; p += 32) {
    const __m512 x0 = _mm512_loadu_ps(x + p), x1 = _mm512_loadu_ps(x + p + 16);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const float* row = rows + i * stride + p;
      sum[i][0] = _mm512_fmadd_ps(_mm512_loadu_ps(row), x0, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(_mm512_loadu_ps(row + 16), x1, sum[i][1]);
    }
  }
  for (; p < depth; p += 16) {
    const __mmask16 mask = first_lanes(depth - p);
    const __m512 x0 = _mm512_maskz_loadu_ps(mask, x + p);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i)
      sum[i][0] =
          _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, rows + i * stride + p), x0, sum[i][0]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i)
    d.out[i] = sum_of_lanes_avx512(_mm512_add_ps(sum[i][0], sum[i][1]));
}

template <int Rows>
BEAMLET_AVX512 void sums_avx512(const gemv_sums& s) noexcept {
  const float* rows = s.rows;
  std::size_t j = 0;
  for (; j + 64 <= s.width; j += 64) {  // a line's neighbours at once: rows may be pages apart
    __m512 sum[4];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v)
      sum[v] = s.add ? _mm512_loadu_ps(s.out + j + 16 * v) : _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const float* row = rows + i * s.stride + j;
      const __m512 x = _mm512_set1_ps(s.x[i]);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < 4; ++v)
        sum[v] = _mm512_fmadd_ps(_mm512_loadu_ps(row + 16 * v), x, sum[v]);
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) _mm512_storeu_ps(s.out + j + 16 * v, sum[v]);
  }
  for (; j < s.width; j += 16) {
    const __mmask16 mask = first_lanes(s.width - j);
    __m512 sum = s.add ? _mm512_maskz_loadu_ps(mask, s.out + j) : _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
      sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, rows + i * s.stride + j),
                            _mm512_set1_ps(s.x[i]), sum);
    _mm512_mask_storeu_ps(s.out + j, mask, sum);
  }
}

#undef BEAMLET_AVX512

}  // namespace

const gemm_kernels gemm_kernels_avx512 = {
    .rows = 14,
    .columns = 32,
    // 28 KiB of A, of the 48 KiB that cores with full-width AVX-512 have as L1 cache: 512 was the
    // quickest of 256, 384, 512 and 1024 on Zen 5, by up to 5 %, for it visits C half as often.
    .depth = 512,
    .chunk_columns = 256,   // 512 KiB of B, half of the L2 cache of the same cores
    .block_columns = 2048,  // 4 MiB
    .block_rows = 256,      // 540 KiB
    .tiles = {tile_avx512<1>, tile_avx512<2>, tile_avx512<3>, tile_avx512<4>, tile_avx512<5>,
              tile_avx512<6>, tile_avx512<7>, tile_avx512<8>, tile_avx512<9>, tile_avx512<10>,
              tile_avx512<11>, tile_avx512<12>, tile_avx512<13>, tile_avx512<14>},
    .dots = dots_avx512<gemm_kernels::dots_rows>,
    .one_dot = dots_avx512<1>,
    .sums = sums_avx512<gemm_kernels::sums_rows>,
    .one_sum = sums_avx512<1>,
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
