// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace actors_cases {

namespace {
using namespace runtime_test;

struct counter {
  counter() = default;
  explicit counter(int start) : n(start) {}
  int n = 0;
  int add(int by) { return n += by; }
  int value() const { return n; }
  result<int> divide(int by) {
    if (by == 0) return errc::invalid_argument;
    return n / by;
  }
};

struct person {
  person(std::string n, const std::vector<int>& l) : name(std::move(n)), list(l) {}
  std::string name;
  std::vector<int> list;
  std::string describe() { return name + std::to_string(list.size()); }
};

struct keeper {
  explicit keeper(ref<int> r) : kept(std::move(r)) {}
  ref<int> kept;
  bool ready() { return kept.ready(); }
};

TEST_CASE("an actor keeps its state between calls") {
  for (unsigned workers : {0u, 1u, 2u}) {
    runtime rt = start({.workers = workers});
    auto a = rt.actor<counter>().remote(10);
    CHECK(*rt.get(a.call(&counter::add, 1)) == 11);
    CHECK(*rt.get(a.call(&counter::add, rt.put(2))) == 13);
    CHECK(*rt.get(a.call(&counter::value)) == 13);
    CHECK(failure(rt, a.call(&counter::divide, 0)) == errc::invalid_argument);
    CHECK(*rt.get(a.call([](counter& c, int k) { return c.n * k; }, 2)) == 26);
  }
}

TEST_CASE("constructor arguments may be refs that are waited for") {
  gate leave;
  runtime rt = start();
  auto list = rt.task([&] {
                  leave.wait();
                  return std::vector<int>{1, 2, 3};
                }).remote();
  auto a = rt.actor<person>().remote("Ada", list);
  auto text = a.call(&person::describe);
  CHECK(!text.ready());
  leave.open();
  CHECK(*rt.get(text) == "Ada3");
}

TEST_CASE("a constructor that takes a ref gets it as it is") {
  gate leave;
  runtime rt = start();
  auto pending = rt.task([&] {
                     leave.wait();
                     return 1;
                   })
                     .options({.blocking = true})
                     .remote();
  auto a = rt.actor<keeper>().remote(pending);
  CHECK(*rt.get(a.call(&keeper::ready)) == false);
  leave.open();
}

TEST_CASE("a failed constructor argument is the actor's death and the cause") {
  runtime rt = start();
  auto bad = rt.task([]() -> result<int> { return errc::io; }).options({.name = "reader"}).remote();
  auto a = rt.actor<counter>().remote(bad);
  auto got = rt.get(a.call(&counter::value));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::actor_died);
  CHECK(mentions(got.error().cause(), "reader"));
}

TEST_CASE("the calls of one caller arrive in order") {
  runtime rt = start({.workers = 3});
  auto a = rt.actor<counter>().remote();
  std::vector<ref<bool>> in_order;
  for (int i = 0; i < 5000; ++i)
    in_order.push_back(a.call([](counter& c, int expected) { return c.n++ == expected; }, i));
  auto all = rt.get(in_order);
  REQUIRE(all.has_value());
  for (bool b : *all) REQUIRE(b);
}

TEST_CASE("each of several callers keeps its order") {
  struct log {
    std::vector<int> last = std::vector<int>(4, -1);
    int wrong = 0;
    void note(int who, int i) {
      if (last[who] + 1 != i) ++wrong;
      last[who] = i;
    }
    int failures() { return wrong; }
  };
  runtime rt = start({.workers = 3});
  auto a = rt.actor<log>().remote();
  std::vector<ref<void>> callers;
  for (int who = 0; who < 3; ++who)
    callers.push_back(rt.task([a, who] {
                          for (int i = 0; i < 2000; ++i) a.send(&log::note, who, i);
                        }).remote());
  for (int i = 0; i < 2000; ++i) a.send(&log::note, 3, i);
  CHECK(rt.get(callers).has_value());
  CHECK(*rt.get(a.call(&log::failures)) == 0);
}

TEST_CASE("a call whose argument is not ready holds up only its own caller") {
  gate leave;
  runtime rt = start({.workers = 2});
  auto pending = rt.task([&] {
                     leave.wait();
                     return 100;
                   })
                     .options({.blocking = true})
                     .remote();
  auto a = rt.actor<counter>().remote();
  auto first = a.call(&counter::add, pending);
  auto second = a.call(&counter::add, 1);
  auto other =
      rt.task([a] { return *this_task::runtime().get(a.call(&counter::add, 10)); }).remote();
  CHECK(*rt.get(other) == 10);
  CHECK(!first.ready());
  CHECK(!second.ready());
  leave.open();
  CHECK(*rt.get(first) == 110);
  CHECK(*rt.get(second) == 111);
}

