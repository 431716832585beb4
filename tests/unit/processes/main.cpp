// SPDX-License-Identifier: Apache-2.0
// A test program whose worker processes are itself.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <beamlet/runtime/child.hpp>

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  return doctest::Context(argc, argv).run();
}
