// SPDX-License-Identifier: Apache-2.0
// Memory runs out in node_state: what throws is not used any more, and can be destroyed.
#include <doctest/doctest.h>

#include <new>

#include "base/rng.hpp"
#include "tests/unit/cluster/world_steps.hpp"
#include "tests/unit/heap.hpp"
#include "tests/unit/seeds.hpp"

namespace node_state_heap_faults {

TEST_CASE("a node_state in which memory ran out can be destroyed") {
  std::uint64_t faults = 0;
  for (std::uint64_t seed = 1; seed <= seeds(2000); ++seed) {
    CAPTURE(seed);
    beamlet::base::rng random(seed);
    cluster_world::world w(seed);
    heap::fail_at(1 + random.below(20'000));
    try {
      heap::counting all(true);
      w.run(300);
    } catch (const std::bad_alloc&) {
      ++faults;
    }
    heap::fail_at(0);
    CHECK(w.wrong == "");
  }
  CHECK(faults > seeds(1000));
}

}  // namespace node_state_heap_faults
