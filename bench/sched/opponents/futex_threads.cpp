// SPDX-License-Identifier: Apache-2.0

// Two threads that hand one word to and fro, with one futex each way: the least that a round trip
// between threads costs.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "measure.hpp"

namespace {

struct alignas(64) gate {
  std::atomic<std::uint32_t> word{0};
  void open() {
    word.store(1, std::memory_order_release);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void pass() {
    while (word.load(std::memory_order_acquire) == 0)
      syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    word.store(0, std::memory_order_relaxed);
  }
};

/// `measure` is given one round trip.
template <class Measure>
void with_two_threads(Measure measure) {
  gate there, back;
  std::atomic<bool> over{false};
  int answer = 0;
  std::thread other([&] {
    for (;;) {
      there.pass();
      if (over.load(std::memory_order_relaxed)) return;
      answer = 1;
      back.open();
    }
  });
  measure([&]() -> long {
    there.open();
    back.pass();
    return answer;
  });
  over.store(true, std::memory_order_relaxed);
  there.open();
  other.join();
}

void round_trip() {
  with_two_threads([](auto trip) {
    bench::measure([&] {
      long sum = 0;
      for (int i = 0; i < 20'000; ++i) sum += trip();
      return sum;
    });
  });
}
void round_trip_paused() {
  with_two_threads([](auto trip) { bench::measure_paused(trip); });
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_row(argc, argv,
                        {{"round_trip", round_trip}, {"round_trip_paused", round_trip_paused}});
}
