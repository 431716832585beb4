// SPDX-License-Identifier: Apache-2.0
// Coroutines that are woken from several threads at once, and streams.

#include "stress.hpp"

#include <atomic>
#include <chrono>

using namespace beamlet;
using namespace std::chrono_literals;

namespace {

int later(int x) {
  stress::delay();
  return x;
}

async<int> sum(std::vector<ref<int>> parts) {
  int total = 0;
  for (auto& part : parts) total += co_await part;
  co_return total;
}

/// Timer and value race at each wait; a wait that ran out is tried again.
async<int> patient_sum(std::vector<ref<int>> parts) {
  int total = 0;
  for (auto& part : parts)
    for (;;) {
      auto got = co_await part.within(10us);
      if (!got.has_value() && got.error().code() == errc::timeout) continue;
      if (!got.has_value()) co_return got.error();
      total += *got;
      break;
    }
  co_return total;
}

async<int> nested_sum(std::vector<ref<int>> parts) {
  co_await sleep_for(5us);
  int a = co_await sum(parts);
  auto b = co_await patient_sum(parts).as_result();
  co_return b.has_value() && *b == a ? a : -1;
}

generator<int> count_to(int n) {
  for (int i = 0; i < n; ++i) {
    if (i % 7 == 3) co_await sleep_for(1us);
    co_yield i;
  }
}

}  // namespace

TEST_CASE("coroutines woken from several threads go on once for each wait") {
  for (std::uint64_t seed : stress::seeds(9)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    auto rt = runtime::start({.workers = static_cast<unsigned>(seed % 4)});
    REQUIRE(rt.has_value());
    stress::on_threads(2, [&](unsigned t) {
      base::rng random(seed * 2 + t);
      for (int n = 0; n < stress::scaled(100); ++n) {
        std::vector<ref<int>> parts;
        int expected = 0;
        for (int i = 0; i < 6; ++i) {
          expected += n + i;
          auto part = random.below(4) != 0 ? rt->task(later).remote(n + i)
                                           : rt->task(later).options({.delay = 20us}).remote(n + i);
          parts.push_back(part);
        }
        auto a = rt->task(sum).remote(parts);
        auto b = rt->task(patient_sum).remote(parts);
        auto c = rt->task(nested_sum).remote(parts);
        for (auto& r : {a, b, c}) {
          auto got = rt->get(r);
          wrong += !got.has_value() || *got != expected;
        }
      }
    });
    CHECK(wrong.load() == 0);
  }
}

TEST_CASE("a stream delivers each item once and in order, and may be abandoned at any time") {
  for (std::uint64_t seed : stress::seeds(9)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    auto rt = runtime::start({.workers = 1u + static_cast<unsigned>(seed % 2)});
    REQUIRE(rt.has_value());
    stress::on_threads(2, [&](unsigned t) {
      base::rng random(seed * 2 + t);
      for (int n = 0; n < stress::scaled(40); ++n) {
        constexpr int items = 50;
        auto stream = rt->task(count_to).backpressure(1 + random.below(4)).remote(items);
        int taken = random.below(3) == 0 ? static_cast<int>(random.below(items)) : items;
        std::vector<ref<int>> ahead;
        for (int i = 0; i < taken; ++i) {
          ahead.push_back(stream.next());
          if (random.below(3) != 0) continue;
          auto got = rt->get(ahead.back());
          wrong += !got.has_value() || *got != i;
        }
        if (taken == items) {
          auto end = rt->get(stream.next());
          wrong += end.has_value() || end.error().code() != errc::end_of_stream;
        } else if (random.below(2) == 0) {
          stream = {};
        }
        // What was handed out before the stream went is either there or failed with the stream.
        for (int i = 0; i < taken; ++i) {
          auto got = rt->get(ahead[static_cast<std::size_t>(i)]);
          wrong += got.has_value() ? *got != i : taken == items;
        }
      }
    });
    CHECK(wrong.load() == 0);
  }
}
