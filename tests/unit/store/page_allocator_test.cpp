// SPDX-License-Identifier: Apache-2.0
// Runs of pages, against a map with a byte per page.
#include "store/page_allocator.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/rng.hpp"

namespace page_allocator_test {

using beamlet::store::page_allocator;

std::uint32_t longest_free(const std::vector<char>& used) {
  std::uint32_t best = 0, run = 0;
  for (char page : used) best = std::max(best, run = page != 0 ? 0 : run + 1);
  return best;
}

void run_against_map(std::uint64_t seed, std::uint32_t pages, std::uint32_t longest) {
  beamlet::base::rng random(seed);
  page_allocator a(pages);
  a.free(0, pages);
  std::vector<char> used(pages);
  struct run {
    std::uint32_t first, count;
  };
  std::vector<run> runs;
  for (int i = 0; i < 2000; ++i) {
    if (random.below(5) < 3 || runs.empty()) {
      std::uint32_t count = 1 + random.below(longest), first = a.allocate(count);
      REQUIRE((first != page_allocator::none) == (count <= longest_free(used)));
      if (first == page_allocator::none) continue;
      for (std::uint32_t p = first; p < first + count; ++p) REQUIRE(used[p]++ == 0);
      runs.push_back({first, count});
    } else {
      std::uint32_t which = random.below(static_cast<std::uint32_t>(runs.size()));
      run& r = runs[which];
      std::uint32_t part = 1 + random.below(r.count);  // its end, or all of it
      a.free(r.first + r.count - part, part);
      std::fill_n(used.begin() + r.first + r.count - part, part, 0);
      if ((r.count -= part) == 0) runs.erase(runs.begin() + which);
    }
    if (i % 50 == 0) REQUIRE(a.audit());
    REQUIRE(a.free_pages() == static_cast<std::uint32_t>(std::count(used.begin(), used.end(), 0)));
  }
}

TEST_CASE("pages are given out exactly while a run of that length is free") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    run_against_map(seed, 200, 30);
    run_against_map(seed, 5000, 700);
  }
  run_against_map(1, 1, 2);
}

TEST_CASE("freed neighbours become one run again") {
  page_allocator a(96);
  a.free(0, 96);
  std::uint32_t first = a.allocate(32), second = a.allocate(32), third = a.allocate(32);
  CHECK(a.allocate(1) == page_allocator::none);
  a.free(first, 32);
  a.free(third, 32);
  CHECK(a.allocate(33) == page_allocator::none);
  a.free(second, 32);
  CHECK(a.allocate(96) == 0);
}

TEST_CASE("the smallest run that fits is cut") {
  page_allocator a(100);
  a.free(0, 20);
  a.free(30, 7);
  a.free(50, 12);
  CHECK(a.allocate(7) == 30);
  CHECK(a.allocate(11) == 50);
}

}  // namespace page_allocator_test
