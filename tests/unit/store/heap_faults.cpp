// SPDX-License-Identifier: Apache-2.0
// Memory runs out in the store: what throws is not used any more, and can be destroyed.
#include <doctest/doctest.h>

#include <new>

#include "base/rng.hpp"
#include "tests/unit/heap.hpp"
#include "tests/unit/seeds.hpp"
#include "tests/unit/store/model.hpp"

namespace store_heap_faults {

TEST_CASE("a store in which memory ran out can be destroyed") {
  std::uint64_t faults = 0;
  for (std::uint64_t seed = 1; seed <= seeds(600); ++seed) {
    CAPTURE(seed);
    beamlet::base::rng random(seed);
    store_test::model m(
        store_test::tiny_options(), [&](std::uint32_t bound) { return random.below(bound); }, 10);
    heap::fail_at(1 + random.below(3000));
    try {
      heap::counting all(true);
      for (int i = 0; i < 300 && m.complaint().empty(); ++i) m.step();
    } catch (const std::bad_alloc&) {
      ++faults;
    }
    heap::fail_at(0);
    CHECK(m.complaint() == "");
  }
  CHECK(faults > seeds(300));
}

}  // namespace store_heap_faults
