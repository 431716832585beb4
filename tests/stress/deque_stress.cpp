// SPDX-License-Identifier: Apache-2.0
// One owner and several thieves at one deque: whatever is pushed is taken exactly once.

#include "stress.hpp"

#include <atomic>
#include <memory>

#include "sched/deque.hpp"

using beamlet::sched::cell;

namespace {

constexpr int items = stress::scaled(20'000);
constexpr unsigned thieves = 3;

/// The owner's life: bursts, mostly small ones so that owner and thieves meet at the last item.
template <class Take>
void push_and_pop(beamlet::sched::deque& q, cell* cells, std::uint64_t seed, Take take) {
  beamlet::base::rng random(seed);
  for (int next = 0; next < items;) {
    int burst = random.below(200) == 0 ? 3000 : 1 + static_cast<int>(random.below(4));
    for (; burst > 0 && next < items; --burst)
      if (q.push(&cells[next])) ++next;
    stress::delay();
    for (auto pops = random.below(5); pops > 0; --pops)
      if (cell* x = q.pop()) take(x);
    if (random.below(64) == 0) q.shrink();
  }
  while (q.size() > 0)
    if (cell* x = q.pop()) take(x);
}

/// How many items were not taken exactly once.
int miscounted(std::uint64_t seed, stress::bug planted) {
  stress::round round(seed, planted);
  auto cells = std::make_unique<cell[]>(items);
  auto taken = std::make_unique<std::atomic<int>[]>(items);
  beamlet::sched::deque q;
  std::atomic<bool> done{false};
  auto take = [&](cell* x) { taken[x - cells.get()].fetch_add(1, std::memory_order_relaxed); };
  stress::on_threads(1 + thieves, [&](unsigned i) {
    if (i == 0) {
      push_and_pop(q, cells.get(), seed, take);
      done.store(true);
    } else {
      while (!done.load(std::memory_order_relaxed))
        if (cell* x = q.steal()) take(x);
    }
  });
  int wrong = 0;
  for (int i = 0; i < items; ++i) wrong += taken[i].load() != 1;
  return wrong;
}

bool caught(stress::bug planted) {
  for (std::uint64_t seed : stress::seeds(50))
    if (miscounted(seed, planted) != 0) return true;
  return false;
}

}  // namespace

TEST_CASE("what an owner pushes and several thieves steal is taken exactly once") {
  beamlet::ports::prepare_asymmetric_fences();
  for (std::uint64_t seed : stress::seeds(12)) {
    INFO("BEAMLET_SEED=", seed);
    CHECK(miscounted(seed, stress::bug::none) == 0);
  }
}

TEST_CASE("a deque whose owner loads before its store is visible is caught") {
  beamlet::ports::prepare_asymmetric_fences();
  CHECK(caught(stress::bug::missing_fence));
}

TEST_CASE("a deque whose thieves keep what another has taken is caught") {
  beamlet::ports::prepare_asymmetric_fences();
  CHECK(caught(stress::bug::double_take));
}
