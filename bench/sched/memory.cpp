// SPDX-License-Identifier: Apache-2.0

// Bytes of a queued task, in a process of its own: ten million of them behind a worker that is
// kept busy, so that none runs meanwhile.

#include <beamlet/beamlet.hpp>
#include <cstdlib>
#include <semaphore>
#include <utility>

#include "measure.hpp"

namespace {

int next(int x) { return x + 1; }

void queued() {
  constexpr int count = 10'000'000;
  auto started = beamlet::runtime::start({.workers = 1});
  if (!started.has_value()) std::exit(3);
  auto rt = std::move(*started);
  std::binary_semaphore busy{0}, go{0};
  auto hold = rt.task([&] { busy.release(), go.acquire(); }).remote();
  busy.acquire();

  const long before = bench::resident_bytes();
  const double start = bench::now();
  for (int i = 0; i < count; ++i) rt.task(next).remote(i);
  const double seconds = bench::now() - start;
  const long bytes = bench::resident_bytes() - before;
  go.release();
  auto report = rt.stop({.drain = true});
  const long completed = report.has_value() ? static_cast<long>(report->completed) : 0;
  std::printf("bytes %.1f seconds %.3f check %ld\n", double(bytes) / count, seconds,
              completed - 1);  // the one that kept the worker busy
}

}  // namespace

int main(int argc, char** argv) { return bench::run_row(argc, argv, {{"queued", queued}}); }
