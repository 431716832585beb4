// SPDX-License-Identifier: Apache-2.0
// A bounded mailbox under each of its policies, and actors that would wait for themselves.
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <thread>

namespace mailbox_cases {

namespace {
using namespace runtime_test;

struct worker {
  std::vector<int> done;
  void hold(gate* started, gate* leave) {
    started->open();
    leave->wait();
  }
  void note(int n) { done.push_back(n); }
  std::vector<int> seen() { return done; }
};

/// An actor that is busy, with an empty mailbox of a given kind.
struct held_actor {
  held_actor(const runtime_handle& rt, std::uint32_t capacity, mailbox_policy policy)
      : actor(rt.actor<worker>()
                  .options({.mailbox_capacity = capacity, .mailbox_policy = policy})
                  .remote()) {
    actor.send(&worker::hold, &started, &leave);
    started.wait();
  }
  gate started, leave;
  actor_handle<worker> actor;
};

TEST_CASE("reject refuses what does not fit") {
  runtime rt = start();
  held_actor held(rt, 3, mailbox_policy::reject);
  std::vector<ref<void>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(held.actor.call(&worker::note, i));
  auto refused = rt.get(calls.back());
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == errc::queue_full);
  held.leave.open();
  int taken = 0;
  for (auto& c : calls) taken += rt.get(c).has_value();
  CHECK(taken >= 2);
  CHECK(taken <= 3);
  CHECK(rt.get(held.actor.call(&worker::note, 11)).has_value());
}

TEST_CASE("drop_oldest keeps the newest calls") {
  runtime rt = start();
  held_actor held(rt, 3, mailbox_policy::drop_oldest);
  std::vector<ref<void>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(held.actor.call(&worker::note, i));
  CHECK(failure(rt, calls[0]) == errc::dropped);
  CHECK(failure(rt, calls[6]) == errc::dropped);
  held.leave.open();
  CHECK(rt.get(calls[9]).has_value());
  CHECK(*rt.get(held.actor.call(&worker::seen)) == std::vector<int>{7, 8, 9});
}

TEST_CASE("keep_latest keeps only the newest call") {
  runtime rt = start();
  held_actor held(rt, 100, mailbox_policy::keep_latest);
  std::vector<ref<void>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(held.actor.call(&worker::note, i));
  CHECK(failure(rt, calls[8]) == errc::dropped);
  held.leave.open();
  CHECK(rt.get(calls[9]).has_value());
  CHECK(*rt.get(held.actor.call(&worker::seen)) == std::vector<int>{9});
}

TEST_CASE("block makes a thread wait for room and loses nothing") {
  std::atomic<int> sent{0};
  runtime rt = start();
  held_actor held(rt, 4, mailbox_policy::block);
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) {
      held.actor.send(&worker::note, i);
      sent = i + 1;
    }
  });
  while (sent < 3) std::this_thread::yield();
  CHECK(sent <= 4);
  held.leave.open();
  producer.join();
  auto seen = rt.get(held.actor.call(&worker::seen));
  REQUIRE(seen.has_value());
  REQUIRE(seen->size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK((*seen)[i] == i);
}

TEST_CASE("tasks that block on a full mailbox make its actor go on") {
  for (unsigned workers : {0u, 1u, 3u}) {
    runtime rt = start({.workers = workers});
    auto a = rt.actor<worker>().options({.mailbox_capacity = 2}).remote();
    std::vector<ref<void>> producers;
    for (int p = 0; p < 3; ++p)
      producers.push_back(rt.task([a, p] {
                              for (int i = 0; i < 300; ++i) a.send(&worker::note, p);
                            }).remote());
    CHECK(rt.get(producers).has_value());
    CHECK(rt.get(a.call(&worker::seen))->size() == 900);
  }
}

