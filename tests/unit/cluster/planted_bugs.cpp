// SPDX-License-Identifier: Apache-2.0
// Against the library with BEAMLET_CHAOS: each planted bug must be found, or the world is blind.
#include <doctest/doctest.h>

#include "cluster/chaos.hpp"
#include "world_steps.hpp"

namespace {
namespace chaos = beamlet::cluster::chaos;

// The first of a thousand seeds that finds it, 0: none.
std::uint64_t seed_that_finds(chaos::bug which) {
  chaos::planted_bug = which;
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= 1000 && found == 0; ++seed) {
    cluster_world::world w(seed);
    w.run(500);
    if (!w.wrong.empty()) found = seed;
  }
  chaos::planted_bug = chaos::bug::none;
  return found;
}
}  // namespace

TEST_CASE("the world of one box finds nothing wrong with the library as it is") {
  CHECK(seed_that_finds(chaos::bug::none) == 0);
}

TEST_CASE("the world of one box finds a lost release") {
  CHECK(seed_that_finds(chaos::bug::lost_release) != 0);
}

TEST_CASE("the world of one box finds a release that counts twice") {
  CHECK(seed_that_finds(chaos::bug::double_release) != 0);
}

TEST_CASE("the world of one box finds an object freed while a mention is on its way") {
  CHECK(seed_that_finds(chaos::bug::early_free) != 0);
}

TEST_CASE("the world of one box finds the result of an old attempt") {
  CHECK(seed_that_finds(chaos::bug::late_result) != 0);
}

TEST_CASE("the world of one box finds a ref told with a value and not counted") {
  CHECK(seed_that_finds(chaos::bug::unmentioned) != 0);
}

TEST_CASE(
    "the world of one box finds resources that are lost with the program that borrowed them") {
  CHECK(seed_that_finds(chaos::bug::lost_loan) != 0);
}
