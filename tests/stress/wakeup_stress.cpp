// SPDX-License-Identifier: Apache-2.0
// Work that comes while the workers fall asleep is found, however late anybody looks.

#include "stress.hpp"

#include <chrono>

#include "ports/threads.hpp"

using namespace beamlet;

namespace {

constexpr int submissions = stress::scaled(3000);

/// Sends single tasks to workers that fall asleep in between; the first that nobody runs in
/// `patience` ends it.
bool all_are_run(std::uint64_t seed, stress::bug planted, std::chrono::nanoseconds patience) {
  auto rt = runtime::start({.workers = 2, .get_helps = help::nothing});
  REQUIRE(rt.has_value());
  stress::round round(seed, planted);
  for (int i = 0; i < submissions; ++i) {
    auto one = rt->task([](int x) { return x + 1; }).remote(i);
    auto got = rt->get(one, patience);
    if (!got.has_value()) return false;
    // A worker searches for some microseconds: the next task comes before, while or after it gives
    // up.
    for (auto spins = round.random.below(8000); spins > 0; --spins) ports::pause();
  }
  return true;
}

}  // namespace

TEST_CASE("a task that comes while the workers fall asleep is run") {
  for (std::uint64_t seed : stress::seeds(4)) {
    INFO("BEAMLET_SEED=", seed);
    CHECK(all_are_run(seed, stress::bug::none, std::chrono::seconds(60)));
  }
}

TEST_CASE("a worker that sleeps without looking once more is caught") {
  bool caught = false;
  for (std::uint64_t seed : stress::seeds(20))
    if (!caught) caught = !all_are_run(seed, stress::bug::lost_wakeup, std::chrono::seconds(2));
  CHECK(caught);
}
