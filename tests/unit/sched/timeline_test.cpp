// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <vector>

#include "sched/timeline.hpp"

using namespace beamlet::sched;

namespace {
std::vector<std::uint64_t> starts(const timeline_ring& ring) {
  std::vector<std::uint64_t> all;
  ring.for_each([&](const timeline_record& r) { all.push_back(r.start_ns); });
  return all;
}
}  // namespace

TEST_CASE("a timeline ring returns what was added, oldest first") {
  timeline_ring ring(4);
  CHECK(starts(ring).empty());
  ring.add({100, timeline_record::duration_ns_max, 7});
  ring.add({200, 0, functions_max - 1});
  std::vector<timeline_record> all;
  ring.for_each([&](const timeline_record& r) { all.push_back(r); });
  REQUIRE(all.size() == 2);
  CHECK(all[0].start_ns == 100);
  CHECK(all[0].duration_ns == timeline_record::duration_ns_max);
  CHECK(all[0].function == 7);
  CHECK(all[1].duration_ns == 0);
  CHECK(all[1].function == functions_max - 1);
}

TEST_CASE("what was taken from a timeline ring is not taken again, and stays in it") {
  timeline_ring ring(3);
  auto taken = [&] {
    std::vector<std::uint64_t> all;
    ring.take([&](const timeline_record& r) { all.push_back(r.start_ns); });
    return all;
  };
  CHECK(taken().empty());
  ring.add({1, 1, 1});
  ring.add({2, 1, 1});
  CHECK(taken() == std::vector<std::uint64_t>{1, 2});
  CHECK(taken().empty());
  for (std::uint64_t i = 3; i <= 8; ++i) ring.add({i, 1, 1});
  CHECK(taken() == std::vector<std::uint64_t>{6, 7, 8});
  CHECK(starts(ring) == std::vector<std::uint64_t>{6, 7, 8});
}

TEST_CASE("a full timeline ring keeps the newest") {
  timeline_ring ring(3);
  for (std::uint64_t i = 1; i <= 8; ++i) ring.add({i, 1, 1});
  CHECK(starts(ring) == std::vector<std::uint64_t>{6, 7, 8});
}
