// SPDX-License-Identifier: Apache-2.0
// 8 x 8: 16 accumulators; 8 vectors hold four steps of each row of A, whose lanes are multiplied
// one by one, and two vectors hold a row of B: 26 of the 32 registers, and four products for each
// load.
#include "compute/cpu/gemm_kernels.hpp"

#if BEAMLET_NEON
#include <arm_neon.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// One step of the depth, with the lane of A's vectors that belongs to it.
template <int Rows, int Lane>
[[gnu::always_inline]] inline void step_neon(float32x4_t (&sum)[Rows][2],
                                             const float32x4_t (&x)[Rows], const float* b) {
  const float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4);
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = vfmaq_laneq_f32(sum[i][0], b0, x[i], Lane);
    sum[i][1] = vfmaq_laneq_f32(sum[i][1], b1, x[i], Lane);
  }
}

template <int Rows>
void tile_neon(const gemm_tile& t) noexcept {
  float32x4_t sum[Rows][2], x[Rows];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = vdupq_n_f32(0);
  const float *a = t.a, *b = t.b;
  std::size_t left = t.depth;
  for (; left >= 4; left -= 4, a += 4, b += 32) {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) x[i] = vld1q_f32(a + i * t.a_stride);
    step_neon<Rows, 0>(sum, x, b);
    step_neon<Rows, 1>(sum, x, b + 8);
    step_neon<Rows, 2>(sum, x, b + 16);
    step_neon<Rows, 3>(sum, x, b + 24);
  }
  for (; left > 0; --left, ++a, b += 8) {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) x[i] = vld1q_dup_f32(a + i * t.a_stride);
    step_neon<Rows, 0>(sum, x, b);
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
    float* c = t.c + i * t.c_stride;
    if (t.columns == 8) {
      vst1q_f32(c, t.add ? vaddq_f32(vld1q_f32(c), sum[i][0]) : sum[i][0]);
      vst1q_f32(c + 4, t.add ? vaddq_f32(vld1q_f32(c + 4), sum[i][1]) : sum[i][1]);
      continue;
    }
    float row[8];
    vst1q_f32(row, sum[i][0]);
    vst1q_f32(row + 4, sum[i][1]);
    for (std::size_t j = 0; j < t.columns; ++j) c[j] = t.add ? c[j] + row[j] : row[j];
  }
}

template <int Rows>
void dots_neon(const gemv_dots& d) noexcept {
  const float *rows = d.rows, *x = d.x;
  const std::ptrdiff_t stride = d.stride;
  const std::size_t depth = d.depth;
  float32x4_t sum[Rows][2];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = vdupq_n_f32(0);
  std::size_t p = 0;
  for (; p + 8 <= depth; p += 8) {
    const float32x4_t x0 = vld1q_f32(x + p), x1 = vld1q_f32(x + p + 4);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const float* row = rows + i * stride + p;
      sum[i][0] = vfmaq_f32(sum[i][0], vld1q_f32(row), x0);
      sum[i][1] = vfmaq_f32(sum[i][1], vld1q_f32(row + 4), x1);
    }
  }
  for (int i = 0; i < Rows; ++i) {
    float last = vaddvq_f32(vaddq_f32(sum[i][0], sum[i][1]));
    for (std::size_t q = p; q < depth; ++q)
      last += rows[i * stride + static_cast<std::ptrdiff_t>(q)] * x[q];
    d.out[i] = last;
  }
}

template <int Rows>
void sums_neon(const gemv_sums& s) noexcept {
  const float* rows = s.rows;
  const float* x = s.x;
  std::size_t j = 0;
  for (; j + 4 <= s.width; j += 4) {
    float32x4_t sum = s.add ? vld1q_f32(s.out + j) : vdupq_n_f32(0);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) sum = vfmaq_n_f32(sum, vld1q_f32(rows + i * s.stride + j), x[i]);
    vst1q_f32(s.out + j, sum);
  }
  for (; j < s.width; ++j) {
    float sum = s.add ? s.out[j] : 0;
    for (int i = 0; i < Rows; ++i)
      sum += x[i] * rows[i * s.stride + static_cast<std::ptrdiff_t>(j)];
    s.out[j] = sum;
  }
}

}  // namespace

const gemm_kernels gemm_kernels_neon = {
    .rows = 8,
    .columns = 8,
    .depth = 256,           // 8 KiB of A beside a panel of 8 KiB in an L1 cache of 32 KiB
    .chunk_columns = 128,   // 128 KiB of B: a core's share of the 512 KiB or 1 MiB of small boards
    .block_columns = 1024,  // 1 MiB
    .block_rows = 128,      // 136 KiB
    .tiles = {tile_neon<1>, tile_neon<2>, tile_neon<3>, tile_neon<4>, tile_neon<5>, tile_neon<6>,
              tile_neon<7>, tile_neon<8>},
    .dots = dots_neon<gemm_kernels::dots_rows>,
    .one_dot = dots_neon<1>,
    .sums = sums_neon<gemm_kernels::sums_rows>,
    .one_sum = sums_neon<1>,
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
