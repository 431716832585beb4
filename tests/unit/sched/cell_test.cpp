// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "support.hpp"

using namespace sched_test;

namespace {

struct noting_listener : listener, waiter {
  int fired = 0;
  noting_listener() {
    fire = [](listener& self, cell&) noexcept { ++static_cast<noting_listener&>(self).fired; };
    target = waiter::to_listener(*this);
  }
};

/// One cell of a chain: destroying it releases the next.
struct chained : cell {
  cell* rest = nullptr;
  static inline int alive = 0;
  static void destroy(cell& self) {
    auto& me = static_cast<chained&>(self);
    if (me.rest != nullptr) me.rest->release();
    delete &me;
    --alive;
  }
  static constexpr cell_ops table{.destroy = destroy};
};

}  // namespace

TEST_CASE("sealing fires every waiter once") {
  cell x;
  noting_listener waiters[3];
  for (auto& w : waiters) CHECK(add_waiter(x, w));
  CHECK_FALSE(x.sealed());
  seal(x, cell::value);
  CHECK(x.sealed());
  for (auto& w : waiters) CHECK(w.fired == 1);
}

TEST_CASE("a sealed cell takes no waiter and gives none back") {
  cell x;
  noting_listener w;
  seal(x, cell::value);
  CHECK_FALSE(add_waiter(x, w));
  CHECK_FALSE(remove_waiter(x, w));
  CHECK(w.fired == 0);
}

TEST_CASE("a waiter that was taken back does not fire, wherever it stood in the list") {
  for (int removed = 0; removed < 3; ++removed) {
    cell x;
    noting_listener waiters[3];
    for (auto& w : waiters) add_waiter(x, w);
    CHECK(remove_waiter(x, waiters[removed]));
    CHECK_FALSE(remove_waiter(x, waiters[removed]));
    seal(x, cell::value);
    for (int i = 0; i < 3; ++i) CHECK(waiters[i].fired == (i != removed));
  }
}

TEST_CASE("the last waiter taken back leaves a cell without a list") {
  cell x;
  noting_listener w;
  add_waiter(x, w);
  CHECK(remove_waiter(x, w));
  CHECK(x.state.load() == cell::waiting);
  CHECK(add_waiter(x, w));
  seal(x, cell::value);
  CHECK(w.fired == 1);
}

TEST_CASE("who claims a cell first runs it") {
  cell x;
  CHECK((claim(x) & cell::claimed) == 0);
  CHECK((claim(x) & cell::claimed) != 0);
}

TEST_CASE("a failed cell keeps its error until it goes") {
  auto* x = new job;
  x->ops = &task_ops;
  seal_failed(*x, error(errc::cancelled, error_layer::sched, {"why", "", "", ""}));
  CHECK(x->sealed());
  CHECK(x->failure().code() == errc::cancelled);
  CHECK(x->failure().message() == "why");
  x->release();
}

TEST_CASE("a chain of a million cells is destroyed with one stack frame") {
  cell* head = nullptr;
  constexpr int length = 1'000'000;
  for (int i = 0; i < length; ++i) {
    auto* x = new chained;
    x->ops = &chained::table;
    x->rest = std::exchange(head, x);
  }
  chained::alive = length;
  head->release();
  CHECK(chained::alive == 0);
}

TEST_CASE("a task runs when the last cell that it waits for is sealed") {
  world w;
  int ran = 0;
  held_job first = w.make([] { return 1; }), second = w.make([] { return 2; });
  held_job task = w.make([&] { return ++ran; });
  waiter a, b;
  task->unmet.store(2);
  CHECK(await_argument(*task, *first, a));
  CHECK(await_argument(*task, *second, b));
  schedule(w.here(), *second);
  w.run();
  CHECK(ran == 0);
  schedule(w.here(), *first);
  w.run();
  CHECK(ran == 1);
  CHECK(task.code() == errc::ok);
}
