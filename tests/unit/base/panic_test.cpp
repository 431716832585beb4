// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string_view>

#include "panics.hpp"

TEST_CASE("a violated assertion reaches the embedder's handler with its place") {
  int zero = 0;
  int line = 0;
  bool panicked = panic_test::panics([&] {
    line = __LINE__ + 1;
    BEAMLET_ASSERT(zero == 1, "zero is one");
  });
  CHECK(panicked);
  CHECK(std::string_view(panic_test::seen.condition) == "zero == 1");
  CHECK(std::string_view(panic_test::seen.message) == "zero is one");
  CHECK(std::string_view(panic_test::seen.file).ends_with("panic_test.cpp"));
  CHECK(panic_test::seen.line == line);
}

TEST_CASE("an assertion that holds does nothing and evaluates once") {
  int evaluated = 0;
  CHECK_FALSE(panic_test::panics([&] { BEAMLET_ASSERT(++evaluated == 1, "once"); }));
  CHECK(evaluated == 1);
}

TEST_CASE("installing a panic handler returns the one before") {
  beamlet::panic_handler mine = [](const beamlet::panic_info&) {};
  auto before = beamlet::set_panic_handler(mine);
  CHECK((beamlet::set_panic_handler(before) == mine));
}
