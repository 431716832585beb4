# SPDX-License-Identifier: Apache-2.0
"""Ray's put of a 1 GiB array from memory outside the store: prints the median's seconds.

Run by the Python in which Ray and numpy are installed; ray.put copies with several threads.
"""

import statistics
import time

import numpy
import ray

WARM_UP, REPEATS = 2, 5

ray.init(
    num_cpus=2, object_store_memory=4 << 30, include_dashboard=False, logging_level="ERROR"
)
array = numpy.ones(1 << 30, dtype=numpy.uint8)
taken = []
for _ in range(WARM_UP + REPEATS):
    start = time.perf_counter()
    ref = ray.put(array)
    taken.append(time.perf_counter() - start)
    del ref
print(statistics.median(taken[WARM_UP:]))
ray.shutdown()
