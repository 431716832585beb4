// SPDX-License-Identifier: Apache-2.0
// A runtime without workers: its loop's thread runs everything.
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <set>
#include <thread>

namespace zero_workers_cases {

namespace {
using namespace runtime_test;

TEST_CASE("without workers one thread runs every task") {
  runtime rt = start({.workers = 0});
  CHECK(rt.workers() == 0);
  std::vector<ref<std::thread::id>> all;
  for (int i = 0; i < 100; ++i)
    all.push_back(rt.task([] { return std::this_thread::get_id(); }).remote());
  auto ids = rt.get(all);
  REQUIRE(ids.has_value());
  CHECK(std::set<std::thread::id>(ids->begin(), ids->end()).size() == 1);
  CHECK(ids->front() != std::this_thread::get_id());
}

TEST_CASE("without workers tasks wait for tasks, for calls and for coroutines") {
  struct counter {
    int n = 0;
    int next() { return ++n; }
    async<int> later() {
      co_await sleep_for(1ms);
      co_return ++n;
    }
  };
  runtime rt = start({.workers = 0});
  auto all = rt.task([] {
                 runtime_handle here = this_task::runtime();
                 auto a = here.actor<counter>().remote();
                 int sum = 0;
                 for (int i = 0; i < 10; ++i) sum += *here.get(a.call(&counter::next));
                 sum += *here.get(a.call(&counter::later));
                 sum += *here.get(here.task([]() -> async<int> {
                                        co_await sleep_for(1ms);
                                        co_return 100;
                                      })
                                      .remote());
                 return sum;
               }).remote();
  CHECK(*rt.get(all) == 55 + 11 + 100);
}

TEST_CASE("without workers a get inside a task times out while a blocking task goes on") {
  gate started, leave;
  runtime rt = start({.workers = 0});
  auto slow = rt.task([&] {
                  started.open();
                  leave.wait();
                  return 1;
                })
                  .options({.blocking = true})
                  .remote();
  CHECK(started.wait());  // or a get would help with it
  auto code =
      rt.task([](ref<int> r) { return outcome_of(this_task::runtime().get(r, 1ms)); }).remote(slow);
  CHECK(failure(rt, code) == errc::timeout);
  auto waits = rt.task([](ref<int> r) { return *this_task::runtime().get(r); }).remote(slow);
  leave.open();
  CHECK(*rt.get(waits) == 1);
}

TEST_CASE("without workers threads submit and wait together") {
  std::atomic<int> sum{0};
  runtime rt = start({.workers = 0});
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) sum += rt.get(rt.task([] { return 1; }).remote()).value_or(0);
    });
  for (auto& t : threads) t.join();
  CHECK(sum == 900);
}

TEST_CASE("without workers a delayed task and a periodic one come in time") {
  tally runs;
  runtime rt = start({.workers = 0});
  CHECK(*rt.get(rt.task([] { return 1; }).options({.delay = 2ms}).remote()) == 1);
  periodic_task every = rt.every(1ms, [&] { runs.add(); });
  CHECK(runs.reaches(3));
}

TEST_CASE("without workers a task that waits for ever does not keep the runtime from its end") {
  gate started;
  runtime rt = start({.workers = 0});
  auto never = rt.task([] { return 1; }).options({.delay = 1h}).remote();
  auto waits = rt.task([&started](ref<int> r) {
                   started.open();
                   return outcome_of(this_task::runtime().get(r));
                 }).remote(never);
  CHECK(started.wait());
  CHECK(rt.stop().has_value());
  CHECK(failure(rt, waits) == errc::stopped);
}

}  // namespace

}  // namespace zero_workers_cases
