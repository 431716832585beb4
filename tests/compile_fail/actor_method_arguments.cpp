// SPDX-License-Identifier: Apache-2.0
// A call to an actor passes what the method takes.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

struct counter {
  int value = 0;
  int add(int n) { return value += n; }
};
auto call(const beamlet::actor_handle<counter>& c) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return c.call(&counter::add, std::string("one"));
#else
  return c.call(&counter::add, 1);
#endif
}
