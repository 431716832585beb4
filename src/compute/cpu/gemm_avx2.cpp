// SPDX-License-Identifier: Apache-2.0
// 6 x 16: 12 accumulators, two vectors of B and one or two broadcasts of A fill the 16 registers.
#include "compute/cpu/gemm_kernels.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

#include <algorithm>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_AVX2 __attribute__((target("avx2,fma")))

// All bits set in the first `count` lanes.
BEAMLET_AVX2 inline __m256i first_lanes_avx2(std::size_t count) noexcept {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int end = static_cast<int>(std::min<std::size_t>(count, 8));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(end), lanes);
}

BEAMLET_AVX2 inline float sum_of_lanes(__m256 v) noexcept {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

template <int Rows>
BEAMLET_AVX2 void tile_avx2(const gemm_tile& t) noexcept {
  __m256 sum[Rows][2];
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    _mm_prefetch(reinterpret_cast<const char*>(t.c + i * t.c_stride), _MM_HINT_T0);
  }
  const float *a = t.a, *b = t.b;
  for (std::size_t left = t.depth; left > 0; --left, ++a, b += 16) {
    const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (int i = 0; i < Rows; ++i) {
      const __m256 x = _mm256_broadcast_ss(a + i * t.a_stride);
      sum[i][0] = _mm256_fmadd_ps(x, b0, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(x, b1, sum[i][1]);
    }
  }
  const __m256i mask0 = first_lanes_avx2(t.columns);
  const __m256i mask1 = first_lanes_avx2(t.columns > 8 ? t.columns - 8 : 0);
#pragma GCC unroll 6
  for (int i = 0; i < Rows; ++i) {
    float* c = t.c + i * t.c_stride;
    if (t.add) {
      sum[i][0] = _mm256_add_ps(sum[i][0], _mm256_maskload_ps(c, mask0));
      sum[i][1] = _mm256_add_ps(sum[i][1], _mm256_maskload_ps(c + 8, mask1));
    }
    if (t.columns == 16) {  // a masked store is slow on some processors
      _mm256_storeu_ps(c, sum[i][0]);
      _mm256_storeu_ps(c + 8, sum[i][1]);
    } else {
      _mm256_maskstore_ps(c, mask0, sum[i][0]);
      _mm256_maskstore_ps(c + 8, mask1, sum[i][1]);
    }
  }
}

template <int Rows>
BEAMLET_AVX2 void dots_avx2(const gemv_dots& d) noexcept {
  const float *rows = d.rows, *x = d.x;
  const std::ptrdiff_t stride = d.stride;
  const std::size_t depth = d.depth;
  __m256 sum[Rows][2];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = _mm256_setzero_ps();
  std::size_t p = 0;
  for (; p + 16 <= depth; p += 16) {
    const __m256 x0 = _mm256_loadu_ps(x + p), x1 = _mm256_loadu_ps(x + p + 8);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const float* row = rows + i * stride + p;
      sum[i][0] = _mm256_fmadd_ps(_mm256_loadu_ps(row), x0, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(_mm256_loadu_ps(row + 8), x1, sum[i][1]);
    }
  }
  for (; p < depth; p += 8) {
    const __m256i mask = first_lanes_avx2(depth - p);
    const __m256 x0 = _mm256_maskload_ps(x + p, mask);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i)
      sum[i][0] = _mm256_fmadd_ps(_mm256_maskload_ps(rows + i * stride + p, mask), x0, sum[i][0]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) d.out[i] = sum_of_lanes(_mm256_add_ps(sum[i][0], sum[i][1]));
}

template <int Rows>
BEAMLET_AVX2 void sums_avx2(const gemv_sums& s) noexcept {
  const float* rows = s.rows;
  std::size_t j = 0;
  for (; j + 32 <= s.width; j += 32) {  // a line's neighbours at once: rows may be pages apart
    __m256 sum[4];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v)
      sum[v] = s.add ? _mm256_loadu_ps(s.out + j + 8 * v) : _mm256_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const float* row = rows + i * s.stride + j;
      const __m256 x = _mm256_broadcast_ss(s.x + i);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < 4; ++v)
        sum[v] = _mm256_fmadd_ps(_mm256_loadu_ps(row + 8 * v), x, sum[v]);
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) _mm256_storeu_ps(s.out + j + 8 * v, sum[v]);
  }
  for (; j < s.width; j += 8) {
    const __m256i mask = first_lanes_avx2(s.width - j);
    __m256 sum = s.add ? _mm256_maskload_ps(s.out + j, mask) : _mm256_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
      sum = _mm256_fmadd_ps(_mm256_maskload_ps(rows + i * s.stride + j, mask),
                            _mm256_broadcast_ss(s.x + i), sum);
    _mm256_maskstore_ps(s.out + j, mask, sum);
  }
}

#undef BEAMLET_AVX2

}  // namespace

const gemm_kernels gemm_kernels_avx2 = {
    .rows = 6,
    .columns = 16,
    .depth = 256,           // 6 KiB of A beside a panel of 16 KiB in an L1 cache of 32 KiB
    .chunk_columns = 128,   // 128 KiB of B, half of the smallest L2 cache with AVX2
    .block_columns = 2048,  // 2 MiB
    .block_rows = 128,      // 136 KiB
    .tiles = {tile_avx2<1>, tile_avx2<2>, tile_avx2<3>, tile_avx2<4>, tile_avx2<5>, tile_avx2<6>},
    .dots = dots_avx2<gemm_kernels::dots_rows>,
    .one_dot = dots_avx2<1>,
    .sums = sums_avx2<gemm_kernels::sums_rows>,
    .one_sum = sums_avx2<1>,
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
