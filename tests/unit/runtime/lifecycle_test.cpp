// SPDX-License-Identifier: Apache-2.0
// Starting, stopping and destroying runtimes, also from where it is awkward.
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace lifecycle_cases {

namespace {
using namespace runtime_test;

TEST_CASE("several runtimes live in one process and do not mix") {
  runtime one = start({.workers = 1, .name_space = "one"}),
          two = start({.workers = 1, .name_space = "two"});
  auto where = [] { return std::string(this_task::runtime().name_space()); };
  CHECK(*one.get(one.task(where).remote()) == "one");
  CHECK(*two.get(two.task(where).remote()) == "two");
  auto across = one.task([&two, where] { return *two.get(two.task(where).remote()); }).remote();
  CHECK(*one.get(across) == "two");
  CHECK(one.stop().has_value());
  CHECK(*two.get(two.task(where).remote()) == "two");
}

TEST_CASE("a runtime starts and stops a hundred times") {
  for (int i = 0; i < 100; ++i) {
    runtime rt = start({.workers = static_cast<unsigned>(i % 4)});
    CHECK(*rt.get(rt.task([](int n) { return n; }).remote(i)) == i);
    if (i % 2 == 0) CHECK(rt.stop().has_value());
  }
}

TEST_CASE("many runtimes start and stop on many threads") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 10; ++i) {
        auto rt = runtime::start({.workers = 2});
        if (!rt.has_value() || *rt->get(rt->task([] { return 1; }).remote()) != 1)
          FAIL_CHECK("lost a task");
      }
    });
  for (auto& t : threads) t.join();
}

TEST_CASE("a runtime is moved with all that runs in it") {
  runtime one = start();
  auto pending = one.task([] { return 1; }).remote();
  runtime two = std::move(one);
  CHECK(!one);
  CHECK(*two.get(pending) == 1);
  runtime none;
  CHECK(code_of(none.stop()) == errc::stopped);
}

TEST_CASE("a draining stop finishes what was submitted, and reports it") {
  std::atomic<int> ran{0};
  runtime rt = start({.workers = 1});
  std::vector<ref<int>> all;
  {
    busy_worker busy(rt);
    auto before = rt.put(1);
    for (int i = 0; i < 100; ++i)
      all.push_back(rt.task([&ran](int n) {
                        ++ran;
                        return *this_task::runtime().get(
                            this_task::runtime().task([n] { return n; }).remote());
                      }).remote(before));
  }
  auto report = rt.stop({.drain = true});
  REQUIRE(report.has_value());
  CHECK(report->drained);
  CHECK(report->dropped == 0);
  CHECK(report->completed == 201);
  CHECK(ran == 100);
  for (auto& r : all) CHECK(r.ready());
}

TEST_CASE("a drain that takes too long drops what is left") {
  runtime rt = start();
  auto never = rt.task([] {}).options({.delay = 1h}).remote();
  auto report = rt.stop({.drain = true, .drain_timeout = 1ms});
  REQUIRE(report.has_value());
  CHECK(!report->drained);
  CHECK(report->dropped == 1);
  CHECK(never.ready());
}

TEST_CASE("a stop drops what has not started and says how much") {
  gate started;
  std::atomic<bool> ran{false};
  runtime rt = start({.workers = 1});
  auto running = rt.task([&] {
                     started.open();
                     while (!this_task::cancelled()) std::this_thread::yield();
                     return 7;
                   }).remote();
  CHECK(started.wait());
  std::vector<ref<void>> queued;
  for (int i = 0; i < 10; ++i) queued.push_back(rt.task([&] { ran = true; }).remote());
  auto dependent = rt.task([](int n) { return n; }).options({.delay = 1h}).remote(running);
  auto report = rt.stop();
  REQUIRE(report.has_value());
  CHECK(!report->drained);
  CHECK(report->dropped == 11);
  CHECK(report->completed == 1);
  CHECK(!ran);
  runtime other = start();
  CHECK(*other.get(running) == 7);
  for (auto& r : queued) CHECK(failure(other, r) == errc::stopped);
  CHECK(failure(other, dependent) == errc::stopped);
}

TEST_CASE("a second stop gives the same report") {
  runtime rt = start();
  CHECK(*rt.get(rt.task([] { return 1; }).remote()) == 1);
  auto one = rt.stop(), two = rt.stop();
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  CHECK(one->completed == two->completed);
}

TEST_CASE("after a stop every call says that the runtime has stopped") {
  struct nobody {
    int f() { return 1; }
  };
  runtime rt = start();
  auto ready = rt.task([] { return 1; }).remote();
  CHECK(*rt.get(ready) == 1);
  auto actor = rt.actor<nobody>().remote();
  CHECK(rt.stop().has_value());
  CHECK(*rt.get(ready) == 1);
  CHECK(failure(rt, rt.task([] { return 1; }).remote()) == errc::stopped);
  CHECK(failure(rt, rt.put(1)) == errc::stopped);
  CHECK(failure(rt, actor.call(&nobody::f)) == errc::stopped);
  CHECK(failure(rt, rt.actor<nobody>().remote().call(&nobody::f)) == errc::stopped);
  CHECK(rt.stats().submitted >= 1);
  CHECK(!rt.dump().empty());
}

