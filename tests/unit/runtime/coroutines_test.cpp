// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace coroutines_cases {

namespace {
using namespace runtime_test;

async<int> constant(int n) { co_return n; }
async<int> fails(errc code) { co_return error(code, error_layer::user, {"as told", "", "", ""}); }
async<int> plus_one(ref<int> r) { co_return co_await r + 1; }
async<int> sum_to(int n) {
  int sum = 0;
  for (int i = 1; i <= n; ++i) sum += co_await constant(i);
  co_return sum;
}
async<int> nested(int depth) {
  if (depth == 0) co_return 0;
  int below = co_await nested(depth - 1);
  co_return below + 1;
}
/// Counts the coroutines whose local variables live.
struct local {
  explicit local(std::atomic<int>& c) : count(&c) { ++*count; }
  ~local() { --*count; }
  std::atomic<int>* count;
};

TEST_CASE("a coroutine is a task") {
  for (unsigned workers : {0u, 1u, 3u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers});
    CHECK(*rt.get(rt.task(constant).remote(4)) == 4);
    CHECK(*rt.get(rt.task(sum_to).remote(1000)) == 500500);
    CHECK(*rt.get(rt.task(nested).remote(100)) == 100);
    CHECK(*rt.get(rt.task(plus_one).remote(rt.task(constant).remote(1))) == 2);
  }
}

TEST_CASE("a coroutine that waits holds no thread") {
  gate leave;
  gate ran;
  runtime rt = start({.workers = 1});
  auto pending = rt.task([&] {
                     leave.wait();
                     return 1;
                   })
                     .options({.blocking = true})
                     .remote();
  std::vector<ref<int>> waiting;
  for (int i = 0; i < 1000; ++i) waiting.push_back(rt.task(plus_one).remote(pending));
  // The only worker is free; not by a get, which would run it here.
  while (rt.stats().suspended < 1000) std::this_thread::yield();
  rt.task([&] { ran.open(); }).remote();
  CHECK(ran.wait());
  leave.open();
  for (auto& r : waiting) REQUIRE(*rt.get(r) == 2);
}

TEST_CASE("co_await of what is ready a hundred thousand times needs no stack") {
  runtime rt = start();
  auto ready = rt.put(1);
  auto sum = rt.task([](ref<int> one) -> async<int> {
                 int n = 0;
                 for (int i = 0; i < 100000; ++i) n += co_await one + co_await constant(1);
                 co_return n;
               }).remote(ready);
  CHECK(*rt.get(sum) == 200000);
}

TEST_CASE("a failure ends the awaiting coroutines with the same error and runs their destructors") {
  std::atomic<int> alive{0};
  runtime rt = start();
  bool went_on = false;
  auto inner = [&]() -> async<int> {
    local here(alive);
    co_await sleep_for(1ns);
    co_return co_await fails(errc::io);
  };
  auto outer = rt.task([&]() -> async<int> {
                   local here(alive);
                   int n = co_await inner();
                   went_on = true;
                   co_return n;
                 })
                   .options({.name = "outer"})
                   .remote();
  auto got = rt.get(outer);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::io);
  CHECK(got.error().message() == "as told");
  CHECK(got.error().function() == "outer");
  CHECK(!went_on);
  CHECK(alive == 0);
}

TEST_CASE("as_result gives value or error where it is asked for") {
  runtime rt = start();
  auto bad = rt.task([]() -> result<int> { return errc::busy; }).remote();
  auto seen = rt.task([](ref<int> bad) -> async<int> {
                  auto one = co_await fails(errc::io).as_result();
                  auto two = co_await bad.as_result();
                  auto three = co_await constant(5).as_result();
                  if (code_of(one) != errc::io || code_of(two) != errc::busy) co_return -1;
                  co_return three.value_or(-2);
                }).remote(bad);
  CHECK(*rt.get(seen) == 5);
}