TEST_CASE("a call whose argument failed fails and holds up nobody") {
  runtime rt = start();
  auto a = rt.actor<counter>().remote();
  auto bad = rt.task([]() -> result<int> { return errc::io; }).options({.name = "reader"}).remote();
  auto failed = a.call(&counter::add, bad);
  CHECK(*rt.get(a.call(&counter::add, 1)) == 1);
  auto got = rt.get(failed);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::io);
  CHECK(mentions(got.error().cause(), "reader"));
}

TEST_CASE("a handle is a value: held in arguments, results and other actors") {
  struct friendly {
    explicit friendly(actor_handle<counter> c) : other(std::move(c)) {}
    actor_handle<counter> other;
    ref<int> tell(int n) { return other.call(&counter::add, n); }
    actor_handle<counter> give() { return other; }
  };
  runtime rt = start();
  auto a = rt.actor<counter>().remote();
  auto f = rt.actor<friendly>().remote(a);
  CHECK(*rt.get(*rt.get(f.call(&friendly::tell, 5))) == 5);
  auto same = rt.get(f.call(&friendly::give));
  REQUIRE(same.has_value());
  CHECK(*same == a);
  CHECK(*rt.get(rt.task([](actor_handle<counter> h) {
                    return *this_task::runtime().get(h.call(&counter::add, 1));
                  }).remote(a)) == 6);
}

TEST_CASE("without max_concurrency calls never overlap") {
  struct exclusive {
    std::atomic<int> inside{0};
    bool overlapped = false;
    void enter() {
      if (inside.fetch_add(1) != 0) overlapped = true;
      inside.fetch_sub(1);
    }
    bool seen() { return overlapped; }
  };
  runtime rt = start({.workers = 4});
  auto a = rt.actor<exclusive>().remote();
  std::vector<ref<void>> callers;
  for (int t = 0; t < 8; ++t)
    callers.push_back(rt.task([a] {
                          for (int i = 0; i < 500; ++i) a.send(&exclusive::enter);
                        }).remote());
  CHECK(rt.get(callers).has_value());
  CHECK(*rt.get(a.call(&exclusive::seen)) == false);
}

struct meeting {
  std::atomic<int> now{0}, most{0};
  tally arrived;
  void attend(int expected) {
    int seen = now.fetch_add(1) + 1;
    for (int m = most; m < seen && !most.compare_exchange_weak(m, seen);) {}
    arrived.add();
    arrived.reaches(expected);
    now.fetch_sub(1);
  }
  int largest() { return most; }
};

TEST_CASE("with max_concurrency that many calls run at a time and no more") {
  runtime rt = start({.workers = 4});
  auto a = rt.actor<meeting>().options({.max_concurrency = 3}).remote();
  std::vector<ref<void>> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(a.call(&meeting::attend, 3));
  CHECK(rt.get(calls, safety).has_value());
  CHECK(*rt.get(a.call(&meeting::largest)) == 3);
}

TEST_CASE("a concurrency group has a limit of its own") {
  runtime rt = start({.workers = 4});
  auto a = rt.actor<meeting>().options({.concurrency_groups = {{"io", 2}}}).remote();
  std::vector<ref<void>> calls;
  for (int i = 0; i < 20; ++i)
    calls.push_back(a.options({.concurrency_group = "io"}).call(&meeting::attend, 3));
  calls.push_back(a.call(&meeting::attend, 3));  // the third at the meeting comes beside the group
  CHECK(rt.get(calls, safety).has_value());
  CHECK(*rt.get(a.call(&meeting::largest)) <= 3);
}

TEST_CASE("a call's name and deadline are its own") {
  gate started, leave;
  runtime rt = start();
  auto a = rt.actor<counter>().remote();
  a.send([&](counter&) {
    started.open();
    leave.wait();
  });
  CHECK(started.wait());
  auto late = a.options({.name = "late call", .deadline = 1ns}).call(&counter::add, 1);
  leave.open();
  auto got = rt.get(late);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::deadline);
  CHECK(got.error().function() == "late call");
  CHECK(*rt.get(a.call(&counter::value)) == 0);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("a constructor that throws is the actor's death and the cause") {
  struct broken {
    broken() { throw std::runtime_error("no camera"); }
    int f() { return 1; }
  };
  runtime rt = start();
  auto a = rt.actor<broken>().remote();
  auto early = a.call(&broken::f);
  auto got = rt.get(early);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::actor_died);
  CHECK(mentions(got.error().cause(), "no camera"));
  auto late = rt.get(a.call(&broken::f));
  REQUIRE(!late.has_value());
  CHECK(late.error().code() == errc::actor_died);
  CHECK(mentions(late.error().describe(), "no camera"));
}

TEST_CASE("a method that throws fails its call, not the actor") {
  runtime rt = start();
  auto a = rt.actor<counter>().remote(1);
  auto got = rt.get(a.call([](counter&) -> int { throw std::runtime_error("oops"); }));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::user_exception);
  CHECK(got.error().message() == "oops");
  CHECK(*rt.get(a.call(&counter::value)) == 1);
}
#endif

}  // namespace

}  // namespace actors_cases
