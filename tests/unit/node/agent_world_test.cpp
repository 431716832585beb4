// SPDX-License-Identifier: Apache-2.0
// Random sessions against the whole agent, from seeds.
#include <doctest/doctest.h>

#include "agent_world.hpp"
#include "tests/unit/seeds.hpp"

namespace agent_world_test {

using namespace agent_test;
constexpr std::uint64_t worlds = seeds(200);

TEST_CASE("random sessions read right bytes only, and leave nothing") {
  std::size_t reads = 0, silent_reads = 0, deaths = 0, executions = 0, errors = 0, spilling = 0;
  std::uint64_t runs = 0;
  for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
    CAPTURE(seed);
    agent_world w(seed);
    w.run(2500);
    CHECK(w.wrong == "");
    reads += w.reads;
    silent_reads += w.silent_reads;
    deaths += w.deaths;
    executions += w.executions;
    errors += w.errors;
    spilling += w.spilled > 0;
    runs += w.runs_told;
  }
  // That it went where it was meant to go.
  CHECK(reads + silent_reads > 50 * worlds);
  CHECK(silent_reads > 10 * worlds);
  CHECK(deaths > worlds * 5 / 2);
  CHECK(executions > 25 * worlds);
  CHECK(errors > worlds * 5 / 2);
  CHECK(spilling > worlds / 4);
  CHECK(runs > 25 * worlds);
}

TEST_CASE("the same seed makes the same run") {
  for (std::uint64_t seed = 300; seed < 300 + seeds(10); ++seed) {
    CAPTURE(seed);
    agent_world first(seed), second(seed);
    first.run(1000);
    second.run(1000);
    CHECK(first.trace == second.trace);
    CHECK(first.reads == second.reads);
  }
}

}  // namespace agent_world_test
