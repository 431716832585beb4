// SPDX-License-Identifier: Apache-2.0
// The small pieces on bare threads: waiters of a cell, the turn, the pool.

#include "stress.hpp"

#include <atomic>
#include <cstring>
#include <memory>

#include "beamlet/sched/cell.hpp"
#include "beamlet/sched/pool.hpp"
#include "beamlet/sched/turn.hpp"
#include "ports/threads.hpp"

using namespace beamlet::sched;

namespace {

struct counting_waiter : listener, waiter {
  std::atomic<int> fired{0};
  int removed = 0;
  counting_waiter() {
    fire = [](listener& self, cell&) noexcept {
      static_cast<counting_waiter&>(self).fired.fetch_add(1);
    };
    target = waiter::to_listener(*this);
  }
};

}  // namespace

TEST_CASE(
    "a waiter either fires once or is taken back, while others come, leave and the cell is "
    "sealed") {
  constexpr unsigned threads = 4;
  for (std::uint64_t seed : stress::seeds(4)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    for (int i = 0; i < stress::scaled(500); ++i) {
      cell x;
      counting_waiter waiters[threads];
      std::atomic<int> refused{0};
      stress::on_threads(threads, [&](unsigned t) {
        stress::delay();
        if (t == 0) return seal(x, cell::value);
        counting_waiter& w = waiters[t];
        if (!add_waiter(x, w)) refused.fetch_add(1);
        else if (t != 1) w.removed = remove_waiter(x, w);
      });
      int fired = 0, removed = 0;
      for (counting_waiter& w : waiters) {
        CHECK(w.fired.load() + w.removed <= 1);
        fired += w.fired.load();
        removed += w.removed;
      }
      REQUIRE(fired + removed + refused.load() == static_cast<int>(threads) - 1);
    }
  }
}

TEST_CASE("a turn is run by one thread at a time and no raise is forgotten") {
  constexpr unsigned threads = 4;
  for (std::uint64_t seed : stress::seeds(4)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    turn t;
    std::atomic<int> entries{0}, inside{0}, raised{0}, seen{0}, raising{threads};
    std::atomic<bool> overlapped{false};
    auto run = [&](bool cut_short) {
      do {
        if (inside.fetch_add(1) != 0) overlapped = true;
        stress::delay();
        seen.store(raised.load());
        inside.fetch_sub(1);
        if (cut_short) {
          if (t.leave_and_raise()) entries.fetch_add(1);
          return;
        }
        stress::delay();
      } while (!t.leave());
    };
    auto take_entry = [&] {
      int n = entries.load();
      while (n > 0 && !entries.compare_exchange_weak(n, n - 1)) {}
      return n > 0;
    };
    stress::on_threads(threads, [&](unsigned i) {
      beamlet::base::rng random(seed + i);
      for (int n = 0; n < stress::scaled(4000); ++n) {
        raised.fetch_add(1);
        if (t.raise()) entries.fetch_add(1);
        stress::delay();
        if (take_entry() && t.enter()) run(random.below(8) == 0);
        else if (random.below(4) == 0 && t.claim()) run(false);
      }
      raising.fetch_sub(1);
      while (raising.load() > 0 || t.is_running() || entries.load() > 0)
        if (take_entry() && t.enter()) run(false);
    });
    CHECK_FALSE(overlapped.load());
    CHECK(seen.load() == raised.load());
    CHECK_FALSE(t.is_wanted());
  }
}

TEST_CASE("blocks of the pool are nobody else's while they wander between threads") {
  constexpr std::size_t bytes = 96;
  constexpr unsigned threads = 4;
  for (std::uint64_t seed : stress::seeds(4)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    // Slots where one thread leaves a filled block and another takes it and frees it.
    std::atomic<void*> slots[64] = {};
    std::atomic<int> damaged{0};
    auto check_and_free = [&](void* block) {
      auto* b = static_cast<unsigned char*>(block);
      for (std::size_t i = 1; i < bytes; ++i) damaged.fetch_add(b[i] != b[0]);
      pool_put<bytes, 16>(block);
    };
    stress::on_threads(threads, [&](unsigned t) {
      beamlet::base::rng random(seed * threads + t);
      for (int n = 0; n < stress::scaled(40'000); ++n) {
        void* block = pool_get<bytes, 16>();
        std::memset(block, static_cast<int>(random.below(256)), bytes);
        void* old = slots[random.below(64)].exchange(block, std::memory_order_acq_rel);
        if (old != nullptr) check_and_free(old);
        if (random.below(1000) == 0) flush_pool();
        if (random.below(5000) == 0) trim_pool();
      }
    });
    for (auto& s : slots)
      if (void* block = s.load()) check_and_free(block);
    CHECK(damaged.load() == 0);
  }
}
