// SPDX-License-Identifier: Apache-2.0
// An actor is made with arguments that one of its constructors takes.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

struct counter {
  explicit counter(int start) : value(start) {}
  int value;
};
auto make(const beamlet::runtime& rt) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return rt.actor<counter>().remote(std::string("one"));
#else
  return rt.actor<counter>().remote(1);
#endif
}
