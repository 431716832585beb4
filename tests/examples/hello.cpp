// SPDX-License-Identifier: Apache-2.0
// Two tasks run side by side on all cores; a third takes their results.
#include <beamlet/beamlet.hpp>

#include <cstdint>
#include <iostream>

std::int64_t sum(std::int64_t from, std::int64_t to) {
  std::int64_t total = 0;
  for (std::int64_t n = from; n < to; ++n) total += n;
  return total;
}
std::int64_t add(std::int64_t a, std::int64_t b) { return a + b; }

int main() {
  auto rt = beamlet::runtime::start().value();
  auto low = rt.task(sum).remote(0, 500'000);  // returns at once
  auto high = rt.task(sum).remote(500'000, 1'000'000);
  auto all = rt.task(add).remote(low, high);  // waits for both, holds no thread meanwhile
  std::cout << "the sum is " << rt.get(all).value() << '\n';
}
