// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/kill9/client.hpp"

int main(int argc, char** argv) {
  if (kill9::is_client(argc, argv)) kill9::run_client(argv);
  return doctest::Context(argc, argv).run();
}
