// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the stress tests share: seeds, random delays at the library's chaos points, and a watchdog
// that turns a hang into a failure which names its seed.
//
// BEAMLET_SEED replays one seed. BEAMLET_STRESS_ROUNDS multiplies the rounds (default 1).

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/rng.hpp"
#include "sched/chaos.hpp"

namespace stress {

using beamlet::sched::chaos::bug;

/// `count` fixed seeds for each of BEAMLET_STRESS_ROUNDS, or the one of BEAMLET_SEED.
std::vector<std::uint64_t> seeds(unsigned count);

/// True where a sanitizer makes everything slower: rounds do less then.
inline constexpr bool slow = BEAMLET_THREAD_SANITIZER || BEAMLET_ADDRESS_SANITIZER;
inline constexpr int scaled(int n) { return slow ? (n + 3) / 4 : n; }

/// One round under chaos: from here to the end of the scope threads are delayed at random where
/// they meet, `planted` is switched on, and a hang ends the program with the seed.
class round {
 public:
  explicit round(std::uint64_t seed, bug planted = bug::none);
  ~round();
  round(const round&) = delete;
  round& operator=(const round&) = delete;

  /// The round's own numbers, for the thread that made it.
  beamlet::base::rng random;

 private:
  void watch();

  std::uint64_t seed_;
  std::mutex lock_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread watchdog_;
};

/// A delay as at a chaos point, for the workload's own threads.
void delay();

/// Runs `body(i)` on `count` threads that start together, and waits for them.
void on_threads(unsigned count, const std::function<void(unsigned)>& body);

}  // namespace stress
