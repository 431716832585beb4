// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace refs_cases {

namespace {
using namespace runtime_test;

std::unique_ptr<int> make_owned(int n) { return std::make_unique<int>(n); }

TEST_CASE("a put value is ready at once and stays the same") {
  runtime rt = start();
  ref<std::string> text = rt.put(std::string("hello"));
  CHECK(text);
  CHECK(text.ready());
  CHECK(*rt.get(text) == "hello");
  CHECK(*rt.get(text) == "hello");
}

TEST_CASE("refs are equal when they point to the same object") {
  runtime rt = start();
  auto a = rt.put(1), b = rt.put(1);
  auto copy = a;
  CHECK(a == copy);
  CHECK(!(a == b));
  auto moved = std::move(copy);
  CHECK(!copy);
  CHECK(a == moved);
}

TEST_CASE("an empty ref is refused by name") {
  runtime rt = start();
  ref<int> none;
  CHECK(!none.ready());
  CHECK(failure(rt, none) == errc::invalid_ref);
  CHECK(code_of(rt.pin(none)) == errc::invalid_ref);
  CHECK(code_of(rt.wait(std::vector<ref<int>>{rt.put(1), none})) == errc::invalid_ref);
  errc seen = errc::ok;
  rt.on_ready(none, [&](result<int> r) { seen = code_of(r); });
  CHECK(seen == errc::invalid_ref);
}

TEST_CASE("get of many keeps their order and gives the first error instead") {
  runtime rt = start();
  std::vector<ref<int>> refs;
  for (int i = 0; i < 100; ++i) refs.push_back(rt.task([](int n) { return n; }).remote(i));
  auto values = rt.get(refs);
  REQUIRE(values.has_value());
  for (int i = 0; i < 100; ++i) CHECK((*values)[i] == i);
  refs.insert(refs.begin() + 50,
              rt.task([]() -> result<int> { return error(errc::busy); }).remote());
  CHECK(code_of(rt.get(refs)) == errc::busy);
  CHECK(rt.get(std::vector<ref<int>>{})->empty());
  CHECK(rt.get(std::vector<ref<void>>{rt.task([] {}).remote()}).has_value());
}

TEST_CASE("wait tells what is ready in the order of the refs given") {
  gate leave;
  runtime rt = start({.workers = 1});
  auto slow = rt.task([&] {
                  leave.wait();
                  return 1;
                })
                  .options({.blocking = true})
                  .remote();
  auto fast = rt.put(2), failed = rt.task([]() -> result<int> { return errc::busy; }).remote();
  std::vector<ref<int>> all{slow, fast, failed};
  auto two = rt.wait(all, {.num_returns = 2});
  REQUIRE(two.has_value());
  CHECK(two->ready == std::vector<ref<int>>{fast, failed});
  CHECK(two->unready == std::vector<ref<int>>{slow});
  auto timed = rt.wait(all, {.num_returns = 3, .timeout = 1ms});
  REQUIRE(timed.has_value());
  CHECK(timed->unready.size() == 1);
  leave.open();
  auto three = rt.wait(all, {.num_returns = 3});
  REQUIRE(three.has_value());
  CHECK(three->ready == all);
  CHECK(rt.wait(all, {.num_returns = 1000})->ready.size() == 3);
  CHECK(rt.wait(all, {.num_returns = 0}).has_value());
}

TEST_CASE("wait inside a task runs what it waits for") {
  runtime rt = start({.workers = 1});
  auto outer = rt.task([] {
                   runtime_handle here = this_task::runtime();
                   std::vector<ref<int>> refs;
                   for (int i = 0; i < 10; ++i)
                     refs.push_back(here.task([i] { return i; }).remote());
                   auto all = here.wait(refs, {.num_returns = refs.size()});
                   return all.has_value() ? all->ready.size() : 0;
                 }).remote();
  CHECK(*rt.get(outer) == 10);
}

TEST_CASE("pin holds the object without a copy") {
  runtime rt = start();
  auto object = rt.put(std::make_unique<int>(5));
  auto held = rt.pin(object);
  auto again = rt.pin(object);
  REQUIRE(held.has_value());
  REQUIRE(again.has_value());
  CHECK(held->get() == again->get());
  object = {};
  CHECK(***held == 5);
  CHECK(code_of(rt.pin(rt.task([]() -> result<int> { return errc::busy; }).remote())) ==
        errc::busy);
}

TEST_CASE("on_ready is called once, with the value or the error") {
  gate leave;
  tally calls;
  std::atomic<int> sum{0};
  runtime rt = start();
  auto pending = rt.task([&] {
                     leave.wait();
                     return 40;
                   }).remote();
  auto add = [&](result<int> r) {
    sum += r.value_or(2);
    calls.add();
  };
  rt.on_ready(pending, add);
  leave.open();
  CHECK(calls.reaches(1));
  rt.on_ready(pending, add);  // ready: at once
  CHECK(calls.count() == 2);
  auto failed = rt.task([]() -> result<int> { return errc::busy; }).remote();
  rt.on_ready(failed, add);
  CHECK(calls.reaches(3));
  CHECK(sum == 82);
}

TEST_CASE("a callback may submit tasks and hold refs") {
  gate done;
  runtime rt = start();
  rt.on_ready(rt.task([] { return 1; }).remote(), [&](result<int> r) {
    rt.on_ready(rt.task([n = *r] { return n + 1; }).remote(), [&](result<int> next) {
      if (*next == 2) done.open();
    });
  });
  CHECK(done.wait());
}

TEST_CASE("a tuple splits into refs of its elements") {
  runtime rt = start();
  auto [number, text] =
      rt.split(rt.task([] { return std::tuple(1, std::string("one")); }).remote());
  CHECK(*rt.get(number) == 1);
  CHECK(*rt.get(text) == "one");
  auto [a, b] =
      rt.split(rt.task([]() -> result<std::tuple<int, int>> { return errc::busy; }).remote());
  CHECK(failure(rt, a) == errc::busy);
  CHECK(failure(rt, b) == errc::busy);
}

TEST_CASE("the last ref of a move-only object is moved out of") {
  runtime rt = start();
  for (int i = 0; i < 2000; ++i) {
    auto value = rt.get(rt.task(make_owned).remote(i));
    if (!value.has_value()) FAIL(value.error().describe());
    REQUIRE(**value == i);
  }
}

TEST_CASE("a move-only object that others share is not taken from them") {
  runtime rt = start();
  auto mine = rt.put(std::make_unique<int>(1));
  auto other = mine;
  auto refused = rt.get(std::move(mine));
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == errc::invalid_argument);
  CHECK(mentions(refused.error().message(), "pin"));
  CHECK(***rt.pin(other) == 1);
}