TEST_CASE("within gives up after its time and leaves the task alone") {
  gate started, leave;
  runtime rt = start();
  auto slow = rt.task([&] {
                  started.open();
                  leave.wait();
                  return 1;
                })
                  .options({.blocking = true})
                  .remote();
  CHECK(started.wait());  // or the get below would help with it
  auto seen = rt.task([](ref<int> slow) -> async<int> {
                  auto late = co_await slow.within(1ms);
                  auto never = co_await slow.within(0ns);
                  if (code_of(never) != errc::timeout) co_return errc::malformed;
                  co_return code_of(late);
                }).remote(slow);
  CHECK(failure(rt, seen) == errc::timeout);
  leave.open();
  CHECK(*rt.get(slow) == 1);
  auto in_time = rt.task([](ref<int> ready) -> async<int> {
                     auto r = co_await ready.within(1h);
                     co_return r.value_or(-1);
                   }).remote(slow);
  CHECK(*rt.get(in_time) == 1);
}

TEST_CASE("a get does not run what the coroutine awaits for a limited time only") {
  gate leave;
  runtime rt = start({.workers = 2});
  ref<void> slow;
  auto seen = rt.task([&]() -> async<int> {
                  slow = this_task::runtime().task([&] { leave.wait(); }).remote();
                  auto late = co_await slow.within(1ms);
                  co_return code_of(late);
                }).remote();
  CHECK(failure(rt, seen) == errc::timeout);  // or this thread would wait for the gate
  leave.open();
  CHECK(rt.get(slow).has_value());
}

TEST_CASE("sleep_for lasts at least that long") {
  runtime rt = start();
  auto begin = std::chrono::steady_clock::now();
  auto slept = rt.task([]() -> async<> {
                   co_await sleep_for(2ms);
                   co_await sleep_for(-1s);
                   co_await sleep_for(3ms);
                 }).remote();
  CHECK(rt.get(slept).has_value());
  CHECK(std::chrono::steady_clock::now() - begin >= 5ms);
}

TEST_CASE("an empty ref fails the coroutine that awaits it") {
  runtime rt = start();
  auto seen = rt.task([]() -> async<int> {
                  ref<int> none;
                  co_return code_of(co_await none.as_result());
                }).remote();
  CHECK(failure(rt, seen) == errc::invalid_ref);
  CHECK(failure(rt, rt.task([]() -> async<int> {
                        ref<int> none;
                        co_return co_await none;
                      }).remote()) == errc::invalid_ref);
}

TEST_CASE("a move-only object moves through co_await") {
  runtime rt = start();
  for (int i = 0; i < 500; ++i) {
    auto moved = rt.task([](int n) -> async<int> {
                     auto owned = co_await this_task::runtime()
                                      .task([](int k) { return std::make_unique<int>(k); })
                                      .remote(n);
                     co_return *owned;
                   }).remote(i);
    auto got = rt.get(moved);
    if (!got.has_value()) FAIL(got.error().describe());
    REQUIRE(*got == i);
  }
}

TEST_CASE("a move-only object that others share fails the coroutine that awaits it") {
  runtime rt = start();
  auto shared = rt.put(std::make_unique<int>(1));
  auto take = [](ref<std::unique_ptr<int>> mine) -> async<int> {
    auto kept = co_await mine.as_result();
    if (kept.has_value()) co_return 1;
    co_await std::move(mine);
    co_return errc::unknown;
  };
  CHECK(failure(rt, rt.task(take).remote(shared)) == errc::invalid_argument);
  CHECK(***rt.pin(shared) == 1);
}

TEST_CASE("a coroutine keeps its name, and children keep it as their parent across waits") {
  runtime rt = start();
  auto names = rt.task([]() -> async<std::string> {
                   std::string before = this_task::name();
                   co_await sleep_for(1ms);
                   co_return before + this_task::name();
                 })
                   .options({.name = "co"})
                   .remote();
  CHECK(*rt.get(names) == "coco");
}

TEST_CASE("a coroutine that was never awaited does nothing") {
  std::atomic<int> alive{0};
  {
    auto body = [&]() -> async<> {
      local here(alive);
      co_return;
    };
    auto unused = body();
    async<> moved = std::move(unused);
  }
  CHECK(alive == 0);
}

