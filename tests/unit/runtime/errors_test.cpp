// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <new>
#include <stdexcept>

namespace errors_cases {

namespace {
using namespace runtime_test;

result<int> broken() {
  return error(errc::io, error_layer::user, {"the disk is on fire", "", "", ""}, 5);
}

TEST_CASE("a returned error reaches every waiter with code, message and function") {
  runtime rt = start();
  auto failed = rt.task(broken).options({.name = "read disk"}).remote();
  for (int i = 0; i < 2; ++i) {
    auto got = rt.get(failed);
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::io);
    CHECK(got.error().system() == 5);
    CHECK(got.error().message() == "the disk is on fire");
    CHECK(got.error().function() == "read disk");
    CHECK(mentions(got.error().describe(), "read disk"));
  }
}

TEST_CASE("a success without a value may fail instead") {
  runtime rt = start();
  CHECK(failure(rt, rt.task([]() -> result<void> { return errc::closed; }).remote()) ==
        errc::closed);
}

TEST_CASE("tasks that depend on a failure fail with its code and name the first cause") {
  std::atomic<int> ran{0};
  runtime rt = start();
  auto pass = [&ran](int n) {
    ++ran;
    return n;
  };
  auto first = rt.task(broken).options({.name = "first"}).remote();
  auto second = rt.task(pass).options({.name = "second"}).remote(first);
  auto third = rt.task(pass).options({.name = "third"}).remote(second);
  auto got = rt.get(third);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::io);
  CHECK(got.error().function() == "third");
  CHECK(mentions(got.error().cause(), "first"));
  CHECK(mentions(got.error().cause(), "the disk is on fire"));
  CHECK(!mentions(got.error().cause(), "second"));
  CHECK(ran == 0);
}

TEST_CASE("of several failed arguments one is the cause") {
  runtime rt = start();
  auto bad = rt.task(broken).remote();
  CHECK(failure(rt, rt.task([](int, int, int) {}).remote(bad, rt.put(1), bad)) == errc::io);
}

TEST_CASE("a cancelled argument cancels what depends on it") {
  runtime rt = start({.workers = 1});
  busy_worker busy(rt);
  auto first = rt.task([] { return 1; }).options({.name = "first"}).remote();
  auto second = rt.task([](int n) { return n; }).remote(first);
  CHECK(rt.cancel(first).has_value());
  busy.leave();
  auto got = rt.get(second);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::cancelled);
  CHECK(mentions(got.error().cause(), "first"));
}

TEST_CASE("a get past its timeout leaves the task alone") {
  gate leave;
  runtime rt = start();
  auto slow = rt.task([&] {
                  leave.wait();
                  return 1;
                })
                  .options({.name = "slow"})
                  .remote();
  for (auto timeout : {-1ns, 0ns, 1ns, 1'000'000ns}) {
    auto got = rt.get(slow, timeout);
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::timeout);
    CHECK(got.error().function() == "slow");
  }
  CHECK(code_of(rt.get(std::vector<ref<int>>{slow, slow}, 1ms)) == errc::timeout);
  CHECK(code_of(rt.pin(slow, 1ms)) == errc::timeout);
  leave.open();
  CHECK(*rt.get(slow, 1h) == 1);
}

TEST_CASE("a get inside a task times out too") {
  gate leave;
  runtime rt = start();
  auto slow = rt.task([&] {
                  leave.wait();
                  return 1;
                })
                  .options({.blocking = true})
                  .remote();
  auto code =
      rt.task([](ref<int> r) { return outcome_of(this_task::runtime().get(r, 1ms)); }).remote(slow);
  CHECK(failure(rt, code) == errc::timeout);
  leave.open();
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("what a function throws arrives with type, message and function") {
  struct own_type {};
  runtime rt = start();
  auto failed = rt.task([]() -> int { throw std::out_of_range("index 7"); })
                    .options({.name = "thrower"})
                    .remote();
  auto got = rt.get(failed);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::user_exception);
  CHECK(got.error().type() == "std::out_of_range");
  CHECK(got.error().message() == "index 7");
  CHECK(got.error().function() == "thrower");
  auto odd = rt.get(rt.task([] { throw 42; }).remote());
  REQUIRE(!odd.has_value());
  CHECK(odd.error().code() == errc::user_exception);
  CHECK(odd.error().type() == "int");
  CHECK(mentions(rt.get(rt.task([] { throw own_type{}; }).remote()).error().type(), "own_type"));
}

TEST_CASE("running out of memory fails the task and the runtime lives") {
  runtime rt = start();
  auto failed = rt.task([]() -> int { throw std::bad_alloc(); }).remote();
  CHECK(failure(rt, failed) == errc::no_memory);
  CHECK(*rt.get(rt.task([] { return 1; }).remote()) == 1);
}

TEST_CASE("a thrown error of a dependency stays the cause") {
  runtime rt = start();
  auto first =
      rt.task([]() -> int { throw std::runtime_error("why"); }).options({.name = "first"}).remote();
  auto got = rt.get(rt.task([](int n) { return n; }).remote(first));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::user_exception);
  CHECK(mentions(got.error().cause(), "why"));
  CHECK(mentions(got.error().cause(), "first"));
}
#endif

}  // namespace

}  // namespace errors_cases
