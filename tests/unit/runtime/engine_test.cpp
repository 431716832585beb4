// SPDX-License-Identifier: Apache-2.0
// What leaves through the engine and comes back: its counters prove that it really travelled.

#include "loopback_engine.hpp"
#include "support.hpp"

#include <beamlet/sched/extra.hpp>

#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace engine_test {
using namespace runtime_test;

struct point {
  int x = 0;
  int y = 0;
  BEAMLET_FIELDS(x, y);
};

int add(int a, int b) { return a + b; }
double add(double a, double b) { return a + b; }
point mirror(const point& p) { return {p.y, p.x}; }
struct unique {
  explicit unique(int n = 0) : number(n) {}
  unique(unique&&) = default;
  unique& operator=(unique&&) = default;
  int number;
  BEAMLET_FIELDS(number);
};
unique grow(unique u) { return unique(u.number + 1); }
result<int> refuse(int code) {
  return error(errc::user_error, error_layer::user,
               {"no " + std::to_string(code), "kind", "", "why"}, code);
}
void nothing() {}
async<int> twice(int n) {
  co_await sleep_for(std::chrono::nanoseconds(1));
  co_return 2 * n;
}
int unregistered(int n) { return n; }
int read(ref<int> r) { return this_task::runtime().get(r).value(); }
ref<int> hand_on(ref<int> r) { return r; }
std::vector<ref<int>> spread(int n) {
  std::vector<ref<int>> all;
  for (int i = 0; i < n; ++i) all.push_back(this_task::runtime().task([i] { return i; }).remote());
  return all;
}
int total(std::vector<ref<int>> all) {
  auto values = this_task::runtime().get(all).value();
  return std::accumulate(values.begin(), values.end(), 0);
}
int fib(int n) {
  if (n < 2) return n;
  auto rt = this_task::runtime();
  auto left = rt.task(fib).remote(n - 1);
  return rt.get(rt.task(fib).remote(n - 2)).value() + rt.get(left).value();
}
std::string who(int) { return this_task::name() + "#" + std::to_string(this_task::attempt()); }
result<int> third_time(int) {
  if (this_task::attempt() < 2) return errc::io;
  return static_cast<int>(this_task::attempt());
}
gate& started() {
  static gate g;
  return g;
}
result<void> until_cancelled() {
  started().open();
  while (!this_task::cancelled()) std::this_thread::yield();
  return errc::cancelled;
}
result<void> child_until_cancelled() {
  auto rt = this_task::runtime();
  return rt.get(rt.task(until_cancelled).remote());
}

struct notes {
  std::vector<int> taken;
  void take(int n) { taken.push_back(n); }
  int take_later(int n) {
    taken.push_back(n);
    return n;
  }
  std::vector<int> all() const { return taken; }
  async<int> slowly(int n) {
    co_await sleep_for(std::chrono::nanoseconds(1));
    co_return n;
  }
};
struct better_notes : notes {};

#if BEAMLET_HAS_EXCEPTIONS
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
int throws(int) { throw broken("it broke"); }
#endif

}  // namespace engine_test

BEAMLET_REMOTE(engine_test::add, int(int, int));
BEAMLET_REMOTE(engine_test::add, double(double, double));
BEAMLET_REMOTE(engine_test::mirror);
BEAMLET_REMOTE(engine_test::grow);
BEAMLET_REMOTE(engine_test::refuse);
BEAMLET_REMOTE(engine_test::nothing);
BEAMLET_REMOTE(engine_test::twice);
BEAMLET_REMOTE(engine_test::read);
BEAMLET_REMOTE(engine_test::hand_on);
BEAMLET_REMOTE(engine_test::spread);
BEAMLET_REMOTE(engine_test::total);
BEAMLET_REMOTE(engine_test::fib);
BEAMLET_REMOTE(engine_test::who);
BEAMLET_REMOTE(engine_test::third_time);
BEAMLET_REMOTE(engine_test::until_cancelled);
BEAMLET_REMOTE(engine_test::child_until_cancelled);
BEAMLET_REMOTE(&engine_test::notes::take);
BEAMLET_REMOTE(&engine_test::notes::take_later);
BEAMLET_REMOTE(&engine_test::notes::all);
BEAMLET_REMOTE(&engine_test::notes::slowly);
#if BEAMLET_HAS_EXCEPTIONS
BEAMLET_REMOTE(engine_test::throws);
#endif

