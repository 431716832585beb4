// SPDX-License-Identifier: Apache-2.0
// Memory runs out in the agent, at each of its allocations: the agent ends in order, its sessions
// are told, and nothing is left.
#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>

#include "faulty_run.hpp"
#include "tests/unit/seeds.hpp"

namespace agent_heap_faults {
using namespace agent_test;

namespace {
std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Whether there was an n-th allocation to fail.
bool fails_at(std::uint64_t n, bool and_all_after, std::uint64_t& told) {
  CAPTURE(n);
  heap::fail_at(n, and_all_after);
  faulty_run r;
  r.run();
  const bool came = heap::has_failed();
  heap::fail_at(0);
  CHECK(r.wrong == "");
  if (!came) {
    CHECK(r.right == answers_in_all);
    return false;
  }
  if (!r.b.failed || and_all_after) return true;
  // Who was there was told why, unless there was no memory for that.
  for (auto& each : r.b.clients()) {
    if (!each->agent_failed) continue;
    CHECK(each->ended_with.code() == errc::no_memory);
    CHECK(each->ended_with.message() == "the agent ran out of memory");
    ++told;
  }
  return true;
}
}  // namespace

TEST_CASE("memory that runs out at any allocation of the agent ends it in order") {
  bool and_all_after = false;
  SUBCASE("where there is some again") {}
  SUBCASE("and stays away") { and_all_after = true; }
  const std::size_t descriptors = open_descriptors();
  std::uint64_t faults = 0, told = 0;
  // Every one in the plain build; some where a run takes a second.
  const std::uint64_t step = (and_all_after ? 3 : 1) * (seeds(100) < 100 ? 23 : 1);
  std::uint64_t n = 1;
  for (; fails_at(n, and_all_after, told); n += step) ++faults;
  CAPTURE(n);
  CHECK(faults * step > 1000);
  if (!and_all_after) CHECK(told > faults);
  CHECK(open_descriptors() == descriptors);
}

}  // namespace agent_heap_faults
