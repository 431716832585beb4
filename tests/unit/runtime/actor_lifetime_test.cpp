// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <memory>
#include <thread>

namespace actor_lifetime_cases {

namespace {
using namespace runtime_test;

/// Opens a gate when it goes.
struct mortal {
  explicit mortal(gate* d) : died(d) {}
  mortal(const mortal&) = delete;
  ~mortal() { died->open(); }
  gate* died;
  int ping() { return 1; }
  result<void> leave() { return this_actor::exit(); }
  int run(gate* started) {
    started->open();
    while (!this_task::cancelled()) std::this_thread::yield();
    return 7;
  }
};
struct other_type {};

TEST_CASE("an actor ends with its last handle, after the calls already made") {
  gate died;
  runtime rt = start();
  ref<int> last;
  {
    auto a = rt.actor<mortal>().remote(&died);
    auto copy = a;
    for (int i = 0; i < 100; ++i) last = copy.call(&mortal::ping);
  }
  CHECK(*rt.get(last) == 1);
  CHECK(died.wait());
}

TEST_CASE("a pending argument keeps a call and its actor") {
  gate died, leave;
  runtime rt = start();
  auto pending = rt.task([&] {
                     leave.wait();
                     return 2;
                   })
                     .options({.blocking = true})
                     .remote();
  auto answer = rt.actor<mortal>().remote(&died).call([](mortal&, int n) { return n; }, pending);
  CHECK(!died.is_open());
  leave.open();
  CHECK(*rt.get(answer) == 2);
  CHECK(died.wait());
}

TEST_CASE("a detached actor lives without handles until the runtime ends") {
  gate died;
  {
    runtime rt = start();
    rt.actor<mortal>().options({.name = "stays", .lifetime = lifetime::detached}).remote(&died);
    for (int i = 0; i < 10; ++i) {
      auto found = rt.get_actor<mortal>("stays");
      REQUIRE(found.has_value());
      CHECK(*rt.get(found->call(&mortal::ping)) == 1);
    }
    CHECK(!died.is_open());
  }
  CHECK(died.is_open());
}

TEST_CASE("a killed detached actor goes") {
  gate died;
  runtime rt = start();
  rt.actor<mortal>().options({.name = "stays", .lifetime = lifetime::detached}).remote(&died);
  auto found = rt.get_actor<mortal>("stays").value();
  CHECK(*rt.get(found.call(&mortal::ping)) ==
        1);  // a killed actor that was never constructed does not die
  rt.kill(found);
  CHECK(died.wait());
  CHECK(code_of(rt.get_actor<mortal>("stays")) == errc::not_found);
}

TEST_CASE("kill fails the calls that wait, and the one that runs sees it") {
  gate died, started;
  runtime rt = start();
  auto a = rt.actor<mortal>().remote(&died);
  auto running = a.call(&mortal::run, &started);
  auto waiting = a.call(&mortal::ping);
  CHECK(started.wait());
  rt.kill(a);
  CHECK(*rt.get(running) == 7);
  auto got = rt.get(waiting);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::actor_died);
  CHECK(mentions(got.error().describe(), "killed"));
  CHECK(died.wait());
  CHECK(failure(rt, a.call(&mortal::ping)) == errc::actor_died);
  rt.kill(a);
  rt.kill(actor_handle<mortal>());
}

TEST_CASE("kill ends a coroutine call at its wait") {
  struct sleeper {
    async<int> sleep() {
      co_await sleep_for(1h);
      co_return 1;
    }
  };
  runtime rt = start();
  auto a = rt.actor<sleeper>().remote();
  auto call = a.call(&sleeper::sleep);
  while (rt.stats().suspended == 0) std::this_thread::yield();
  rt.kill(a);
  CHECK(failure(rt, call) == errc::cancelled);
  CHECK(failure(rt, a.call(&sleeper::sleep)) == errc::actor_died);
}

TEST_CASE("an actor leaves by itself after the call that says so") {
  gate died;
  runtime rt = start();
  auto a = rt.actor<mortal>().remote(&died);
  CHECK(rt.get(a.call(&mortal::leave)).has_value());
  auto got = rt.get(a.call(&mortal::ping));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::actor_died);
  CHECK(died.wait());
}

TEST_CASE("a named actor is found by name within its namespace") {
  gate one_died, two_died;
  runtime rt = start({.workers = 2, .name_space = "home"});
  auto one = rt.actor<mortal>().options({.name = "m"}).remote(&one_died);
  auto two = rt.actor<mortal>().options({.name = "m", .name_space = "away"}).remote(&two_died);
  CHECK(*rt.get_actor<mortal>("m") == one);
  CHECK(*rt.get_actor<mortal>("m", "home") == one);
  CHECK(*rt.get_actor<mortal>("m", "away") == two);
  auto none = rt.get_actor<mortal>("unheard of");
  REQUIRE(!none.has_value());
  CHECK(none.error().code() == errc::not_found);
  CHECK(mentions(none.error().message(), "unheard of"));
  auto wrong = rt.get_actor<other_type>("m");
  REQUIRE(!wrong.has_value());
  CHECK(wrong.error().code() == errc::invalid_argument);
}

