#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Products of N x N matrices by ncnn's Gemm layer on the first Vulkan device, for the rows beside it.

ncnn_products.py [THREADS [ROUNDS [N...]]]   lavapipe gets THREADS.

Needs PyPI's ncnn and numpy. Numbers are stored and added as 32 bits; B is the layer's own weights,
packed before, as a network has it. The time holds the copies to the device and back, which are
less than a hundredth of it on lavapipe. Printed are median and best of the rounds in GFLOP/s, by
the processor's time when there is one thread; results are checked against numpy.
"""
import os
import sys
import tempfile
import time

threads, rounds, *sizes = (list(map(int, sys.argv[1:])) + [1, 7][len(sys.argv) - 1:])
os.environ["LP_NUM_THREADS"] = str(threads)  # before the driver is loaded

import ncnn  # noqa: E402
import numpy as np  # noqa: E402

clock = time.process_time if threads == 1 else time.monotonic


def network(b):
    """x -> x b, with b as the Gemm layer's constant."""
    n = len(b)
    folder = tempfile.mkdtemp()
    param, weights = folder + "/net.param", folder + "/net.bin"
    with open(param, "w") as out:
        # 3: transposed B, 5: constant B, 8: N, 9: K, 10: no C
        out.write(f"7767517\n2 2\nInput in 0 1 in\nGemm gemm 1 1 in out 3=0 5=1 8={n} 9={n} 10=-1\n")
    with open(weights, "wb") as out:
        out.write(b"\0\0\0\0" + b.tobytes())  # a flag: plain 32 bit numbers
    net = ncnn.Net()
    net.opt.use_vulkan_compute = True
    net.opt.num_threads = threads
    for name in dir(net.opt):
        if name.startswith(("use_fp16", "use_bf16", "use_int8")):
            setattr(net.opt, name, False)
    assert net.load_param(param) == 0 and net.load_model(weights) == 0
    for file in (param, weights):
        os.remove(file)
    os.rmdir(folder)
    return net


def product(net, a):
    extractor = net.create_extractor()
    extractor.input("in", a)
    failed, c = extractor.extract("out")
    assert failed == 0
    return c


if ncnn.get_gpu_count() == 0:
    sys.exit("ncnn finds no Vulkan device")
print(f"\nncnn {ncnn.__version__}, {ncnn.get_gpu_info(0).device_name()}, {threads} threads\n")
print("| N x N x N | median GFLOP/s | best | first call |\n|---|---|---|---|")
random = np.random.default_rng(1)
for n in sizes or (512, 1024):
    a, b = (random.random((n, n), dtype=np.float32) - 0.5 for _ in range(2))
    net, mat = network(b), ncnn.Mat(a)
    start = clock()
    c = np.array(product(net, mat))
    first = clock() - start
    expected = a.astype(np.float64) @ b.astype(np.float64)
    worst = np.abs(c - expected).max()
    assert worst < 1e-3, f"{n}: off by {worst}"
    seconds = []
    for _ in range(rounds):
        start = clock()
        product(net, mat)
        seconds.append(clock() - start)
    gflop = 2e-9 * n**3
    print(f"| {n} | {gflop / sorted(seconds)[rounds // 2]:.2f} | {gflop / min(seconds):.2f} "
          f"| {first * 1e3:.0f} ms |", flush=True)
