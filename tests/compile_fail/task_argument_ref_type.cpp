// SPDX-License-Identifier: Apache-2.0
// The object of a ref converts to the parameter.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

int twice(int a) { return 2 * a; }
auto call(const beamlet::runtime& rt) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return rt.task(twice).remote(rt.put(std::string("two")));
#else
  return rt.task(twice).remote(rt.put(2));
#endif
}
