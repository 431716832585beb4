// SPDX-License-Identifier: Apache-2.0
// The unit that only includes.
#include <beamlet/beamlet.hpp>

beamlet::error make_error();

int main() {
  const beamlet::result<int> failed = make_error();
  return failed.error().message() == "from the other unit" ? 0 : 1;
}
