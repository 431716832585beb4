// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/rng.hpp"
#include "sched/timers.hpp"

using namespace beamlet::sched;

namespace {
constexpr std::uint64_t never = ~std::uint64_t{0};
}  // namespace

TEST_CASE("timers come up in the order of their times, whatever order they were added in") {
  beamlet::base::rng random(1);
  std::vector<timer> timers(500);
  timer_heap heap;
  for (timer& t : timers) {
    t.when_ns = random.below(200);  // many at the same time
    REQUIRE(heap.add(t) != timer_heap::added::no_memory);
  }
  std::uint64_t last = 0;
  for (std::size_t n = 0; n < timers.size(); ++n) {
    CHECK(heap.size() == timers.size() - n);
    std::uint64_t earliest = heap.earliest();
    timer* t = heap.pop_due(earliest);
    REQUIRE(t != nullptr);
    CHECK(t->when_ns == earliest);
    CHECK(t->when_ns >= last);
    CHECK(t->index == timer::not_queued);
    last = t->when_ns;
  }
  CHECK(heap.earliest() == never);
  CHECK(heap.pop_due(never) == nullptr);
}

TEST_CASE("a timer is not due before its time") {
  timer_heap heap;
  timer t;
  t.when_ns = 100;
  heap.add(t);
  CHECK(heap.pop_due(99) == nullptr);
  CHECK(heap.pop_due(100) == &t);
}

TEST_CASE("adding tells when the loop must look earlier than it meant to") {
  timer_heap heap;
  timer late, early, between;
  late.when_ns = 30, early.when_ns = 10, between.when_ns = 20;
  CHECK(heap.add(late) == timer_heap::added::earliest);
  CHECK(heap.add(early) == timer_heap::added::earliest);
  CHECK(heap.add(between) == timer_heap::added::later);
}

TEST_CASE("a timer is taken out once, from any place, and the rest stays in order") {
  beamlet::base::rng random(2);
  std::vector<timer> timers(300);
  timer_heap heap;
  for (timer& t : timers) {
    t.when_ns = random.below(100);
    heap.add(t);
  }
  std::size_t left = timers.size();
  for (std::size_t i = 0; i < timers.size(); i += 3, --left) {
    CHECK(heap.remove(timers[i]));
    CHECK_FALSE(heap.remove(timers[i]));
  }
  std::uint64_t last = 0;
  while (timer* t = heap.pop_due(never)) {
    CHECK((t - timers.data()) % 3 != 0);
    CHECK(t->when_ns >= last);
    CHECK_FALSE(heap.remove(*t));
    last = t->when_ns;
    --left;
  }
  CHECK(left == 0);
}
