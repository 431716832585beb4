// SPDX-License-Identifier: Apache-2.0
// What suits a driver that computes on the processor: an item makes some rows and four columns of C in
// registers, from vectors of four in memory, and shares nothing. Rows of A, B and C begin at multiples
// of four floats.
#include "dialect.h"

#define MEMORY_vec4 vec4
PARAMETERS(uint m; uint n4; uint k4; uint batches; uint first[4]; uint a_row4; uint b_row4;
           int bias_stride; uint size[3]; int a_batch4[4]; int b_batch4[4];)
CONSTANT(2, rows, 16)
CONSTANT(3, has_bias, 0)  // 1: of columns, 2: of rows

KERNEL(matmul_vec4, IN(0, vec4, in_a) IN(1, vec4, in_b) IN(2, f32, in_bias) OUT(3, vec4, out_c), )
  uint j = GLOBAL(0), i = GROUP(1) * rows;
  if (j >= p.n4) return;
  for (uint z = GROUP(2); z < p.batches; z += GLOBAL_COUNT(2)) {
    int at_a = int(p.first[0]), at_b = int(p.first[1]);
    uint rest = z;
    for (int d = 0; d < 4; ++d) {
      int index = int(d < 3 ? rest % p.size[d] : rest);
      rest = d < 3 ? rest / p.size[d] : 0u;
      at_a += index * p.a_batch4[d];
      at_b += index * p.b_batch4[d];
    }
    vec4 start = vec4(0);
    if (has_bias == 1)
      for (int c = 0; c < 4; ++c) start[c] = in_bias[int(p.first[2]) + int(4 * j + c) * p.bias_stride];
    vec4 sum[rows];
    for (uint r = 0; r < rows; ++r) {
      sum[r] = start;
      if (has_bias == 2) sum[r] = vec4(in_bias[int(p.first[2]) + int(min(i + r, p.m - 1)) * p.bias_stride]);
    }
    for (uint q = 0; q < p.k4; ++q) {
      uint b = at_b + 4 * q * p.b_row4 + j;
      vec4 b0 = in_b[b], b1 = in_b[b + p.b_row4], b2 = in_b[b + 2 * p.b_row4], b3 = in_b[b + 3 * p.b_row4];
      for (uint r = 0; r < rows; ++r) {
        vec4 a = in_a[at_a + min(i + r, p.m - 1) * p.a_row4 + q];
        sum[r] += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
      }
    }
    for (uint r = 0; r < rows; ++r)
      if (i + r < p.m) out_c[p.first[3] + (z * p.m + i + r) * p.n4 + j] = sum[r];
  }
END
