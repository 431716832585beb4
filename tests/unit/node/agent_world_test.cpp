// SPDX-License-Identifier: Apache-2.0
// Random sessions against the whole agent, from seeds.
#include <doctest/doctest.h>
#include <beamlet/config.hpp>

#include "agent_world.hpp"

namespace {
using namespace agent_test;
// One thread, which the thread sanitizer slows down without finding anything in it.
constexpr std::uint64_t seeds = BEAMLET_THREAD_SANITIZER ? 20 : 200;
}  // namespace

TEST_CASE("random sessions read right bytes only, and leave nothing") {
  std::size_t reads = 0, deaths = 0, executions = 0, errors = 0, spilling = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
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
  CHECK(reads > 50 * seeds);
  CHECK(deaths > seeds * 5 / 2);
  CHECK(executions > 25 * seeds);
  CHECK(errors > seeds * 5 / 2);
  CHECK(spilling > seeds / 4);
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
