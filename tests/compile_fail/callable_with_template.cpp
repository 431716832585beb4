// SPDX-License-Identifier: Apache-2.0
// A callable has one call operator, from which the parameters follow.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

auto call(const beamlet::runtime& rt) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return rt.task([](auto a) { return a; }).remote(1);
#else
  return rt.task([](int a) { return a; }).remote(1);
#endif
}