TEST_CASE("stopping the runtime frees a thread that waits for room") {
  gate blocked;
  runtime rt = start();
  held_actor held(rt, 1, mailbox_policy::block);
  held.actor.send(&worker::note, 0);
  ref<void> last;
  std::thread producer([&] {
    blocked.open();
    for (int i = 0; i < 3; ++i) last = held.actor.call(&worker::note, i);
  });
  CHECK(blocked.wait());
  std::thread opener([&] {
    // What runs is waited for: it may leave only when the stop has begun.
    while (rt.get(rt.put(1)).has_value()) std::this_thread::yield();
    held.leave.open();
  });
  CHECK(rt.stop().has_value());
  producer.join();
  opener.join();
  CHECK(failure(rt, last) == errc::stopped);
}

struct selfish {
  actor_handle<selfish> me;
  void meet(actor_handle<selfish> h) { me = std::move(h); }
  int one() { return 1; }
  result<void> call_myself() {
    return outcome_of(this_task::runtime().get(me.call(&selfish::one)));
  }
  result<void> flood_myself() {
    ref<int> last;
    for (int i = 0; i < 100 && !last.ready(); ++i) last = me.call(&selfish::one);
    return last.ready() ? outcome_of(this_task::runtime().get(last)) : result<void>();
  }
  result<void> call_through_a_task() {
    runtime_handle here = this_task::runtime();
    auto task = here.task([](actor_handle<selfish> h) -> result<int> {
                      return this_task::runtime().get(h.call(&selfish::one));
                    })
                    .remote(me);
    return outcome_of(here.get(task));
  }
  void part() { me = {}; }
};

TEST_CASE("an actor that waits for a call to itself is told so") {
  for (unsigned workers : {0u, 1u, 2u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers});
    auto a = rt.actor<selfish>().remote();
    a.send(&selfish::meet, a);
    CHECK(failure(rt, a.call(&selfish::call_myself)) == errc::would_deadlock);
    CHECK(failure(rt, a.call(&selfish::call_through_a_task)) == errc::would_deadlock);
    CHECK(*rt.get(a.call(&selfish::one)) == 1);
    a.send(&selfish::part);
  }
}

TEST_CASE("an actor that fills its own blocking mailbox is told so") {
  runtime rt = start({.workers = 1});
  auto a = rt.actor<selfish>().options({.mailbox_capacity = 4}).remote();
  a.send(&selfish::meet, a);
  CHECK(failure(rt, a.call(&selfish::flood_myself)) == errc::would_deadlock);
  CHECK(*rt.get(a.call(&selfish::one)) == 1);
  a.send(&selfish::part);
}

struct ring_member {
  actor_handle<ring_member> next;
  tally* inside = nullptr;
  void meet(actor_handle<ring_member> n, tally* t) {
    next = std::move(n);
    inside = t;
  }
  int one() { return 1; }
  result<void> ask() {
    inside->add();
    inside->reaches(2);
    return outcome_of(this_task::runtime().get(next.call(&ring_member::one)));
  }
  void part() { next = {}; }
};

TEST_CASE("of two actors that wait for each other one is told so and the other goes on") {
  for (int round = 0; round < 20; ++round) {
    tally inside;
    runtime rt = start({.workers = 2});
    auto a = rt.actor<ring_member>().remote(), b = rt.actor<ring_member>().remote();
    CHECK(rt.get(a.call(&ring_member::meet, b, &inside)).has_value());
    CHECK(rt.get(b.call(&ring_member::meet, a, &inside)).has_value());
    // Two threads of the runtime run one call each: what main would help with, it would run here.
    auto one = a.call(&ring_member::ask), two = b.call(&ring_member::ask);
    CHECK(inside.reaches(2));
    errc first = failure(rt, one), second = failure(rt, two);
    CHECK((first == errc::would_deadlock || second == errc::would_deadlock));
    CHECK((first == errc::ok || first == errc::would_deadlock));
    CHECK((second == errc::ok || second == errc::would_deadlock));
    a.send(&ring_member::part);
    b.send(&ring_member::part);
  }
}

}  // namespace

}  // namespace mailbox_cases
