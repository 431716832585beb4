// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace tasks_cases {

namespace {
using namespace runtime_test;

int add(int a, int b) { return a + b; }
result<int> halve(int n) {
  if (n % 2 != 0) return error(errc::invalid_argument);
  return n / 2;
}
int fibonacci(int n) {
  if (n < 2) return n;
  runtime_handle rt = this_task::runtime();
  auto one = rt.task(fibonacci).remote(n - 1);
  auto two = rt.task(fibonacci).remote(n - 2);
  return *rt.get(one) + *rt.get(two);
}
struct scale {
  int factor;
  int operator()(int n) const { return factor * n; }
};

TEST_CASE("a task returns what its function returns") {
  runtime rt = start();
  SUBCASE("a function") { CHECK(*rt.get(rt.task(add).remote(1, 2)) == 3); }
  SUBCASE("a lambda") {
    CHECK(*rt.get(rt.task([](int n) { return n + 1; }).remote(1)) == 2);
  }
  SUBCASE("a function object") { CHECK(*rt.get(rt.task(scale{3}).remote(5)) == 15); }
  SUBCASE("a result with a value") { CHECK(*rt.get(rt.task(halve).remote(8)) == 4); }
  SUBCASE("nothing") {
    std::atomic<bool> ran{false};
    CHECK(rt.get(rt.task([&] { ran = true; }).remote()).has_value());
    CHECK(ran);
  }
  SUBCASE("a success without a value") {
    CHECK(rt.get(rt.task([]() -> result<void> { return {}; }).remote()).has_value());
  }
}

TEST_CASE("a callable with state is moved into its task") {
  runtime rt = start();
  auto owned = std::make_unique<int>(7);
  CHECK(*rt.get(rt.task([owned = std::move(owned)] { return *owned; }).remote()) == 7);
}

TEST_CASE("tasks submit tasks and wait for them") {
  for (unsigned workers : {0u, 1u, 4u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers});
    CHECK(*rt.get(rt.task(fibonacci).remote(15)) == 610);
  }
}

TEST_CASE("a get outside of a task brings the result however the thread helps") {
  for (help how : {help::nothing, help::awaited, help::anything}) {
    runtime rt = start({.workers = 2, .get_helps = how});
    CHECK(*rt.get(rt.task(fibonacci).remote(12)) == 144);
  }
}

TEST_CASE("many tasks of many threads all run once") {
  std::atomic<int> ran{0};
  runtime rt = start({.workers = 3});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::vector<ref<int>> refs;
      for (int i = 0; i < 2000; ++i)
        refs.push_back(rt.task([&ran](int n) {
                           ran.fetch_add(1);
                           return n;
                         }).remote(i));
      auto values = rt.get(refs);
      if (!values.has_value() || values->size() != 2000 || values->back() != 1999)
        FAIL_CHECK("wrong values");
    });
  for (auto& t : threads) t.join();
  CHECK(ran == 8000);
}

TEST_CASE("a task runs also when its ref is dropped") {
  gate ran;
  runtime rt = start();
  rt.task([&] { ran.open(); }).remote();
  CHECK(ran.wait());
}

TEST_CASE("a task knows its name, its attempt and its runtime") {
  runtime rt = start();
  auto seen = rt.task([] {
                  return std::to_string(this_task::attempt()) + this_task::name() +
                         std::string(this_task::runtime().name_space());
                })
                  .options({.name = "curious"})
                  .remote();
  CHECK(*rt.get(seen) == "0curiousdefault");
}

TEST_CASE("outside of a task there is no task") {
  runtime rt = start();
  CHECK(!this_task::cancelled());
  CHECK(this_task::name().empty());
  CHECK(this_task::attempt() == 0);
  CHECK(!this_task::runtime());
  CHECK(code_of(this_actor::exit()) == errc::not_found);
}

TEST_CASE("a periodic task runs again and again until its handle goes") {
  tally runs;
  runtime rt = start();
  {
    periodic_task every = rt.every(1ms, [&] { runs.add(); });
    CHECK(runs.reaches(3));
  }
  // One that runs now goes on; after it none follows.
  CHECK(rt.stop({.drain = true}).has_value());
  int after = runs.count();
  CHECK(after >= 3);
  CHECK(runs.count() == after);
}

TEST_CASE("a stopped periodic task does not keep a draining runtime") {
  gate ran;
  runtime rt = start();
  periodic_task every = rt.every(1ms, [&] { ran.open(); });
  CHECK(ran.wait());
  every.stop();
  auto report = rt.stop({.drain = true});
  REQUIRE(report.has_value());
  CHECK(report->drained);
}

}  // namespace

}  // namespace tasks_cases
