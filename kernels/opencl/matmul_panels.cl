// SPDX-License-Identifier: Apache-2.0
// What suits a processor's vectors and caches: an item makes a few rows and two vectors of columns of
// C in registers, from panels that matmul_pack made, for one block of the depth. The first block
// writes C, the others add to it. There is no local memory, and a group is one item.
#include "dialect.h"

PARAMETERS(uint m; uint n; uint row_panels; uint column_panels; uint chunks; uint begin; uint depth; uint a_batch;
           uint b_batch; uint first_c; uint first_bias; int bias_stride; uint has_bias;)
#define ROWS CONSTANT_2
#define LANES CONSTANT_3
#define COLUMNS (2 * LANES)
#define VECTOR PASTE(float, LANES)
#define LOAD PASTE(vload, LANES)
#define STORE PASTE(vstore, LANES)

#define ROWS_4(DO) DO(0) DO(1) DO(2) DO(3)
#define ROWS_6(DO) ROWS_4(DO) DO(4) DO(5)
#define ROWS_8(DO) ROWS_6(DO) DO(6) DO(7)
#define ROWS_12(DO) ROWS_8(DO) DO(8) DO(9) DO(10) DO(11)
#define ROWS_14(DO) ROWS_12(DO) DO(12) DO(13)
#define EACH_ROW(DO) PASTE(ROWS_, ROWS)(DO)

#define DECLARE(r) VECTOR c##r = left, d##r = right;
#define FROM_BIAS(r) c##r = d##r = (VECTOR)(in_bias[(int)p.first_bias + (int)min(i0 + r, p.m - 1) * p.bias_stride]);
#define FROM_C(r) c##r = LOAD(0, to + (r) * p.n), d##r = LOAD(1, to + (r) * p.n);
#define FROM_EDGE(r) c##r = LOAD(0, edge + (r) * COLUMNS), d##r = LOAD(1, edge + (r) * COLUMNS);
#define MULTIPLY(r) c##r = fma((VECTOR)(a[r]), b0, c##r), d##r = fma((VECTOR)(a[r]), b1, d##r);
#define TO_C(r) STORE(c##r, 0, to + (r) * p.n), STORE(d##r, 1, to + (r) * p.n);
#define TO_EDGE(r) STORE(c##r, 0, edge + (r) * COLUMNS), STORE(d##r, 1, edge + (r) * COLUMNS);

KERNEL(matmul_panels, IN(0, f32, in_a) IN(1, f32, in_b) IN(2, f32, in_bias) OUT(3, f32, out_c), )
  uint i = GLOBAL(1), j = GLOBAL(2) % p.chunks * GLOBAL_COUNT(0) + GLOBAL(0), z = GLOBAL(2) / p.chunks;
  if (j >= p.column_panels) return;
  uint i0 = i * ROWS, j0 = j * COLUMNS;
  __global const float* a = in_a + z * p.a_batch + (p.begin * p.row_panels + i * p.depth) * ROWS;
  __global const float* b = in_b + z * p.b_batch + (p.begin * p.column_panels + j * p.depth) * COLUMNS;
  __global float* to = out_c + p.first_c + (z * p.m + i0) * p.n + j0;
  uint rows = min(p.m - i0, (uint)ROWS), columns = min(p.n - j0, (uint)COLUMNS);
  bool whole = rows == ROWS && columns == COLUMNS;
  float edge[ROWS * COLUMNS];
  VECTOR left = 0, right = 0;
  if (p.has_bias == 1 && p.begin == 0) {
    for (uint q = 0; q < COLUMNS; ++q)
      edge[q] = q < columns ? in_bias[(int)p.first_bias + (int)(j0 + q) * p.bias_stride] : 0.0f;
    left = LOAD(0, edge), right = LOAD(1, edge);
  }
  EACH_ROW(DECLARE)
  if (p.has_bias == 2 && p.begin == 0) {  // of rows, not of columns
    EACH_ROW(FROM_BIAS)
  }
  if (p.begin > 0 && whole) {
    EACH_ROW(FROM_C)
  } else if (p.begin > 0) {
    for (uint r = 0; r < rows; ++r)
      for (uint q = 0; q < columns; ++q) edge[r * COLUMNS + q] = to[r * p.n + q];
    EACH_ROW(FROM_EDGE)
  }
  for (uint q = 0; q < p.depth; ++q, a += ROWS, b += COLUMNS) {
    VECTOR b0 = LOAD(0, b), b1 = LOAD(1, b);
    EACH_ROW(MULTIPLY)
  }
  if (whole) {
    EACH_ROW(TO_C)
  } else {
    EACH_ROW(TO_EDGE)
    for (uint r = 0; r < rows; ++r)
      for (uint q = 0; q < columns; ++q) to[r * p.n + q] = edge[r * COLUMNS + q];
  }
END
