// SPDX-License-Identifier: Apache-2.0
// Another binary on the same box, with other functions.
#include <beamlet/runtime/child.hpp>

#include "tests/unit/boxes/fellow.hpp"

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  return argc == 3 ? boxes::be_fellow(argv[2]) : 1;
}