namespace engine_test {

/// A runtime with an engine of its own.
struct beyond {
  explicit beyond(unsigned workers = 2, runtime_options o = {}) {
    o.workers = workers;
    o.engine = &engine;
    auto started = runtime::start(o);
    REQUIRE(started.has_value());
    rt = *std::move(started);
  }
  loopback_engine engine;
  runtime rt;
};

using function_int = int (*)(int, int);
using function_double = double (*)(double, double);

TEST_CASE("a registered function leaves by its name and its result comes back") {
  beyond w;
  CHECK(w.rt.get(w.rt.task(static_cast<function_int>(add)).remote(1, 2)).value() == 3);
  CHECK(w.rt.get(w.rt.task(static_cast<function_double>(add)).remote(0.5, 2)).value() == 2.5);
  CHECK(w.rt.get(w.rt.task(mirror).remote(point{1, 2})).value().x == 2);
  CHECK(w.rt.get(w.rt.task(nothing).remote()).has_value());
  CHECK(w.rt.get(w.rt.task(twice).remote(4)).value() == 8);
  CHECK(w.engine.count.left == 5);
  CHECK(w.engine.count.came_back == 5);
  CHECK(w.engine.calls_away() == 0);
}

TEST_CASE("a lambda and an unregistered function stay, and their results pass through bytes") {
  beyond w;
  CHECK(w.rt.get(w.rt.task([](int n) { return point{n, 0}; }).remote(3)).value().x == 3);
  CHECK(w.rt.get(w.rt.task(unregistered).remote(4)).value() == 4);
  CHECK(w.engine.count.left == 0);
  CHECK(w.engine.count.kept == 2);
}

TEST_CASE("a put is kept as bytes and opened by its first reader") {
  beyond w;
  auto object = w.rt.put(std::vector<std::string>{"a", "b"});
  CHECK(w.engine.count.kept == 1);
  CHECK(detail::ref_access::cell(object)->state == sched::cell::bytes);
  CHECK(w.rt.get(object).value()[1] == "b");
  CHECK(detail::ref_access::cell(object)->state == sched::cell::value);
}

TEST_CASE("a value without a codec stays a value") {
  struct opaque {
    opaque(int n) : number(std::make_shared<int>(n)) {}
    std::shared_ptr<int> number;
  };
  beyond w;
  CHECK(*w.rt.get(w.rt.put(opaque(7))).value().number == 7);
  CHECK(*w.rt.get(w.rt.task([] { return opaque(8); }).remote()).value().number == 8);
  CHECK(w.engine.count.kept == 0);
}

TEST_CASE("a ref given for a value leaves as an id and is read where the function runs") {
  beyond w;
  auto two = w.rt.task(unregistered).remote(2);
  REQUIRE(w.rt.get(two).has_value());
  auto sum = w.rt.task(static_cast<function_int>(add)).remote(w.rt.put(1), two);
  CHECK(w.rt.get(sum).value() == 3);
  CHECK(w.engine.count.left == 1);
  CHECK(w.engine.count.published == 2);
  CHECK(w.engine.count.adopted == 2);
}

TEST_CASE("a move-only value travels by value") {
  beyond w;
  CHECK(w.rt.pin(w.rt.task(grow).remote(unique(1))).value()->number == 2);
  CHECK(w.engine.count.left == 1);
}

TEST_CASE("refs inside arguments and results are the objects they were") {
  beyond w;
  CHECK(w.rt.get(w.rt.task(read).remote(w.rt.put(5))).value() == 5);
  auto inner = w.rt.get(w.rt.task(hand_on).remote(w.rt.put(6))).value();
  CHECK(w.rt.get(inner).value() == 6);
  auto many = w.rt.task(spread).remote(10);
  CHECK(w.rt.get(w.rt.task(total).remote(many)).value() == 45);
  CHECK(w.engine.count.left >= 3);
}

TEST_CASE("a ref that is not ready may leave and be waited for elsewhere") {
  beyond w;
  gate go;
  auto late = w.rt.task([&go] {
                    go.wait();
                    return 9;
                  })
                  .remote();
  auto reader = w.rt.task(read).remote(late);
  go.open();
  CHECK(w.rt.get(reader).value() == 9);
}

TEST_CASE("an error comes back with everything it knows") {
  beyond w;
  auto why = w.rt.get(w.rt.task(refuse).remote(12));
  REQUIRE_FALSE(why.has_value());
  CHECK(why.error().code() == errc::user_error);
  CHECK(why.error().system() == 12);
  CHECK(why.error().message() == "no 12");
  CHECK(why.error().type() == "kind");
  CHECK(why.error().cause() == "why");
  CHECK(why.error().function() == "engine_test::refuse");
  CHECK(w.engine.count.failed == 1);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("what a function threw elsewhere is told with its type") {
  beyond w;
  auto why = w.rt.get(w.rt.task(throws).remote(1));
  REQUIRE_FALSE(why.has_value());
  CHECK(why.error().code() == errc::user_exception);
  CHECK(why.error().type() == "engine_test::broken");
  CHECK(why.error().message() == "it broke");
}
#endif

TEST_CASE("an argument that failed elsewhere fails the task with the first cause") {
  beyond w;
  auto bad = w.rt.task(refuse).remote(3);
  auto why = w.rt.get(w.rt.task(static_cast<function_int>(add)).remote(bad, 1));
  REQUIRE_FALSE(why.has_value());
  CHECK(why.error().code() == errc::user_error);
  CHECK(mentions(why.error().cause(), "why"));
  CHECK(why.error().function() == "engine_test::add");
}

TEST_CASE("nested calls leave too, on one worker and on none") {
  for (unsigned workers : {2u, 1u, 0u}) {
    beyond w(workers, {.spare_threads_max = 0});
    CHECK(w.rt.get(w.rt.task(fib).remote(12)).value() == 144);
    CHECK(w.engine.count.left > 300);
  }
}

TEST_CASE("name, attempt and retries go with the call") {
  beyond w;
  CHECK(w.rt.get(w.rt.task(who).options({.name = "watcher"}).remote(1)).value() == "watcher#0");
  auto tried =
      w.rt.task(third_time).options({.max_retries = 5, .retry_exceptions = true}).remote(1);
  CHECK(w.rt.get(tried).value() == 2);
  CHECK(w.engine.count.left == 4);
  CHECK(w.rt.stats().retried == 2);
}

TEST_CASE("what a task was admitted with is held by the one that runs for it") {
  beyond w(2, {.resources = {{"camera", 1}}});
  std::vector<ref<int>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(w.rt.task(static_cast<function_int>(add))
                      .options({.resources = {{"camera", 1}}})
                      .remote(i, 1));
  CHECK(w.rt.get(all).value().back() == 20);
  CHECK(w.rt.stats().waiting_for_resources == 0);
  CHECK(w.engine.count.left == 20);
}

TEST_CASE("a cancel reaches the copy that runs") {
  beyond w;
  for (bool nested : {false, true}) {
    auto running = w.rt.task(nested ? child_until_cancelled : until_cancelled).remote();
    started().wait();
    CHECK(w.rt.cancel(running).has_value());
    CHECK(failure(w.rt, running) == errc::cancelled);
  }
  CHECK(w.engine.count.cancelled >= 2);
}

TEST_CASE("calls to an actor leave and keep their caller's order") {
  beyond w;
  auto actor = w.rt.actor<notes>().remote();
  std::vector<int> expected;
  for (int i = 0; i < 200; ++i) {
    if (i % 3 == 0) actor.send(&notes::take, i);
    else if (i % 3 == 1) actor.call(&notes::take_later, w.rt.task(unregistered).remote(i));
    else actor.send([](notes& n, int k) { n.take(k); }, i);
    expected.push_back(i);
  }
  CHECK(w.rt.get(actor.call(&notes::all)).value() == expected);
  CHECK(w.engine.count.left == 135);
  CHECK(w.rt.get(actor.call(&notes::slowly, 4)).value() == 4);
}

TEST_CASE("a call that is not ready holds back its caller's later ones elsewhere too") {
  beyond w;
  gate go;
  auto actor = w.rt.actor<notes>().remote();
  auto late = w.rt.task([&go] {
                    go.wait();
                    return 1;
                  })
                  .remote();
  actor.send(&notes::take, late);
  actor.send(&notes::take, 2);
  auto all = actor.call(&notes::all);
  CHECK_FALSE(all.ready());
  go.open();
  CHECK(w.rt.get(all).value() == std::vector<int>{1, 2});
}

TEST_CASE("a method of a base type stays, where its actor's type is known") {
  beyond w;
  auto actor = w.rt.actor<better_notes>().remote();
  CHECK(w.rt.get(actor.call(&better_notes::take_later, 3)).value() == 3);
  CHECK(w.engine.count.left == 0);
}

TEST_CASE("calls to an actor that has ended fail elsewhere as they do here") {
  beyond w;
  auto actor = w.rt.actor<notes>().remote();
  REQUIRE(w.rt.get(actor.call(&notes::all)).has_value());
  w.rt.kill(actor);
  CHECK(failure(w.rt, actor.call(&notes::all)) == errc::actor_died);
}

TEST_CASE("a published object is forgotten with its last ref") {
  beyond w;
  {
    auto object = w.rt.put(1);
    CHECK(w.rt.get(w.rt.task(read).remote(object)).value() == 1);
    CHECK(w.engine.records() >= 1);
  }
  REQUIRE(w.rt.stop({.drain = true}).has_value());
  CHECK(w.engine.records() == 0);
}

TEST_CASE("bytes that outlive their runtime can be read, the refs in them cannot") {
  loopback_engine engine;
  beyond other;
  ref<int> number;
  ref<ref<int>> inner;
  {
    auto rt = runtime::start({.workers = 1, .engine = &engine}).value();
    number = rt.put(3);
    inner = rt.put(rt.put(4));
  }
  CHECK(other.rt.get(number).value() == 3);
  CHECK(failure(other.rt, inner) == errc::stopped);
}

TEST_CASE("a stop fails what has left as it fails what is queued") {
  beyond w(1);
  gate begun;
  auto busy = w.rt.task([&begun] {
                    begun.open();
                    while (!this_task::cancelled()) std::this_thread::yield();
                  })
                  .remote();
  begun.wait();
  std::vector<ref<int>> waiting;
  for (int i = 0; i < 10; ++i)
    waiting.push_back(w.rt.task(static_cast<function_int>(add)).remote(i, i));
  CHECK(w.engine.calls_away() == 10);
  CHECK(w.rt.stop({.drain = false}).has_value());
  CHECK(w.engine.calls_away() == 0);
  beyond other;
  for (auto& r : waiting) CHECK(failure(other.rt, r) == errc::stopped);
}

}  // namespace engine_test
