// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <thread>

namespace actor_construction_cases {

namespace {
using namespace runtime_test;

struct counted {
  explicit counted(std::atomic<int>* l, int n = 0) : live(l), value(n) { ++*live; }
  ~counted() { --*live; }
  int get() { return value; }
  std::atomic<int>* live;
  int value;
};

TEST_CASE("no call runs before the constructor, whoever makes it") {
  std::atomic<int> live{0};
  gate go;
  runtime rt = start();
  auto late = rt.task([&] {
                  go.wait();
                  return 7;
                }).remote();
  auto a = rt.actor<counted>().remote(&live, late);
  ref<int> mine = a.call(&counted::get), other;
  std::thread([&] { other = a.call(&counted::get); }).join();
  go.open();
  CHECK(rt.get(mine).value_or(-1) == 7);
  CHECK(rt.get(other).value_or(-1) == 7);
}

TEST_CASE("a mailbox that keeps the latest call never drops the constructor") {
  for (auto policy : {mailbox_policy::keep_latest, mailbox_policy::drop_oldest}) {
    std::atomic<int> live{0};
    runtime rt = start({.workers = 1});
    busy_worker busy(rt);
    auto a = rt.actor<counted>()
                 .options({.mailbox_capacity = 1, .mailbox_policy = policy})
                 .remote(&live, 5);
    auto first = a.call(&counted::get);
    auto second = a.call(&counted::get);
    busy.leave();
    CHECK(failure(rt, first) == errc::dropped);
    CHECK(rt.get(second).value_or(-1) == 5);
  }
}

TEST_CASE("calls that a mailbox refuses do not keep the runtime from stopping") {
  for (auto policy : {mailbox_policy::keep_latest, mailbox_policy::reject}) {
    std::atomic<int> live{0};
    runtime rt = start({.workers = 1});
    {
      busy_worker busy(rt);
      auto a = rt.actor<counted>()
                   .options({.mailbox_capacity = 2, .mailbox_policy = policy})
                   .remote(&live, 5);
      for (int i = 0; i < 10; ++i) a.send(&counted::get);
    }
    CHECK(rt.stop({.drain = true}).value().drained);
    CHECK(live == 0);
  }
}

TEST_CASE("a state that was never constructed is never destroyed") {
  std::atomic<int> live{0};
  SUBCASE("its argument failed") {
    runtime rt = start();
    auto failed = rt.task([]() -> result<int> { return errc::io; }).remote();
    auto a = rt.actor<counted>().remote(&live, failed);
    CHECK(failure(rt, a.call(&counted::get)) == errc::actor_died);
  }
  SUBCASE("it was killed before its turn") {
    runtime rt = start({.workers = 1});
    busy_worker busy(rt);
    auto a = rt.actor<counted>().remote(&live, 1);
    auto call = a.call(&counted::get);
    rt.kill(a);
    busy.leave();
    CHECK(failure(rt, call) == errc::actor_died);
  }
  SUBCASE("the runtime stopped first") {
    runtime rt = start();
    auto late = rt.task([] {
                    while (!this_task::cancelled()) std::this_thread::yield();
                    return 1;
                  }).remote();
    auto a = rt.actor<counted>().remote(&live, late);
    CHECK(rt.stop().has_value());
  }
  CHECK(live == 0);
}

}  // namespace

}  // namespace actor_construction_cases
