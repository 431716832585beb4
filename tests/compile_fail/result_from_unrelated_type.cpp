// SPDX-License-Identifier: Apache-2.0
// A result<int> is made from an int, an error or an error code, and from nothing else.
#include <beamlet/base/result.hpp>

struct unrelated {};

beamlet::result<int> make() {
#ifdef BEAMLET_MUST_NOT_COMPILE
  return unrelated{};
#else
  return 1;
#endif
}
