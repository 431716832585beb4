// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "ports/threads.hpp"
#include "tests/unit/ports/running.hpp"

namespace wait_cases {

namespace {
using namespace beamlet;
using ports::forever;
using word = std::atomic<std::uint32_t>;

constexpr std::uint64_t second = 1'000'000'000;

void wait_until_not(word& w, std::uint32_t value, std::uint64_t timeout_ns) {
  while (w.load(std::memory_order_acquire) == value) ports::wait_on(w, value, timeout_ns);
}

TEST_CASE("waiting for a value to change returns at once when it has") {
  word w{1};
  CHECK(ports::wait_on(w, 0, forever));
  CHECK(ports::wait_on(w, 0, 3600 * second));
  CHECK(ports::wait_on(w, 0, 0));
}

TEST_CASE("a wait ends at its time limit, not before") {
  word w{0};
  for (std::uint64_t limit_ns : {0, 1, 1'000'000, 5'000'000}) {
    auto start = std::chrono::steady_clock::now();
    while (ports::wait_on(w, 0, limit_ns)) start = std::chrono::steady_clock::now();
    auto waited = std::chrono::steady_clock::now() - start;
    CHECK(static_cast<std::uint64_t>(std::chrono::nanoseconds(waited).count()) >= limit_ns);
  }
}

TEST_CASE("a change followed by a wake reaches who waits, with a time limit and without") {
  for (std::uint64_t limit_ns : {forever, forever - 1, 3600 * second, second / 1000}) {
    word w{0};
    running waiter([&] { wait_until_not(w, 0, limit_ns); });
    w.store(1, std::memory_order_release);
    ports::wake_one(w);
    waiter.join();
  }
}

TEST_CASE("no wake is lost between two threads that take turns") {
  constexpr std::uint32_t rounds = 20'000;
  word ball{0};
  auto play = [&](std::uint32_t mine) {
    for (std::uint32_t round = mine; round < rounds; round += 2) {
      for (std::uint32_t seen; (seen = ball.load(std::memory_order_acquire)) != round;) {
        ports::wait_on(ball, seen, forever);
      }
      ball.store(round + 1, std::memory_order_release);
      ports::wake_one(ball);
    }
  };
  running other([&] { play(1); });
  play(0);
  other.join();
  CHECK(ball.load() == rounds);
}

TEST_CASE("one call wakes all who wait") {
  word w{0};
  word waiting{0};
  std::vector<std::unique_ptr<running>> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.push_back(std::make_unique<running>([&] {
      waiting.fetch_add(1, std::memory_order_release);
      wait_until_not(w, 0, forever);
    }));
  }
  while (waiting.load(std::memory_order_acquire) != 4) ports::yield();
  w.store(1, std::memory_order_release);
  ports::wake_all(w);
  for (auto& waiter : waiters) waiter->join();
}

TEST_CASE("a wake that nobody waits for is forgotten") {
  word w{0};
  ports::wake_one(w);
  ports::wake_all(w);
  bool woken = true;
  for (int i = 0; i < 3 && woken; ++i) woken = ports::wait_on(w, 0, 1'000'000);
  CHECK_FALSE(woken);
}

}  // namespace

}  // namespace wait_cases
