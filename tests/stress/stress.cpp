// SPDX-License-Identifier: Apache-2.0
#include "stress.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "ports/threads.hpp"

namespace stress {

namespace {

namespace chaos = beamlet::sched::chaos;
namespace ports = beamlet::ports;

constexpr auto hang =
    std::chrono::seconds(300);  // no round takes a tenth of it, on a busy machine too

std::atomic<std::uint64_t> current_seed{0};
std::atomic<std::uint64_t> thread_number{0};

/// Numbers of this thread, drawn anew for each round.
std::uint64_t draw() {
  thread_local std::uint64_t of_seed = 0;
  thread_local beamlet::base::rng random(0);
  std::uint64_t seed = current_seed.load(std::memory_order_relaxed);
  if (seed != of_seed) {
    of_seed = seed;
    random = beamlet::base::rng(seed ^ thread_number.fetch_add(1, std::memory_order_relaxed) << 32);
  }
  return random.next();
}

void delay_at(chaos::place) { delay(); }

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

void delay() {
  std::uint64_t r = draw();
  unsigned kind = r & 511;
  unsigned length = static_cast<unsigned>(r >> 32);
  if (kind < 2) {  // long enough for any other thread to pass by
    std::atomic<std::uint32_t> nobody{0};
    ports::wait_on(nobody, 0, 1000 + length % 100'000);
  } else if (kind < 16) {
    ports::yield();
  } else if (kind < 80) {
    for (unsigned i = length % 256; i > 0; --i) ports::pause();
  }
}

std::vector<std::uint64_t> seeds(unsigned count) {
  if (std::uint64_t one = number_from("BEAMLET_SEED", 0); one != 0) return {one};
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < count * number_from("BEAMLET_STRESS_ROUNDS", 1); ++i)
    all.push_back(1 + i);
  return all;
}

round::round(std::uint64_t seed, bug planted) : random(seed), seed_(seed) {
  thread_number.store(0, std::memory_order_relaxed);
  current_seed.store(seed, std::memory_order_relaxed);
  chaos::planted_bugs.store(static_cast<std::uint32_t>(planted), std::memory_order_relaxed);
  chaos::hook.store(delay_at, std::memory_order_relaxed);
  watchdog_ = std::thread([this] { watch(); });
}

round::~round() {
  {
    std::lock_guard hold(lock_);
    done_ = true;
  }
  over_.notify_all();
  watchdog_.join();
  chaos::hook.store(nullptr, std::memory_order_relaxed);
  chaos::planted_bugs.store(0, std::memory_order_relaxed);
}

void round::watch() {
  std::unique_lock hold(lock_);
  auto end = std::chrono::system_clock::now() + hang;  // system: thread sanitizer knows that wait
  while (!done_)
    if (over_.wait_until(hold, end) == std::cv_status::timeout && !done_) {
      std::fprintf(stderr, "a round hangs; replay it with BEAMLET_SEED=%llu\n",
                   static_cast<unsigned long long>(seed_));
      std::abort();
    }
}

void on_threads(unsigned count, const std::function<void(unsigned)>& body) {
  std::atomic<unsigned> ready{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      ready.fetch_add(1);
      while (ready.load() < count) ports::yield();
      body(i);
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace stress
