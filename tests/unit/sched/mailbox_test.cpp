// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "support.hpp"

using namespace sched_test;

namespace {

struct alignas(16) bare_actor : actor_core {
  static inline int states_destroyed = 0;
  static void destroy_memory(actor_core& a) noexcept { delete static_cast<bare_actor*>(&a); }
  static constexpr actor_type kind{[](actor_core&) noexcept { ++states_destroyed; }, destroy_memory,
                                   false, "bare_actor"};
  static constexpr cell_ops table{.enter = enter_actor, .destroy = destroy_actor};
};

/// An actor whose calls note their numbers.
struct actor_world : world {
  bare_actor* a = new bare_actor;
  std::vector<int> seen;

  explicit actor_world(mailbox_policy policy, std::uint32_t capacity = mailbox_capacity_default) {
    bare_actor::states_destroyed = 0;
    a->ops = &bare_actor::table;
    a->home = home.get();
    a->type = &bare_actor::kind;
    sched::actor_options options;
    options.policy = policy;
    options.capacity = capacity;
    REQUIRE(open_actor(here(), *a, options).has_value());
    send(0);  // the first message stands for the constructor
    run();
    seen.clear();
  }
  ~actor_world() {
    if (a != nullptr) drop_handle(*a);
    run();
  }
  held_job message(int number) {
    held_job m = make([this, number] { return seen.push_back(number), number; }, message_ops);
    m->to = {a, caller_of(here())};
    m->unmet.store(cell::message);
    return m;
  }
  held_job send(int number) {
    held_job m = message(number);
    enqueue(here(), *a, *m);
    return m;
  }
  std::vector<held_job> send_all(int from, int to) {
    std::vector<held_job> all;
    for (int i = from; i < to; ++i) all.push_back(send(i));
    return all;
  }
};

std::vector<errc> codes(const std::vector<held_job>& jobs) {
  std::vector<errc> all;
  for (const held_job& j : jobs) all.push_back(j.code());
  return all;
}

}  // namespace

TEST_CASE("messages come out in the order in which they came in") {
  actor_world w(mailbox_policy::block);
  auto first = w.send_all(1, 300);  // more than one turn takes
  w.run();
  auto second = w.send_all(300, 310);
  w.run();
  REQUIRE(w.seen.size() == 309);
  for (int i = 0; i < 309; ++i) REQUIRE(w.seen[static_cast<std::size_t>(i)] == i + 1);
}

TEST_CASE("a full mailbox that rejects fails the newest") {
  actor_world w(mailbox_policy::reject, 3);
  auto all = w.send_all(1, 6);
  w.run();
  CHECK(w.seen == std::vector<int>{1, 2, 3});
  CHECK(codes(all) ==
        std::vector<errc>{errc::ok, errc::ok, errc::ok, errc::queue_full, errc::queue_full});
  CHECK(w.send(6)->sealed() == false);  // there is room again
  w.run();
  CHECK(w.seen.back() == 6);
}

TEST_CASE("a full mailbox that drops fails the oldest") {
  actor_world w(mailbox_policy::drop_oldest, 3);
  auto all = w.send_all(1, 6);
  w.run();
  CHECK(w.seen == std::vector<int>{3, 4, 5});
  CHECK(codes(all) ==
        std::vector<errc>{errc::dropped, errc::dropped, errc::ok, errc::ok, errc::ok});
}

TEST_CASE("a mailbox that keeps the latest fails all before it") {
  actor_world w(mailbox_policy::keep_latest);
  auto all = w.send_all(1, 4);
  w.run();
  CHECK(w.seen == std::vector<int>{3});
  CHECK(codes(all) == std::vector<errc>{errc::dropped, errc::dropped, errc::ok});
}

TEST_CASE("a message that waits for an argument holds up its sender's later ones") {
  actor_world w(mailbox_policy::block);
  held_job argument = w.make([] { return 1; });
  held_job held = w.message(1);
  waiter node;
  held->unmet.store(cell::message | 1);
  hold_for_countdown(*w.a, *held);
  REQUIRE(await_argument(*held, *argument, node));
  enqueue(w.here(), *w.a, *held);
  held_job later = w.send(2);
  w.run();
  CHECK(w.seen.empty());
  schedule(w.here(), *argument);
  w.run();
  CHECK(w.seen == std::vector<int>{1, 2});
}

TEST_CASE("a killed actor fails what waits and what comes, and its state goes once") {
  actor_world w(mailbox_policy::block);
  auto waiting = w.send_all(1, 3);
  kill_actor(w.here(), *w.a, error(errc::actor_died));
  w.run();
  held_job late = w.send(3);
  w.run();
  CHECK(codes(waiting) == std::vector<errc>{errc::actor_died, errc::actor_died});
  CHECK(late.code() == errc::actor_died);
  CHECK(bare_actor::states_destroyed == 1);
}

TEST_CASE("an actor without handles runs what it was sent and then goes") {
  actor_world w(mailbox_policy::block);
  auto all = w.send_all(1, 3);
  drop_handle(*std::exchange(w.a, nullptr));
  w.run();
  CHECK(w.seen == std::vector<int>{1, 2});
  CHECK(bare_actor::states_destroyed == 1);
}
