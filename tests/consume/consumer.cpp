// SPDX-License-Identifier: Apache-2.0
// The program of every consumer project: it includes, links and runs something that is compiled.
#include <beamlet/base/result.hpp>

int main() {
  const beamlet::result<int> failed = beamlet::errc::timeout;
  return failed.error().message() == "timed out" ? 0 : 1;
}
