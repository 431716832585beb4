// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <thread>

namespace cancel_cases {

namespace {
using namespace runtime_test;

/// Runs until it is cancelled.
int until_cancelled(gate* started) {
  started->open();
  while (!this_task::cancelled()) std::this_thread::yield();
  return 7;
}

TEST_CASE("a queued task that is cancelled does not run") {
  std::atomic<bool> ran{false};
  runtime rt = start({.workers = 1});
  ref<void> queued;
  {
    busy_worker busy(rt);
    queued = rt.task([&] { ran = true; }).options({.name = "queued"}).remote();
    CHECK(rt.cancel(queued).has_value());
  }
  auto got = rt.get(queued);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::cancelled);
  CHECK(got.error().function() == "queued");
  CHECK(!ran);
  CHECK(rt.stats().cancelled == 1);
}

TEST_CASE("a running task sees that it was cancelled and its result still counts") {
  gate started;
  runtime rt = start();
  auto running = rt.task(until_cancelled).remote(&started);
  CHECK(started.wait());
  CHECK(rt.cancel(running).has_value());
  CHECK(*rt.get(running) == 7);
}

TEST_CASE("only the cancelled one of two running tasks sees it") {
  gate started, other_started, leave;
  runtime rt = start({.workers = 2});
  auto running = rt.task(until_cancelled).remote(&started);
  auto other = rt.task([&] {
                   other_started.open();
                   leave.wait();
                   return this_task::cancelled();
                 }).remote();
  CHECK(started.wait());
  CHECK(other_started.wait());
  CHECK(rt.cancel(running).has_value());
  CHECK(*rt.get(running) == 7);
  leave.open();
  CHECK(*rt.get(other) == false);
}

TEST_CASE("cancelling reaches what the task has submitted, on request only") {
  for (bool recursive : {true, false}) {
    CAPTURE(recursive);
    gate started, leave;
    runtime rt = start({.workers = 1});
    auto parent = rt.task([&] {
                      runtime_handle here = this_task::runtime();
                      std::vector<ref<int>> children;
                      for (int i = 0; i < 5; ++i)
                        children.push_back(here.task([] { return 1; }).remote());
                      started.open();
                      leave.wait();
                      return children;
                    }).remote();
    CHECK(started.wait());
    CHECK(rt.cancel(parent, false, recursive).has_value());
    leave.open();
    auto children = rt.get(parent);
    REQUIRE(children.has_value());
    for (auto& child : *children)
      CHECK(failure(rt, child) == (recursive ? errc::cancelled : errc::ok));
  }
}

TEST_CASE("a running grandchild sees that its ancestor was cancelled") {
  gate started;
  runtime rt = start({.workers = 3});
  auto parent = rt.task([&] {
                    return *this_task::runtime().get(
                        this_task::runtime()
                            .task([&] {
                              return *this_task::runtime().get(
                                  this_task::runtime().task(until_cancelled).remote(&started));
                            })
                            .remote());
                  }).remote();
  CHECK(started.wait());
  CHECK(rt.cancel(parent).has_value());
  CHECK(*rt.get(parent) == 7);
}

TEST_CASE("children of a task that was not cancelled go on") {
  gate started;
  runtime rt = start({.workers = 1});
  auto cancelled = rt.task(until_cancelled).remote(&started);
  CHECK(started.wait());
  CHECK(rt.cancel(cancelled).has_value());
  CHECK(*rt.get(cancelled) == 7);
  for (int i = 0; i < 100; ++i)
    CHECK(*rt.get(rt.task([] {
                      return *this_task::runtime().get(
                          this_task::runtime().task([] { return 1; }).remote());
                    }).remote()) == 1);
}

async<int> wait_for(ref<int> never) { co_return co_await never + 1; }
async<int> sleep_long() {
  co_await sleep_for(1h);
  co_return 1;
}
async<int> nested_sleep() { co_return co_await sleep_long(); }

TEST_CASE("a coroutine that waits is cancelled at once") {
  runtime rt = start();
  auto never = rt.task([] { return 1; }).options({.delay = 1h}).remote();
  auto ends_at_once = [&](ref<int> waiting) {
    while (rt.stats().suspended == 0) std::this_thread::yield();
    CHECK(rt.cancel(waiting).has_value());
    CHECK(failure(rt, waiting) == errc::cancelled);
    CHECK(rt.stats().suspended == 0);
  };
  ends_at_once(rt.task(wait_for).remote(never));
  ends_at_once(rt.task(sleep_long).remote());
  ends_at_once(rt.task(nested_sleep).remote());
  CHECK(!never.ready());
}

TEST_CASE("a coroutine is cancelled with its parent") {
  runtime rt = start();
  auto parent = rt.task([]() -> async<int> {
                    auto child = this_task::runtime().task(sleep_long).remote();
                    co_return co_await child;
                  }).remote();
  while (rt.stats().suspended < 2) std::this_thread::yield();
  CHECK(rt.cancel(parent).has_value());
  CHECK(failure(rt, parent) == errc::cancelled);
  CHECK(rt.stop({.drain = true})->drained);
}

TEST_CASE("a task that waits for its argument is cancelled before it starts") {
  gate leave;
  std::atomic<bool> ran{false};
  runtime rt = start();
  auto argument = rt.task([&] {
                      leave.wait();
                      return 1;
                    }).remote();
  auto dependent = rt.task([&](int) { ran = true; }).remote(argument);
  CHECK(rt.cancel(dependent).has_value());
  leave.open();
  CHECK(failure(rt, dependent) == errc::cancelled);
  CHECK(!ran);
  CHECK(*rt.get(argument) == 1);
}

TEST_CASE("a task that waits for resources or for its time is cancelled at once") {
  runtime rt = start();
  auto wanting =
      rt.task([] {}).options({.num_gpus = 1, .on_infeasible = on_infeasible::wait}).remote();
  CHECK(rt.cancel(wanting).has_value());
  CHECK(code_of(rt.get(wanting)) == errc::cancelled);
  auto delayed = rt.task([] {}).options({.delay = 1h}).remote();
  CHECK(rt.cancel(delayed).has_value());
  CHECK(code_of(rt.get(delayed, safety)) == errc::cancelled);
}

TEST_CASE("a cancelled task is not repeated") {
  gate started;
  runtime rt = start();
  auto retried = rt.task([&](gate* g) -> result<int> {
                     until_cancelled(g);
                     return errc::cancelled;
                   })
                     .options({.max_retries = -1, .retry_exceptions = true})
                     .remote(&started);
  CHECK(started.wait());
  CHECK(rt.cancel(retried).has_value());
  CHECK(failure(rt, retried) == errc::cancelled);
}

TEST_CASE("a task between two attempts is cancelled") {
  tally attempts;
  runtime rt = start();
  auto retried = rt.task([&]() -> result<int> {
                     attempts.add();
                     return errc::busy;
                   })
                     .options({.max_retries = -1,
                               .retry_exceptions = true,
                               .retry_backoff = 1ms,
                               .retry_backoff_max = 1ms})
                     .remote();
  CHECK(attempts.reaches(2));
  CHECK(rt.cancel(retried).has_value());
  CHECK(failure(rt, retried) == errc::cancelled);
}

TEST_CASE("cancelling what is ready, empty, or by force is harmless") {
  gate started;
  runtime rt = start();
  auto ready = rt.put(1);
  CHECK(rt.cancel(ready).has_value());
  CHECK(*rt.get(ready) == 1);
  CHECK(code_of(rt.cancel(ref<int>())) == errc::invalid_ref);
  auto running = rt.task(until_cancelled).remote(&started);
  CHECK(started.wait());
  CHECK(code_of(rt.cancel(running, true)) == errc::unsupported);
  CHECK(*rt.get(running) == 7);  // it was asked to end all the same
}

struct counter {
  int n = 0;
  int next() { return ++n; }
  void hold(gate* started, gate* leave) {
    started->open();
    leave->wait();
  }
};

TEST_CASE("a queued call to an actor is cancelled, the others run") {
  gate started, leave;
  runtime rt = start();
  auto a = rt.actor<counter>().remote();
  a.send(&counter::hold, &started, &leave);
  auto one = a.call(&counter::next), two = a.call(&counter::next), three = a.call(&counter::next);
  CHECK(started.wait());
  CHECK(rt.cancel(two).has_value());
  leave.open();
  CHECK(*rt.get(one) == 1);
  CHECK(failure(rt, two) == errc::cancelled);
  CHECK(*rt.get(three) == 2);
}

}  // namespace

}  // namespace cancel_cases
