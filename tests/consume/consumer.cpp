// SPDX-License-Identifier: Apache-2.0
// The program of every consumer project: it starts a runtime and gets the value of a task.
#include <beamlet/beamlet.hpp>

int main() {
  auto rt = beamlet::runtime::start({.workers = 2});
  if (!rt) return 1;
  beamlet::ref<int> three = rt->task([](int a, int b) { return a + b; }).remote(1, 2);
  return rt->get(three).value_or(0) == 3 ? 0 : 1;
}