TEST_CASE("destroying a runtime with work pending drops it") {
  ref<int> queued, waiting, suspended, delayed;
  {
    gate started;
    runtime rt = start({.workers = 1});
    delayed = rt.task([] { return 1; }).options({.delay = 1h}).remote();
    waiting = rt.task([](int n) { return n; }).remote(delayed);
    suspended = rt.task([](ref<int> r) -> async<int> { co_return co_await r; }).remote(delayed);
    rt.task([&] {
        started.open();
        while (!this_task::cancelled()) std::this_thread::yield();
      }).remote();
    CHECK(started.wait());
    queued = rt.task([] { return 1; }).remote();
  }
  runtime other = start();
  CHECK(failure(other, queued) == errc::stopped);
  CHECK(failure(other, waiting) == errc::stopped);
  CHECK(failure(other, delayed) == errc::stopped);
  CHECK(!other.get(suspended).has_value());
}

TEST_CASE("a coroutine that would wait for ever ends with its runtime") {
  ref<int> forever, timed;
  std::atomic<bool> went_on{false};
  {
    runtime rt = start();
    forever = rt.task([]() -> async<int> {
                  for (;;) co_await sleep_for(1ms);
                }).remote();
    auto never = rt.task([] { return 1; })
                     .options({.num_gpus = 1, .on_infeasible = on_infeasible::wait})
                     .remote();
    timed = rt.task([&](ref<int> r) -> async<int> {
                (void)co_await r.within(1h);
                co_await sleep_for(1h);
                went_on = true;
                co_return 1;
              }).remote(never);
    while (rt.stats().suspended < 2) std::this_thread::yield();
  }
  runtime other = start();
  CHECK(failure(other, forever) == errc::cancelled);
  CHECK(failure(other, timed) == errc::cancelled);
  CHECK(!went_on);
}

TEST_CASE("a stop from a task is refused and nothing happens") {
  runtime rt = start();
  auto inside =
      rt.task([&rt] { return outcome_of(rt.stop()); }).options({.blocking = true}).remote();
  CHECK(failure(rt, inside) == errc::would_deadlock);
  CHECK(*rt.get(rt.task([] { return 1; }).remote()) == 1);
}

TEST_CASE("a runtime destroyed by one of its tasks ends in the background") {
  for (int round = 0; round < 10; ++round) {
    gate destroyed;
    auto rt = std::make_shared<std::optional<runtime>>(start());
    auto last = (*rt)
                    ->task([rt, &destroyed] {
                      rt->reset();
                      destroyed.open();
                      return 1;
                    })
                    .options({.blocking = true})
                    .remote();
    rt.reset();
    CHECK(destroyed.wait());
    while (!last.ready()) std::this_thread::yield();
    runtime other = start();
    CHECK(*other.get(last) == 1);
  }
}

TEST_CASE("a runtime destroyed by an on_ready callback ends in the background") {
  gate destroyed;
  std::optional<runtime> rt(start());
  gate leave;
  auto pending = rt->task([&] {
                     leave.wait();
                     return 1;
                   })
                     .options({.blocking = true})
                     .remote();
  rt->on_ready(pending, [&](result<int>) {
    rt.reset();
    destroyed.open();
  });
  leave.open();
  CHECK(destroyed.wait());
}

TEST_CASE("threads that wait in a get are told when the runtime stops") {
  std::atomic<int> told{0};
  tally waiting;
  runtime rt = start();
  auto never = rt.task([] { return 1; }).options({.delay = 1h}).remote();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      waiting.add();
      if (failure(rt, never) == errc::stopped) ++told;
    });
  CHECK(waiting.reaches(3));
  CHECK(rt.stop().has_value());
  for (auto& t : threads) t.join();
  CHECK(told == 3);
}

TEST_CASE("stop is asked for by several threads at a time") {
  for (int round = 0; round < 10; ++round) {
    runtime rt = start();
    for (int i = 0; i < 100; ++i) rt.task([] {}).remote();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&rt, t] {
        if (!rt.stop({.drain = t == 0}).has_value()) FAIL_CHECK("not stopped");
      });
    for (auto& t : threads) t.join();
  }
}

TEST_CASE("starting and stopping changes no signal disposition") {
  auto dispositions = [] {
    std::vector<std::pair<void*, unsigned long>> all;
    for (int s = 1; s < 32; ++s) {
      struct sigaction seen {};
      if (sigaction(s, nullptr, &seen) == 0)
        all.emplace_back(reinterpret_cast<void*>(seen.sa_handler),
                         static_cast<unsigned long>(seen.sa_flags));
    }
    return all;
  };
  auto before = dispositions();
  {
    runtime rt = start();
    CHECK(*rt.get(rt.task([] { return 1; }).remote()) == 1);
    CHECK(dispositions() == before);
  }
  CHECK(dispositions() == before);
}

#if !BEAMLET_THREAD_SANITIZER  // it does not follow a fork of a program with threads
TEST_CASE("in a fork the runtime answers instead of hanging, and a fresh one starts") {
  runtime rt = start();
  auto ready = rt.task([] { return 1; }).remote();
  CHECK(*rt.get(ready) == 1);
  auto pending = rt.task([] { return 1; }).options({.delay = 1h}).remote();
  std::fflush(nullptr);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);
    if (rt.get(ready).value_or(0) != 1) _exit(1);
    if (code_of(rt.get(pending)) != errc::forked) _exit(2);
    if (code_of(rt.stop()) != errc::forked) _exit(3);
    auto refused = rt.task([] { return 1; }).remote();
    if (code_of(rt.get(refused)) != errc::forked) _exit(4);
    auto fresh = runtime::start({.workers = 1});
    if (!fresh.has_value()) _exit(5);
    if (fresh->get(fresh->task([] { return 2; }).remote()).value_or(0) != 2) _exit(6);
    if (!fresh->stop().has_value()) _exit(7);
    { runtime gone = std::move(rt); }
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(*rt.get(rt.task([] { return 3; }).remote()) == 3);
}
#endif

}  // namespace

}  // namespace lifecycle_cases
