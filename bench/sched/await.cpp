// SPDX-License-Identifier: Apache-2.0

// `co_await` of a ready ref against a plain call through a pointer, in one process and in turn.

#include <beamlet/beamlet.hpp>
#include <cstdlib>
#include <utility>

#include "measure.hpp"

namespace {

constexpr long count = 10'000'000;

beamlet::async<long> awaits(beamlet::ref<int> ref) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += co_await ref;
  co_return sum;
}

int one() { return 1; }
int (*volatile function)() = one;

long calls() {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += function();
  return sum;
}

void awaiting() {
  auto started = beamlet::runtime::start({.workers = 1});
  if (!started.has_value()) std::exit(3);
  auto rt = std::move(*started);
  auto ref = rt.put(1);
  bench::measure([&] { return rt.get(rt.task(awaits).remote(ref)).value_or(0); });
}
void calling() { bench::measure(calls); }

}  // namespace

int main(int argc, char** argv) {
  return bench::run_row(argc, argv, {{"await", awaiting}, {"call", calling}});
}