TEST_CASE("a name that is taken is refused, or taken over on request") {
  gate died, second_died;
  runtime rt = start();
  auto first = rt.actor<mortal>().options({.name = "m"}).remote(&died);
  auto refused = rt.actor<mortal>().options({.name = "m"}).remote(&second_died);
  auto got = rt.get(refused.call(&mortal::ping));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::already_exists);
  CHECK(mentions(got.error().message(), "'m'"));
  CHECK(!second_died.is_open());
  CHECK(rt.actor<mortal>().options({.name = "m", .get_if_exists = true}).remote(&second_died) ==
        first);
  CHECK(*rt.get(first.call(&mortal::ping)) == 1);
}

TEST_CASE("get_if_exists makes one actor however many ask at a time") {
  gate died;
  runtime rt = start({.workers = 2});
  std::vector<std::thread> threads;
  std::vector<actor_handle<mortal>> handles(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      handles[t] = rt.actor<mortal>().options({.name = "one", .get_if_exists = true}).remote(&died);
    });
  for (auto& t : threads) t.join();
  for (auto& h : handles) {
    CHECK(h == handles[0]);
    CHECK(*rt.get(h.call(&mortal::ping)) == 1);
  }
}

TEST_CASE("get_if_exists waits for who is about to make the actor, however slow that thread is") {
  gate died;
  runtime rt = start({.workers = 2});
  const actor_options one{.name = "one", .get_if_exists = true};
  auto first = rt.actor<mortal>().options(one).remote(&died);
  REQUIRE(rt.get(first.call(&mortal::ping)).has_value());
  first.core()->findable = false;  // as before its first call
  actor_handle<mortal> second;
  std::thread asks([&] { second = rt.actor<mortal>().options(one).remote(&died); });
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
  first.core()->findable = true;
  asks.join();
  CHECK(first == second);
}

TEST_CASE("a name is free again when its actor has gone") {
  gate first_died, second_died;
  runtime rt = start();
  {
    auto first = rt.actor<mortal>().options({.name = "m"}).remote(&first_died);
    rt.kill(first);
    CHECK(failure(rt, first.call(&mortal::ping)) == errc::actor_died);
  }
  auto second = rt.actor<mortal>().options({.name = "m"}).remote(&second_died);
  CHECK(*rt.get(second.call(&mortal::ping)) == 1);
}

TEST_CASE("an actor holds its resources for life") {
  gate died, other_died;
  runtime rt = start({.workers = 1, .resources = {{"camera", 1}}});
  {
    auto a = rt.actor<mortal>().options({.resources = {{"camera", 1}}}).remote(&died);
    CHECK(*rt.get(a.call(&mortal::ping)) == 1);
    auto refused = rt.actor<mortal>().options({.resources = {{"camera", 0.5}}}).remote(&other_died);
    CHECK(failure(rt, refused.call(&mortal::ping)) == errc::busy);
  }
  CHECK(died.wait());
  auto next = rt.task([] { return 1; }).options({.resources = {{"camera", 1}}}).remote();
  CHECK(*rt.get(next) == 1);
}

TEST_CASE("a handle that outlives its runtime answers that it has stopped") {
  gate died;
  actor_handle<mortal> a;
  CHECK(!a);
  {
    runtime rt = start();
    a = rt.actor<mortal>().remote(&died);
    CHECK(*rt.get(a.call(&mortal::ping)) == 1);
  }
  CHECK(died.is_open());
  runtime other = start();
  CHECK(failure(other, a.call(&mortal::ping)) == errc::stopped);
  actor_handle<mortal> none;
  CHECK(failure(other, none.call(&mortal::ping)) == errc::invalid_ref);
}

TEST_CASE("many actors live at a time and each answers") {
  struct tiny {
    int n;
    explicit tiny(int i) : n(i) {}
    int get() { return n; }
  };
  runtime rt = start();
  std::vector<actor_handle<tiny>> all;
  for (int i = 0; i < 20000; ++i) all.push_back(rt.actor<tiny>().remote(i));
  long sum = 0;
  for (auto& a : all) sum += *rt.get(a.call(&tiny::get));
  CHECK(sum == 199990000);
  CHECK(rt.stats().actors == 20000);
}

}  // namespace

}  // namespace actor_lifetime_cases
