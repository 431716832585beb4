// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/unit/seeds.hpp"
#include "world_steps.hpp"

namespace world_test {

using cluster_world::world;

TEST_CASE("in any order of events nothing held is freed and nothing is left at the end") {
  std::size_t answers = 0, executions = 0, deaths = 0, losses = 0, actors = 0, retries = 0,
              told = 0, loans = 0;
  constexpr std::uint64_t worlds = seeds(3000);
  for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
    world w(seed, {.calls_ahead_max = static_cast<std::size_t>(seed % 3)});
    w.run(500);
    CAPTURE(seed);
    REQUIRE_MESSAGE(w.wrong.empty(), w.wrong);
    answers += w.answers;
    executions += w.executions;
    deaths += w.deaths;
    losses += w.losses;
    actors += w.actors_made;
    retries += w.retries;
    told += w.values_told;
    loans += w.loans;
  }
  // The seeds do reach what this is about.
  CHECK(answers > 5 * worlds / 3);
  CHECK(executions > 5 * worlds / 3);
  CHECK(deaths > worlds / 3);
  CHECK(losses > worlds / 30);
  CHECK(actors > worlds / 6);
  CHECK(retries > worlds / 6);
  CHECK(told > worlds / 3);
  CHECK(loans > worlds / 3);
}

TEST_CASE("one seed gives the same actions every time") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    world first(seed), second(seed);
    first.run(400);
    second.run(400);
    CHECK(first.trace == second.trace);
    world other(seed + 1000);
    other.run(400);
    CHECK(first.trace != other.trace);
  }
}

}  // namespace world_test
