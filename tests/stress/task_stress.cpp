// SPDX-License-Identifier: Apache-2.0
// Tasks through the public interface: fork and join, random graphs, waits with time limits,
// cancels, parked gets.

#include "stress.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

using namespace beamlet;
using namespace std::chrono_literals;

namespace {

runtime start(unsigned workers, help how = help::awaited) {
  auto rt = runtime::start({.workers = workers, .get_helps = how});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

help any_help(base::rng& random) { return static_cast<help>(random.below(3)); }

std::uint64_t fib(int n) {
  if (n < 2) return static_cast<std::uint64_t>(n);
  auto rt = this_task::runtime();
  auto left = rt.task(fib).remote(n - 1);
  auto right = rt.task(fib).remote(n - 2);
  auto a = rt.get(left), b = rt.get(right);
  return a.has_value() && b.has_value() ? *a + *b : 1'000'000;
}

// -- random graphs
using number = std::uint64_t;

number mix(number own, number a, number b) { return own * 31 + a * 17 + (b ^ own); }
number mix_refs(number own, ref<number> a, ref<number> b) {
  auto rt = this_task::runtime();
  auto x = rt.get(a), y = rt.get(b);
  return x.has_value() && y.has_value() ? mix(own, *x, *y) : 0;
}
async<number> mix_awaited(number own, ref<number> a, ref<number> b) {
  number y = co_await b;
  number x = co_await a;
  co_return mix(own, x, y);
}

/// Node i reads two earlier nodes, in one of three ways; every ref's value is compared with a plain
/// loop's.
bool graph_is_right(runtime& rt, base::rng& random, int nodes) {
  std::vector<number> expected{1, 2};
  std::vector<ref<number>> refs{rt.put(number{1}), rt.put(number{2})};
  for (int i = 2; i < nodes; ++i) {
    // Near ones make long chains, far ones wide layers.
    auto reach = random.below(2) == 0 ? std::min(i, 4) : i;
    auto a = static_cast<std::size_t>(i - 1) - random.below(static_cast<std::uint32_t>(reach));
    auto b = static_cast<std::size_t>(random.below(static_cast<std::uint32_t>(i)));
    number own = random.next();
    expected.push_back(mix(own, expected[a], expected[b]));
    switch (random.below(4)) {
      case 0: refs.push_back(rt.task(mix_refs).remote(own, refs[a], refs[b])); break;
      case 1: refs.push_back(rt.task(mix_awaited).remote(own, refs[a], refs[b])); break;
      default: refs.push_back(rt.task(mix).remote(own, refs[a], refs[b])); break;
    }
  }
  for (std::size_t i = refs.size(); i-- > 0;) {
    auto got = rt.get(refs[i]);
    if (!got.has_value() || *got != expected[i]) return false;
  }
  return true;
}

bool one_of(const error& e, std::initializer_list<errc> allowed) {
  for (errc code : allowed)
    if (e.code() == code) return true;
  return false;
}

}  // namespace

TEST_CASE("fork and join under delays gives the right sum with every way of helping") {
  for (std::uint64_t seed : stress::seeds(9)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    runtime rt = start(1 + seed % 3, any_help(round.random));
    auto sum = rt.get(rt.task(fib).remote(stress::slow ? 12 : 15));
    REQUIRE(sum.has_value());
    CHECK(*sum == (stress::slow ? 144u : 610u));
  }
}

TEST_CASE("random graphs of tasks, gets and coroutines compute what a plain loop computes") {
  for (std::uint64_t seed : stress::seeds(24)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<bool> right{true};
    runtime rt = start(1 + seed % 4, any_help(round.random));
    stress::on_threads(2, [&](unsigned i) {
      base::rng random(seed * 2 + i);
      if (!graph_is_right(rt, random, stress::scaled(600))) right = false;
    });
    CHECK(right.load());
  }
}

TEST_CASE("gets and waits whose time runs out race with completion and lose nothing") {
  for (std::uint64_t seed : stress::seeds(12)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0}, called{0};
    runtime rt = start(2);
    constexpr int each = stress::scaled(400);
    stress::on_threads(2, [&](unsigned t) {
      base::rng random(seed * 2 + t);
      for (int n = 0; n < each; ++n) {
        std::vector<ref<int>> refs;
        for (int i = 0; i < 4; ++i)
          refs.push_back(rt.task([](int x) { return stress::delay(), x; }).remote(n + i));
        rt.on_ready(refs[1], [&](const result<int>& r) { called += r.has_value(); });
        auto soon = std::chrono::nanoseconds(random.below(100'000));
        auto some = rt.wait(refs, {.num_returns = 1 + random.below(4), .timeout = soon});
        wrong += !some.has_value() || some->ready.size() + some->unready.size() != 4;
        auto first = rt.get(refs[0], std::chrono::nanoseconds(random.below(50'000)));
        wrong += first.has_value() ? *first != n : first.error().code() != errc::timeout;
        auto all = rt.get(refs);
        wrong += !all.has_value() || *all != std::vector<int>{n, n + 1, n + 2, n + 3};
      }
    });
    CHECK(wrong.load() == 0);
    CHECK(rt.stop().has_value());
    CHECK(called.load() == 2 * each);
  }
}

TEST_CASE(
    "a cancel that races with completion gives the value or the cancel, and every waiter learns") {
  for (std::uint64_t seed : stress::seeds(18)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    runtime rt = start(2);
    stress::on_threads(2, [&](unsigned t) {
      base::rng random(seed * 2 + t);
      for (int n = 0; n < stress::scaled(250); ++n) {
        auto parent = rt.task([](int x) {
                          auto inner =
                              this_task::runtime().task([](int y) { return y + 1; }).remote(x);
                          stress::delay();
                          return this_task::runtime().get(inner);
                        }).remote(n);
        auto child = rt.task([](int x) { return x * 2; }).remote(parent);
        auto waiting =
            rt.task([](ref<int> r) -> async<int> { co_return co_await r; }).remote(child);
        for (auto i = random.below(30); i > 0; --i) stress::delay();
        auto cancelled = random.below(3) == 0 ? rt.cancel(waiting) : rt.cancel(parent);
        wrong += !cancelled.has_value();
        auto a = rt.get(parent), b = rt.get(child), c = rt.get(waiting);
        wrong += a.has_value() ? *a != n + 1 : !one_of(a.error(), {errc::cancelled});
        wrong += b.has_value() ? *b != 2 * (n + 1) : b.error().code() == errc::timeout;
        wrong += b.has_value() && !a.has_value();
        wrong += c.has_value() && !b.has_value();
      }
    });
    CHECK(wrong.load() == 0);
  }
}

TEST_CASE("submissions that race with the end of the runtime run or fail as stopped") {
  for (std::uint64_t seed : stress::seeds(24)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    runtime rt = start(seed % 3);
    bool drain = seed % 2 == 0;
    constexpr unsigned submitters = 2;
    stress::on_threads(1 + submitters, [&](unsigned t) {
      if (t == submitters) {
        for (auto i = 100 * (seed % 7); i > 0; --i) stress::delay();
        wrong += !rt.stop({.drain = drain}).has_value();
        return;
      }
      std::vector<ref<int>> refs;
      refs.push_back(rt.put(0));
      for (int n = 1; n < stress::scaled(800); ++n) {
        auto plus_one = [](int x) { return x + 1; };
        refs.push_back(n % 5 != 0 ? rt.task(plus_one).remote(refs.back())
                                  : rt.task([](ref<int> r) -> async<int> {
                                        co_return 1 + co_await r;
                                      }).remote(refs.back()));
      }
      bool failed = !refs[0].ready() || !rt.get(refs[0]).has_value();
      for (int n = 0; n < static_cast<int>(refs.size()); ++n) {
        auto got = rt.get(refs[static_cast<std::size_t>(n)]);
        if (got.has_value()) wrong += *got != n || failed;
        else wrong += !one_of(got.error(), {errc::stopped, errc::cancelled});
        failed = !got.has_value();
      }
    });
    CHECK(wrong.load() == 0);
  }
}

TEST_CASE("gets that park while spare threads come and go all return") {
  for (std::uint64_t seed : stress::seeds(6)) {
    INFO("BEAMLET_SEED=", seed);
    stress::round round(seed);
    std::atomic<int> wrong{0};
    runtime rt = start(1 + seed % 2);
    stress::on_threads(2, [&](unsigned t) {
      base::rng random(seed * 2 + t);
      for (int n = 0; n < stress::scaled(60); ++n) {
        std::vector<ref<int>> refs;
        for (int i = 0; i < 6; ++i) {
          // What it waits for runs on a thread of another kind, so that the worker must park.
          auto slow = rt.task([](int x) { return stress::delay(), x; })
                          .options({.blocking = true})
                          .remote(i);
          auto timer = rt.task([](int x) -> async<int> {
                           co_await sleep_for(20us);
                           co_return x;
                         }).remote(i);
          refs.push_back(rt.task([](ref<int> a, ref<int> b) {
                             auto rt = this_task::runtime();
                             auto x = rt.get(a), y = rt.get(b);
                             return x.has_value() && y.has_value() ? *x + *y : -1;
                           }).remote(slow, timer));
        }
        auto all = rt.get(refs);
        wrong += !all.has_value() || *all != std::vector<int>{0, 2, 4, 6, 8, 10};
      }
    });
    CHECK(wrong.load() == 0);
  }
}
