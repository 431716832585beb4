// SPDX-License-Identifier: Apache-2.0
// The sums that matmul_panels made, as halves.
#include "dialect.h"

PARAMETERS(uint count; uint first;)

KERNEL(matmul_halves, IN(0, f32, in_x) OUT(1, f16, out_x), )
  for (uint i = GLOBAL(0); i < p.count; i += GLOBAL_COUNT(0))
    WRITE(f16, out_x, p.first + i, in_x[i]);
END
