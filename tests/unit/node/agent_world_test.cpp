// SPDX-License-Identifier: Apache-2.0
// Random sessions against the whole agent, from seeds.
#include <doctest/doctest.h>

#include "agent_world.hpp"

namespace {
using namespace agent_test;
}

TEST_CASE("random sessions read right bytes only, and leave nothing") {
  std::size_t reads = 0, deaths = 0, executions = 0, errors = 0, spilling = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    agent_world w(seed);
    w.run(2500);
    CHECK(w.wrong == "");
    reads += w.reads;
    deaths += w.deaths;
    executions += w.executions;
    errors += w.errors;
    spilling += w.spilled > 0;
  }
  // That it went where it was meant to go.
  CHECK(reads > 10'000);
  CHECK(deaths > 500);
  CHECK(executions > 5'000);
  CHECK(errors > 500);
  CHECK(spilling > 50);
}

TEST_CASE("the same seed makes the same run") {
  for (std::uint64_t seed = 300; seed < 310; ++seed) {
    CAPTURE(seed);
    agent_world first(seed), second(seed);
    first.run(1000);
    second.run(1000);
    CHECK(first.trace == second.trace);
    CHECK(first.reads == second.reads);
  }
}
