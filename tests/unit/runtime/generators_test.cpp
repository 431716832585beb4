// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace generators_cases {

namespace {
using namespace runtime_test;

generator<int> numbers(int count) {
  for (int i = 0; i < count; ++i) co_yield i;
}
generator<int> numbers_then_error(int count) {
  for (int i = 0; i < count; ++i) co_yield i;
  co_await []() -> async<> { co_return; }();
  ref<int> bad =
      this_task::runtime().task([]() -> result<int> { return error(errc::io); }).remote();
  co_yield co_await bad;
}

TEST_CASE("a generator's items come in order and then the stream ends") {
  for (unsigned workers : {0u, 1u, 3u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers});
    auto stream = rt.task(numbers).remote(500);
    REQUIRE(stream);
    for (int i = 0; i < 500; ++i) REQUIRE(*rt.get(stream.next()) == i);
    CHECK(failure(rt, stream.next()) == errc::end_of_stream);
    CHECK(failure(rt, stream.next()) == errc::end_of_stream);
    CHECK(rt.get(stream.completion()).has_value());
  }
}

TEST_CASE("items may be asked for before they are there") {
  runtime rt = start();
  auto stream = rt.task(numbers).remote(50);
  std::vector<ref<int>> items;
  for (int i = 0; i < 60; ++i) items.push_back(stream.next());
  for (int i = 0; i < 50; ++i) CHECK(*rt.get(items[i]) == i);
  for (int i = 50; i < 60; ++i) CHECK(failure(rt, items[i]) == errc::end_of_stream);
}

TEST_CASE("a generator is never further ahead than its bound") {
  for (std::size_t bound : {1u, 4u}) {
    CAPTURE(bound);
    std::atomic<int> made{0};
    runtime rt = start();
    auto count = [&](int n) -> generator<int> {
      for (int i = 0; i < n; ++i) {
        ++made;
        co_yield i;
      }
    };
    auto stream = rt.task(count).backpressure(bound).remote(200);
    for (int i = 0; i < 200; ++i) {
      REQUIRE(*rt.get(stream.next()) == i);
      // Those taken, those in the stream, and the one that is being yielded.
      CHECK(made <= i + 1 + static_cast<int>(bound) + 1);
    }
    CHECK(failure(rt, stream.next()) == errc::end_of_stream);
  }
}

TEST_CASE("a generator that nobody asks stops at its bound") {
  tally made;
  runtime rt = start();
  auto endless = [&]() -> generator<int> {
    for (int i = 0;; ++i) {
      made.add();
      co_yield i;
    }
  };
  auto stream = rt.task(endless).options({.name = "endless"}).backpressure(5).remote();
  CHECK(made.reaches(5));
  while (rt.stats().suspended == 0) std::this_thread::yield();
  CHECK(made.count() == 5);
}

TEST_CASE("a failing generator delivers its items first, then the error") {
  runtime rt = start();
  auto stream = rt.task(numbers_then_error).remote(3);
  for (int i = 0; i < 3; ++i) CHECK(*rt.get(stream.next()) == i);
  CHECK(failure(rt, stream.next()) == errc::io);
  CHECK(failure(rt, stream.next()) == errc::io);
  CHECK(failure(rt, stream.completion()) == errc::io);
}

TEST_CASE("an abandoned stream cancels its generator and keeps the refs taken") {
  gate ended;
  struct at_end {
    gate* g;
    ~at_end() { g->open(); }
  };
  runtime rt = start();
  auto endless = [&]() -> generator<int> {
    at_end mark{&ended};
    for (int i = 0;; ++i) co_yield i;
  };
  ref<int> taken;
  ref<void> completion;
  {
    auto stream = rt.task(endless).remote();
    taken = stream.next();
    CHECK(*rt.get(taken) == 0);
    completion = stream.completion();
  }
  CHECK(ended.wait());
  CHECK(failure(rt, completion) == errc::cancelled);
  CHECK(*rt.get(taken) == 0);
}

TEST_CASE("a stream may be consumed by a task and by a coroutine") {
  runtime rt = start({.workers = 1});
  auto by_task = rt.task([] {
                     runtime_handle here = this_task::runtime();
                     auto stream = here.task(numbers).remote(100);
                     int sum = 0;
                     for (auto item = here.get(stream.next()); item.has_value();
                          item = here.get(stream.next()))
                       sum += *item;
                     return sum;
                   }).remote();
  CHECK(*rt.get(by_task) == 4950);
  auto by_coroutine = rt.task([]() -> async<int> {
                          auto stream = this_task::runtime().task(numbers).remote(100);
                          int sum = 0;
                          for (;;) {
                            auto item = co_await stream.next().as_result();
                            if (!item.has_value()) co_return sum;
                            sum += *item;
                          }
                        }).remote();
  CHECK(*rt.get(by_coroutine) == 4950);
}

TEST_CASE("an item of a stream is an argument like any other object") {
  runtime rt = start();
  auto stream = rt.task(numbers).remote(10);
  std::vector<ref<int>> twice;
  for (int i = 0; i < 10; ++i)
    twice.push_back(rt.task([](int n) { return 2 * n; }).remote(stream.next()));
  for (int i = 0; i < 10; ++i) CHECK(*rt.get(twice[i]) == 2 * i);
}

TEST_CASE("a generator whose argument failed fails its stream") {
  runtime rt = start();
  auto bad = rt.task([]() -> result<int> { return errc::io; }).remote();
  auto stream = rt.task(numbers).remote(bad);
  CHECK(failure(rt, stream.next()) == errc::io);
  CHECK(failure(rt, ref_stream<int>().next()) == errc::end_of_stream);
}

TEST_CASE("cancelling a generator's completion ends its stream") {
  runtime rt = start();
  auto stream = rt.task([]() -> generator<int> {
                    co_yield 1;
                    co_await sleep_for(1h);
                    co_yield 2;
                  }).remote();
  CHECK(*rt.get(stream.next()) == 1);
  auto second = stream.next();
  while (rt.stats().suspended == 0) std::this_thread::yield();
  CHECK(rt.cancel(stream.completion()).has_value());
  CHECK(failure(rt, second) == errc::cancelled);
}

TEST_CASE("items that were made and never taken are destroyed") {
  auto life = std::make_shared<int>(0);
  {
    runtime rt = start();
    auto stream = rt.task([life]() -> generator<std::shared_ptr<int>> {
                      for (int i = 0; i < 5; ++i) co_yield life;
                    }).remote();
    CHECK(rt.get(stream.completion()).has_value());
    CHECK(rt.get(stream.next()).has_value());
  }
  CHECK(life.use_count() == 1);
}

TEST_CASE("a stream that outlives its runtime has stopped") {
  ref_stream<int> stream;
  ref<int> wanted;
  {
    runtime rt = start({.workers = 1});
    stream = rt.task([]() -> generator<int> {
                 co_await sleep_for(1h);
                 co_yield 1;
               }).remote();
    wanted = stream.next();
    while (rt.stats().suspended == 0) std::this_thread::yield();
  }
  runtime other = start();
  CHECK(failure(other, wanted) == errc::cancelled);
  CHECK(!other.get(stream.next()).has_value());
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("what a generator throws ends its stream") {
  runtime rt = start();
  auto stream = rt.task([]() -> generator<int> {
                    co_yield 1;
                    throw std::runtime_error("lens cap on");
                  }).remote();
  CHECK(*rt.get(stream.next()) == 1);
  auto got = rt.get(stream.next());
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::user_exception);
  CHECK(got.error().message() == "lens cap on");
}
#endif

}  // namespace

}  // namespace generators_cases
