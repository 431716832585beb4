// SPDX-License-Identifier: Apache-2.0
// A remote function takes as many arguments as it has parameters.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

int add(int a, int b) { return a + b; }
auto call(const beamlet::runtime& rt) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return rt.task(add).remote(1);
#else
  return rt.task(add).remote(1, 2);
#endif
}
