// SPDX-License-Identifier: Apache-2.0
// The random sessions find what was planted in the agent. Built with BEAMLET_CHAOS.
#include <doctest/doctest.h>

#include "agent_world.hpp"
#include "node/chaos.hpp"

namespace {
using beamlet::node::chaos::bug;

/// The seeds of so many in which something is wrong.
int seeds_that_find(bug which, std::uint64_t seeds = 40) {
  beamlet::node::chaos::planted_bug = which;
  int found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    agent_test::agent_world w(seed);
    w.run(2000);
    found += !w.wrong.empty();
  }
  beamlet::node::chaos::planted_bug = bug::none;
  return found;
}
}  // namespace

TEST_CASE("without a planted bug nothing is wrong") { CHECK(seeds_that_find(bug::none) == 0); }
TEST_CASE("memory that is used too early is found") {
  CHECK(seeds_that_find(bug::early_reuse, 120) > 1);
}
TEST_CASE("a place without its segment is found") { CHECK(seeds_that_find(bug::unseen_place) > 3); }
TEST_CASE("pins that are not given back are found") { CHECK(seeds_that_find(bug::lost_unpin) > 3); }
TEST_CASE("memory that is used again although a session reads it silently is found") {
  CHECK(seeds_that_find(bug::unseen_pins) > 3);
}
TEST_CASE("a lease that is not given back is found") {
  CHECK(seeds_that_find(bug::lost_unlease) > 3);
}
