// SPDX-License-Identifier: Apache-2.0
// The model finds what was planted. Built with BEAMLET_CHAOS.
#include "tests/unit/store/model.hpp"

#include <doctest/doctest.h>

#include "base/rng.hpp"
#include "store/chaos.hpp"

namespace {
using store_test::st::chaos::bug;

/// The seeds of a hundred in which the model complains.
int seeds_that_find(bug which) {
  store_test::st::chaos::planted_bugs = static_cast<std::uint32_t>(which);
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    beamlet::base::rng random(seed);
    store_test::model m(
        store_test::tiny_options(), [&](std::uint32_t bound) { return random.below(bound); }, 0);
    for (int i = 0; i < 300 && m.complaint().empty(); ++i) m.step();
    found += !m.complaint().empty();
  }
  store_test::st::chaos::planted_bugs = 0;
  return found;
}
}  // namespace

TEST_CASE("without a planted bug the model has nothing to say") {
  CHECK(seeds_that_find(bug::none) == 0);
}
TEST_CASE("the model finds a double free") { CHECK(seeds_that_find(bug::double_free) > 10); }
TEST_CASE("the model finds a lost release") { CHECK(seeds_that_find(bug::lost_release) > 10); }
TEST_CASE("the model finds a torn spill record") { CHECK(seeds_that_find(bug::torn_record) > 10); }
TEST_CASE("the model finds an unpinned read") { CHECK(seeds_that_find(bug::unpinned_read) > 10); }
