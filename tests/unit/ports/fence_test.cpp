// SPDX-License-Identifier: Apache-2.0
// Store, fence, load on two threads at once: at least one sees the other's store. A missing barrier
// on either side fails here within a few thousand rounds on a machine with two cores.
#include <doctest/doctest.h>

#include <vector>

#include <sched.h>

#include "ports/threads.hpp"
#include "tests/unit/ports/running.hpp"

namespace fence_cases {

namespace {
using namespace beamlet;
using word = std::atomic<std::uint32_t>;

constexpr std::uint32_t fence_rounds = 10'000;

struct alignas(128) line {
  word value{0};
};

struct duel {
  line x, y, arrived, leaving;
  std::vector<std::uint32_t> light_saw = std::vector<std::uint32_t>(fence_rounds);
  std::vector<std::uint32_t> heavy_saw = std::vector<std::uint32_t>(fence_rounds);

  // Both leave at about the same time. Where the other side has no core, sleeping for it gets it
  // one at once on a busy machine, spinning or yielding does not; leaving together needs the spin
  // after it.
  void meet(std::uint32_t round) {
    if (arrived.value.fetch_add(1, std::memory_order_acq_rel) + 1 == 2 * round) {
      ports::wake_all(arrived.value);
    } else {
      spin(arrived.value, 2 * round, 100);
      for (std::uint32_t seen; (seen = arrived.value.load()) < 2 * round;) {
        ports::wait_on(arrived.value, seen, ports::forever);
      }
    }
    leaving.value.fetch_add(1, std::memory_order_acq_rel);
    while (!spin(leaving.value, 2 * round, 300)) ports::yield();
  }
  static bool spin(word& count, std::uint32_t enough, unsigned spins_max) {
    for (unsigned spins = 0; spins < spins_max; ++spins) {
      if (count.load(std::memory_order_acquire) >= enough) return true;
      ports::pause();
    }
    return false;
  }
  void light_side() {
    for (std::uint32_t round = 1; round <= fence_rounds; ++round) {
      meet(round);
      x.value.store(round, std::memory_order_relaxed);
      ports::light_fence();
      light_saw[round - 1] = y.value.load(std::memory_order_relaxed);
    }
  }
  void heavy_side() {
    for (std::uint32_t round = 1; round <= fence_rounds; ++round) {
      meet(round);
      y.value.store(round, std::memory_order_relaxed);
      ports::heavy_fence();
      heavy_saw[round - 1] = x.value.load(std::memory_order_relaxed);
    }
  }
  std::uint32_t rounds_unseen_by_both() const {
    std::uint32_t unseen = 0;
    for (std::uint32_t round = 1; round <= fence_rounds; ++round) {
      unseen += light_saw[round - 1] < round && heavy_saw[round - 1] < round;
    }
    return unseen;
  }
};

// The two sides on two processors, which on a busy machine the scheduler does not see to.
std::uint32_t fight() {
  cpu_set_t usable;
  REQUIRE(sched_getaffinity(0, sizeof usable, &usable) == 0);
  int cpus[2] = {-1, -1};
  if (CPU_COUNT(&usable) >= 2) {
    for (int cpu = 0, found = 0; found < 2; ++cpu) {
      if (CPU_ISSET(cpu, &usable)) cpus[found++] = cpu;
    }
  }
  duel both;
  running light([&] { both.light_side(); }, {.cpu = cpus[0]});
  running heavy([&] { both.heavy_side(); }, {.cpu = cpus[1]});
  light.join();
  heavy.join();
  return both.rounds_unseen_by_both();
}

TEST_CASE("the fences are prepared once, and the answer stays") {
  bool prepared = ports::prepare_asymmetric_fences();
  CHECK(ports::prepare_asymmetric_fences() == prepared);
  CHECK(ports::asymmetric_fences.load() == prepared);
  if (BEAMLET_THREAD_SANITIZER) CHECK_FALSE(prepared);
}

TEST_CASE("a light and a heavy fence leave no store unseen by both sides") {
  ports::prepare_asymmetric_fences();
  CHECK(fight() == 0);
}

TEST_CASE("where nothing could be prepared the fences hold as well") {
  bool prepared = ports::prepare_asymmetric_fences();
  ports::asymmetric_fences.store(false);
  CHECK(fight() == 0);
  ports::asymmetric_fences.store(prepared);
}

}  // namespace

}  // namespace fence_cases