struct camera {
  int shots = 0;
  async<int> shoot() {
    int mine = ++shots;
    co_await sleep_for(1ns);
    co_return mine * 10 + shots;  // the same when no other call came between
  }
  int count() { return shots; }
};
struct open_camera : camera {
  static constexpr bool reentrant = true;
  async<int> pair(tally* inside) {
    inside->add();
    ++shots;
    while (inside->count() < 2) co_await sleep_for(1ms);
    co_return shots;
  }
};

TEST_CASE("calls to an actor do not enter a coroutine method that waits") {
  runtime rt = start({.workers = 3});
  auto a = rt.actor<camera>().remote();
  std::vector<ref<int>> all;
  for (int i = 0; i < 50; ++i) all.push_back(a.call(&camera::shoot));
  auto count = a.call(&camera::count);
  for (int i = 0; i < 50; ++i) CHECK(*rt.get(all[i]) == (i + 1) * 11);
  CHECK(*rt.get(count) == 50);
}

TEST_CASE("calls to a reentrant actor go on while one waits") {
  tally inside;
  runtime rt = start();
  auto a = rt.actor<open_camera>().remote();
  auto one = a.call(&open_camera::pair, &inside), two = a.call(&open_camera::pair, &inside);
  CHECK(*rt.get(one) == 2);
  CHECK(*rt.get(two) == 2);
}

struct introvert {
  actor_handle<introvert> me;
  void meet(actor_handle<introvert> h) { me = std::move(h); }
  int one() { return 1; }
  async<int> ask() { co_return code_of(co_await me.call(&introvert::one).as_result()); }
  async<int> ask_plainly() { co_return co_await me.call(&introvert::one); }
};
struct extrovert {
  static constexpr bool reentrant = true;
  actor_handle<extrovert> me;
  void meet(actor_handle<extrovert> h) { me = std::move(h); }
  int one() { return 1; }
  async<int> ask() { co_return co_await me.call(&extrovert::one); }
};

TEST_CASE("an actor that awaits a call to itself is told so, unless it is reentrant") {
  runtime rt = start();
  auto in = rt.actor<introvert>().remote();
  in.send(&introvert::meet, in);
  CHECK(failure(rt, in.call(&introvert::ask)) == errc::would_deadlock);
  CHECK(failure(rt, in.call(&introvert::ask_plainly)) == errc::would_deadlock);
  CHECK(*rt.get(in.call(&introvert::one)) == 1);
  auto ex = rt.actor<extrovert>().remote();
  ex.send(&extrovert::meet, ex);
  CHECK(*rt.get(ex.call(&extrovert::ask)) == 1);
  in.send(&introvert::meet, actor_handle<introvert>());
  ex.send(&extrovert::meet, actor_handle<extrovert>());
}

TEST_CASE("a get helps a coroutine that waits for queued tasks") {
  runtime rt = start({.workers = 1});
  auto outer = rt.task([] {
                   runtime_handle here = this_task::runtime();
                   auto co = here.task([]() -> async<int> {
                                   auto deep = this_task::runtime().task([] { return 1; }).remote();
                                   co_return co_await deep +
                                       co_await this_task::runtime().task(constant).remote(2);
                                 })
                                 .remote();
                   return *here.get(co);
                 }).remote();
  CHECK(*rt.get(outer) == 3);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("what a coroutine throws arrives like what a function throws") {
  runtime rt = start();
  auto thrower = [](bool wait) -> async<int> {
    if (wait) co_await sleep_for(1ns);
    throw std::out_of_range("index 7");
    co_return 1;
  };
  for (bool wait : {false, true}) {
    auto got = rt.get(rt.task(thrower).options({.name = "thrower"}).remote(wait));
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::user_exception);
    CHECK(got.error().type() == "std::out_of_range");
    CHECK(got.error().message() == "index 7");
    CHECK(got.error().function() == "thrower");
  }
}
#endif

}  // namespace

}  // namespace coroutines_cases
