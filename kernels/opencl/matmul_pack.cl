// SPDX-License-Identifier: Apache-2.0
// A matrix in the order in which matmul_panels reads it, as floats: blocks of the depth, in each of
// them panels of `width` lines (rows of A, columns of B), in each of them its lines' numbers of one
// depth after the other. Lines past the last are zeros. An item makes 64 steps of one panel, 16
// at a time.
// T: what memory holds; -DSCALED: lines have a scale.
#include "dialect.h"

PARAMETERS(uint lines; uint k; uint panels; uint block; uint first[2]; int line_stride; int depth_stride;
           int scale_stride; uint size[3]; int batch[4];)
CONSTANT(2, width, 32)

#ifdef SCALED
#define SCALES IN(2, f32, in_scale)
#define SCALE_AT(line) READ(f32, in_scale, (int)p.first[1] + (int)(line) * p.scale_stride)
#else
#define SCALES
#define SCALE_AT(line) 1.0f
#endif

KERNEL(matmul_pack, IN(0, T, in_x) OUT(1, f32, out_x) SCALES, )
  uint panel = GLOBAL(1), z = GLOBAL(2), rest = z;
  uint line0 = panel * width, lines = min(p.lines - line0, (uint)width);
  int at_panel = (int)p.first[0] + (int)line0 * p.line_stride;
  for (int d = 0; d < 4; ++d) {
    int index = d < 3 ? rest % p.size[d] : rest;
    rest = d < 3 ? rest / p.size[d] : 0;
    at_panel += index * p.batch[d];
  }
  uint end = min(p.k, (uint)GLOBAL(0) * 64 + 64);
  for (uint begin = GLOBAL(0) * 64; begin < end; begin += 16) {
    uint steps = min(end - begin, 16u);
    int at = at_panel + (int)begin * p.depth_stride;
    // Blocks are of `block` steps, but for the last.
    uint start = begin / p.block * p.block, depth = min(p.block, p.k - start);
    __global float* to = out_x + (z * p.k + start) * p.panels * width +
                         (panel * depth + begin - start) * width;
    if (lines == width && steps == 16 && p.depth_stride == 1) {
      for (uint l = 0; l < width; ++l) {
        float scale = SCALE_AT(line0 + l), line[16];
        for (uint s = 0; s < 16; ++s) line[s] = READ(T, in_x, at + (int)l * p.line_stride + (int)s) * scale;
        for (uint s = 0; s < 16; ++s) to[s * width + l] = line[s];
      }
    } else if (lines == width && p.line_stride == 1) {
      for (uint s = 0; s < steps; ++s)
        for (uint l = 0; l < width; ++l)
          to[s * width + l] = READ(T, in_x, at + (int)s * p.depth_stride + (int)l) * SCALE_AT(line0 + l);
    } else {
      for (uint l = 0; l < width; ++l) {
        float scale = l < lines ? SCALE_AT(line0 + l) : 0.0f;
        int from = at + (int)l * p.line_stride;
        for (uint s = 0; s < steps; ++s)
          to[s * width + l] = l < lines ? READ(T, in_x, from + (int)s * p.depth_stride) * scale : 0.0f;
      }
    }
  }
END
