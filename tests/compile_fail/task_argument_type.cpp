// SPDX-License-Identifier: Apache-2.0
// An argument of a task converts to its parameter.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

std::size_t length(std::string text) { return text.size(); }
auto call(const beamlet::runtime& rt) {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return rt.task(length).remote(std::vector<int>{1});
#else
  return rt.task(length).remote("one");
#endif
}
