// SPDX-License-Identifier: Apache-2.0
// An object is immutable: nobody gets it as T&.
#include <beamlet/beamlet.hpp>

#include <string>
#include <vector>

#ifdef BEAMLET_MUST_NOT_COMPILE
int change(std::string& text) { return static_cast<int>(text.size()); }
#else
int change(const std::string& text) { return static_cast<int>(text.size()); }
#endif
auto call(const beamlet::runtime& rt) { return rt.task(change).remote(rt.put(std::string("x"))); }
