// SPDX-License-Identifier: Apache-2.0
// 4 x 8 in vectors of four, which the compiler turns into whatever the baseline of its target has:
// SSE2 on x86-64, single floats where there are no vectors.
#include <cstring>

#include "compute/cpu/gemm_kernels.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using four = float __attribute__((vector_size(16)));

void load_four(four& to, const float* from) { std::memcpy(&to, from, sizeof to); }
void store_four(float* to, const four& from) { std::memcpy(to, &from, sizeof from); }

template <int Rows>
void tile_scalar(const gemm_tile& t) noexcept {
  four sum[Rows][2] = {};
  const float *a = t.a, *b = t.b;
  for (std::size_t left = t.depth; left > 0; --left, ++a, b += 8) {
    four b0, b1;
    load_four(b0, b);
    load_four(b1, b + 4);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const float x = a[i * t.a_stride];
      sum[i][0] += x * b0;
      sum[i][1] += x * b1;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
    float row[8];
    store_four(row, sum[i][0]);
    store_four(row + 4, sum[i][1]);
    float* c = t.c + i * t.c_stride;
    if (t.add)
      for (std::size_t j = 0; j < t.columns; ++j) c[j] += row[j];
    else
      for (std::size_t j = 0; j < t.columns; ++j) c[j] = row[j];
  }
}

template <int Rows>
void dots_scalar(const gemv_dots& d) noexcept {
  for (int i = 0; i < Rows; ++i) {
    const float* row = d.rows + i * d.stride;
    four sum[4] = {};
    std::size_t p = 0;
    for (; p + 16 <= d.depth; p += 16) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < 4; ++v) {
        four r, x;
        load_four(r, row + p + 4 * v);
        load_four(x, d.x + p + 4 * v);
        sum[v] += r * x;
      }
    }
    sum[0] += sum[1] + sum[2] + sum[3];
    float last = sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
    for (; p < d.depth; ++p) last += row[p] * d.x[p];
    d.out[i] = last;
  }
}

template <int Rows>
void sums_scalar(const gemv_sums& s) noexcept {
  const float *rows = s.rows, *x = s.x;
  std::size_t j = 0;
  for (; j + 4 <= s.width; j += 4) {
    four sum = {};
    if (s.add) load_four(sum, s.out + j);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      four r;
      load_four(r, rows + i * s.stride + j);
      sum += x[i] * r;
    }
    store_four(s.out + j, sum);
  }
  for (; j < s.width; ++j) {
    float sum = s.add ? s.out[j] : 0;
    for (int i = 0; i < Rows; ++i)
      sum += x[i] * rows[i * s.stride + static_cast<std::ptrdiff_t>(j)];
    s.out[j] = sum;
  }
}

}  // namespace

const gemm_kernels gemm_kernels_scalar = {
    .rows = 4,
    .columns = 8,
    .depth = 256,           // 4 KiB of A beside a panel of 8 KiB: fits an L1 cache of 16 KiB
    .chunk_columns = 128,   // 128 KiB of B
    .block_columns = 1024,  // 1 MiB
    .block_rows = 64,       // 68 KiB
    .tiles = {tile_scalar<1>, tile_scalar<2>, tile_scalar<3>, tile_scalar<4>},
    .dots = dots_scalar<gemm_kernels::dots_rows>,
    .one_dot = dots_scalar<1>,
    .sums = sums_scalar<gemm_kernels::sums_rows>,
    .one_sum = sums_scalar<1>,
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