TEST_CASE("a value read through a shared ref is a copy") {
  runtime rt = start();
  auto mine = rt.put(std::string(100, 'x'));
  auto other = mine;
  CHECK(rt.get(std::move(mine))->size() == 100);
  CHECK(rt.get(other)->size() == 100);
}

TEST_CASE("a ref outlives its runtime: what was ready stays, what was pending has stopped") {
  ref<int> ready, pending, dropped;
  {
    runtime rt = start({.workers = 1});
    ready = rt.task([] { return 1; }).remote();
    CHECK(*rt.get(ready) == 1);
    pending = rt.task([](int n) { return n; }).options({.delay = 1h}).remote(2);
    dropped = rt.task([](int n) { return n; }).remote(pending);
  }
  runtime other = start();
  CHECK(*other.get(ready) == 1);
  CHECK(failure(other, pending) == errc::stopped);
  CHECK(failure(other, dropped) == errc::stopped);
  CHECK(*other.get(other.task([](int n) { return n + 1; }).remote(ready)) == 2);
}

TEST_CASE("values are destroyed with their last ref") {
  struct counted {
    std::shared_ptr<int> life;
  };
  runtime rt = start();
  auto life = std::make_shared<int>(0);
  {
    auto object = rt.put(counted{life});
    auto copy = object;
    CHECK(life.use_count() == 2);
  }
  CHECK(life.use_count() == 1);
}

TEST_CASE("an over-aligned value lies where it must") {
  struct alignas(128) wide {
    char bytes[128];
  };
  runtime rt = start();
  auto made = rt.task([] { return wide{}; }).remote();
  auto held = rt.pin(made);
  REQUIRE(held.has_value());
  CHECK(reinterpret_cast<std::uintptr_t>(held->get()) % 128 == 0);
  CHECK(*rt.get(rt.task([](const wide& w) {
                    return reinterpret_cast<std::uintptr_t>(&w) % 128;
                  }).remote(made)) == 0);
}

}  // namespace

}  // namespace refs_cases
