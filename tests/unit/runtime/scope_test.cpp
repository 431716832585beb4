// SPDX-License-Identifier: Apache-2.0
// Work started through a scope ends with the scope.
#include <doctest/doctest.h>

#include <atomic>
#include <beamlet/beamlet.hpp>
#include <thread>

#include "support.hpp"

namespace scope_cases {

namespace {

beamlet::async<int> twice(int n) { co_return 2 * n; }

}  // namespace

TEST_CASE("joining a scope waits for everything that was started through it") {
  std::atomic<int> ran{0};
  auto rt = runtime_test::start({.workers = 2});
  beamlet::scope work(rt);
  for (int i = 0; i < 300; ++i) work.start([&ran] { ran.fetch_add(1); });
  CHECK(work.join().has_value());
  CHECK(ran.load() == 300);
  CHECK(work.pending() == 0);
}

TEST_CASE("joining a scope reports the first failure among its work") {
  auto rt = runtime_test::start({.workers = 2});
  beamlet::scope work(rt);
  for (int i = 0; i < 200; ++i)
    work.start([i]() -> beamlet::result<int> {
      if (i == 7) return beamlet::errc::not_found;
      return i;
    });
  auto joined = work.join();
  REQUIRE_FALSE(joined.has_value());
  CHECK(joined.error().code() == beamlet::errc::not_found);
}

TEST_CASE("a scope that is left cancels its work and waits for its end") {
  std::atomic<bool> started{false}, ended{false};
  auto rt = runtime_test::start({.workers = 2});
  {
    beamlet::scope work(rt);
    work.start([&] {
      started.store(true);
      while (!beamlet::this_task::cancelled()) std::this_thread::yield();
      ended.store(true);
    });
    while (!started.load()) std::this_thread::yield();
  }
  CHECK(ended.load());
}

TEST_CASE("a scope runs a coroutine as a task of its own") {
  auto rt = runtime_test::start({.workers = 1});
  beamlet::scope work(rt);
  auto four = work.spawn(twice(2));
  CHECK(rt.get(four).value() == 4);
}

TEST_CASE("a join past its timeout leaves the work alone") {
  std::atomic<bool> go{false};
  auto rt = runtime_test::start({.workers = 1});
  beamlet::scope work(rt);
  auto one = work.start([&go] {
    while (!go.load()) std::this_thread::yield();
    return 1;
  });
  auto joined = work.join(std::chrono::milliseconds(1));
  REQUIRE_FALSE(joined.has_value());
  CHECK(joined.error().code() == beamlet::errc::timeout);
  go.store(true);
  CHECK(rt.get(one).value() == 1);
}

}  // namespace scope_cases
