// SPDX-License-Identifier: Apache-2.0
// Store, fence, load on two threads at once: at least one sees the other's store. A missing barrier
// on either side fails here within a few thousand rounds on a machine with two cores.
#include <doctest/doctest.h>

#include <vector>

#include "ports/threads.hpp"
#include "tests/unit/ports/running.hpp"

namespace {
using namespace beamlet;
using word = std::atomic<std::uint32_t>;

#if defined(__x86_64__)
constexpr std::uint32_t fence_rounds = 200'000;
#else
constexpr std::uint32_t fence_rounds = 20'000;  // often under emulation
#endif

struct alignas(128) line {
  word value{0};
};

struct duel {
  line x, y, arrived;
  std::vector<std::uint32_t> light_saw = std::vector<std::uint32_t>(fence_rounds);
  std::vector<std::uint32_t> heavy_saw = std::vector<std::uint32_t>(fence_rounds);

  // Both leave at about the same time; spinning gives way to a side that has no core.
  void meet(std::uint32_t round) {
    arrived.value.fetch_add(1, std::memory_order_acq_rel);
    for (unsigned spins = 1; arrived.value.load(std::memory_order_acquire) < 2 * round; ++spins) {
      spins % 256 == 0 ? ports::yield() : ports::pause();
    }
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

std::uint32_t fight() {
  duel both;
  running light([&] { both.light_side(); });
  both.heavy_side();
  light.join();
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
