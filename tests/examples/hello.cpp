// SPDX-License-Identifier: Apache-2.0
// Two tasks run side by side on all cores; a third takes their results.
#include <beamlet/beamlet.hpp>

#include <iostream>

long sum(long from, long to) {
  long total = 0;
  for (long n = from; n < to; ++n) total += n;
  return total;
}
long add(long a, long b) { return a + b; }

int main() {
  auto rt = beamlet::runtime::start().value();
  auto low = rt.task(sum).remote(0, 500'000);  // returns at once
  auto high = rt.task(sum).remote(500'000, 1'000'000);
  auto all = rt.task(add).remote(low, high);  // waits for both, holds no thread meanwhile
  std::cout << "the sum is " << rt.get(all).value() << '\n';
}
