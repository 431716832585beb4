// SPDX-License-Identifier: Apache-2.0
// Who has what of a box's resources.
#include "box.hpp"

namespace resources_test {

using namespace cluster_box;

constexpr std::int64_t one = beamlet::amount_per_unit;

std::int64_t free_cpu(const box& b) { return b.ledger.available(beamlet::resource::cpu); }
wire::call task(box& b, std::uint32_t session, std::uint64_t sequence, std::int64_t cpu = one) {
  wire::call c = b.call(session, sequence);
  c.options.needs = {{"cpu", cpu}};
  return c;
}
wire::call creation(box& b, std::uint32_t concurrency = 1) {
  wire::call c = b.call(1, 10);
  c.kind = wire::call_kind::create_actor;
  c.actor = b.id(1, 5);
  c.options.concurrency = concurrency;
  return c;
}
wire::call method(box& b, std::uint64_t number) {
  wire::call c = b.call(1, 100 + 10 * number);
  c.kind = wire::call_kind::actor_call;
  c.actor = b.id(1, 5);
  c.caller = 1;
  c.sequence = number;
  return c;
}
// An actor of session 1 that lives in session 2.
void live(box& b, std::uint32_t concurrency = 1) {
  b.open(1, 0);
  b.open(2, 8);
  b.say(1, wire::submit{creation(b, concurrency)});
  b.done(2, creation(b), inline_value());
}
std::size_t executed(const box& b, std::uint32_t session) {
  return b.told<wire::execute>(session).size();
}
void waits(box& b, std::uint32_t session, const wire::call& c, bool lent) {
  b.say(session, wire::lend_cpu{.task = c.task, .attempt = 0, .lent = lent});
}

TEST_CASE("a call that waits lends its cpu, and has it back at once when it goes on") {
  box b;
  b.open(1, 8);
  wire::call outer = task(b, 1, 10, 4 * one), inner = task(b, 1, 20, 3 * one);
  b.say(1, wire::submit{outer});
  b.say(1, wire::submit{inner});
  CHECK(executed(b, 1) == 0);
  waits(b, 1, outer, true);
  REQUIRE(executed(b, 1) == 1);
  CHECK(b.told<wire::execute>(1)[0].what.task == inner.task);
  waits(b, 1, outer, false);
  CHECK(free_cpu(b) == -3 * one);
  waits(b, 1, outer, false);  // again
  CHECK(free_cpu(b) == -3 * one);
  b.done(1, inner, inline_value());
  CHECK(free_cpu(b) == 0);
  waits(b, 1, outer, true);
  b.done(1, outer, inline_value());  // without having said that it goes on
  CHECK(free_cpu(b) == 4 * one);
}

TEST_CASE("only the process that runs a call can lend its cpu") {
  box b;
  b.open(1, 0);
  b.open(2);
  b.open(3);
  wire::call c = task(b, 1, 10);
  b.say(1, wire::submit{c});
  REQUIRE(executed(b, 2) == 1);
  waits(b, 3, c, true);
  b.say(2, wire::lend_cpu{.task = c.task, .attempt = 1, .lent = true});
  CHECK(free_cpu(b) == 3 * one);
  waits(b, 2, c, true);
  CHECK(free_cpu(b) == 4 * one);
  b.end(2);
  CHECK(free_cpu(b) == 4 * one);
}

TEST_CASE("an actor has a cpu while one of its calls runs, and none while it is idle or waits") {
  box b;
  live(b);
  CHECK(free_cpu(b) == 4 * one);
  for (std::uint64_t i = 0; i < 3; ++i) b.say(1, wire::submit{method(b, i)});
  CHECK(free_cpu(b) == 3 * one);  // the process runs one of them at a time
  waits(b, 2, method(b, 0), true);
  CHECK(free_cpu(b) == 4 * one);
  waits(b, 2, method(b, 0), false);
  CHECK(free_cpu(b) == 3 * one);
  for (std::uint64_t i = 0; i < 3; ++i) b.done(2, method(b, i), inline_value());
  CHECK(free_cpu(b) == 4 * one);
  b.say(1, wire::submit{method(b, 3)});
  waits(b, 2, method(b, 3), true);
  b.end(2);
  CHECK(free_cpu(b) == 4 * one);
}

TEST_CASE("a constructor has a cpu while it runs") {
  box b;
  b.open(1, 0);
  b.open(2);
  b.say(1, wire::submit{creation(b)});
  CHECK(free_cpu(b) == 3 * one);
  b.done(2, creation(b), inline_value());
  CHECK(free_cpu(b) == 4 * one);
}

TEST_CASE("an actor's call waits for a cpu, in its turn") {
  box b;
  live(b);
  wire::call all = task(b, 1, 20, 4 * one), next = task(b, 1, 30, 4 * one);
  b.say(1, wire::submit{all});
  REQUIRE(executed(b, 2) == 1);
  b.say(1, wire::submit{method(b, 0)});
  b.say(1, wire::submit{next});
  CHECK(executed(b, 2) == 0);
  b.done(2, all, inline_value());
  REQUIRE(executed(b, 2) == 1);
  CHECK(b.told<wire::execute>(2)[0].what.task == method(b, 0).task);
  b.done(2, method(b, 0), inline_value());
  REQUIRE(executed(b, 2) == 1);
  CHECK(b.told<wire::execute>(2)[0].what.task == next.task);
}

TEST_CASE("an actor that always has calls lets others have its cpu in between") {
  box b;
  live(b);
  b.say(1, wire::submit{method(b, 0)});
  wire::call all = task(b, 1, 20, 4 * one);
  b.say(1, wire::submit{all});
  for (std::uint64_t i = 1; i < 4; ++i) b.say(1, wire::submit{method(b, i)});
  CHECK(executed(b, 2) == 0);
  b.done(2, method(b, 0), inline_value());
  REQUIRE(executed(b, 2) == 1);
  CHECK(b.told<wire::execute>(2)[0].what.task == all.task);
  b.done(2, all, inline_value());
  CHECK(executed(b, 2) == 3);
}

TEST_CASE("calls that an actor runs at a time do not wait for each other's cpus") {
  box b;
  live(b, 6);
  for (std::uint64_t i = 0; i < 7; ++i) {
    b.say(1, wire::submit{method(b, i)});
    CHECK(executed(b, 2) == 1);
  }
  CHECK(free_cpu(b) == -2 * one);
  for (std::uint64_t i = 0; i < 7; ++i) b.done(2, method(b, i), inline_value());
  CHECK(free_cpu(b) == 4 * one);
}

TEST_CASE("programs with calls in the queue are served in turn") {
  box b;
  b.open(1, 0);
  b.open(2, 0);
  b.open(3, 8);
  for (std::uint64_t i = 0; i < 50; ++i) b.say(1, wire::submit{task(b, 1, 10 * (i + 1), 4 * one)});
  for (std::uint64_t i = 0; i < 3; ++i) b.say(2, wire::submit{task(b, 2, 10 * (i + 1), 4 * one)});
  wire::call running = task(b, 1, 10);
  std::string order;
  for (int i = 0; i < 6; ++i) {
    b.done(3, running, inline_value());
    REQUIRE(executed(b, 3) == 1);
    running = b.told<wire::execute>(3)[0].what;
    order += std::to_string(running.task.session);
  }
  CHECK(order == "212121");
}

TEST_CASE("a program that runs nothing comes before one that does") {
  box b;
  b.open(1, 0);
  b.open(2, 0);
  b.open(3, 8);
  std::vector<wire::call> first;
  for (std::uint64_t i = 0; i < 8; ++i) {
    first.push_back(task(b, 1, 10 * (i + 1)));
    b.say(1, wire::submit{first.back()});
  }
  for (std::uint64_t i = 0; i < 8; ++i) b.say(2, wire::submit{task(b, 2, 10 * (i + 1))});
  for (std::size_t i = 0; i < 2; ++i) {
    b.done(3, first[i], inline_value());
    REQUIRE(executed(b, 3) == 1);
    CHECK(b.told<wire::execute>(3)[0].what.task.session == 2);
  }
  b.done(3, first[2], inline_value());  // that one runs fewer again
  REQUIRE(executed(b, 3) == 1);
  CHECK(b.told<wire::execute>(3)[0].what.task.session == 1);
}

TEST_CASE("what a worker process submits counts for the program that it works for") {
  box b;
  b.open(1, 0);
  b.open(2, 0);
  wire::call outer = task(b, 1, 10, 4 * one);
  outer.options.where = wire::isolation::process;
  b.say(1, wire::submit{outer});
  b.open(3, 1, b.did<cluster::need_worker>().at(0).pool);
  REQUIRE(executed(b, 3) == 1);
  b.open(4, 8);
  for (std::uint64_t i = 0; i < 9; ++i) b.say(3, wire::submit{task(b, 3, 10 * (i + 1), 4 * one)});
  b.say(1, wire::submit{task(b, 1, 20, 4 * one)});
  b.say(2, wire::submit{task(b, 2, 10, 4 * one)});
  b.done(3, outer, inline_value());
  REQUIRE(executed(b, 4) == 1);
  CHECK(b.told<wire::execute>(4)[0].what.task.session == 2);
}

TEST_CASE("what a running call submits comes before what its program submitted earlier") {
  box b;
  b.open(1, 0);
  wire::call outer = task(b, 1, 10, 4 * one), next = task(b, 1, 20, 4 * one);
  outer.options.where = next.options.where = wire::isolation::process;
  b.say(1, wire::submit{outer});
  const std::uint64_t pool = b.did<cluster::need_worker>().at(0).pool;
  b.open(2, 1, pool);
  b.say(1, wire::submit{next});
  wire::call inner = task(b, 2, 10, 4 * one);
  inner.options.where = wire::isolation::process;
  b.say(2, wire::submit{inner});
  waits(b, 2, outer, true);
  CHECK(b.did<cluster::need_worker>().size() == 1);
  b.open(3, 1, pool);
  REQUIRE(executed(b, 3) == 1);
  CHECK(b.told<wire::execute>(3)[0].what.task == inner.task);
}

TEST_CASE("calls that wait do not use up the processes for those that they wait for") {
  cluster::limits few;
  few.workers_max = 1;
  box b(few);
  b.open(1, 0);
  wire::call outer = task(b, 1, 10), next = task(b, 1, 20);
  outer.options.where = next.options.where = wire::isolation::process;
  b.say(1, wire::submit{outer});
  const std::uint64_t pool = b.did<cluster::need_worker>().at(0).pool;
  b.open(2, 1, pool);
  b.say(1, wire::submit{next});
  wire::call inner = task(b, 2, 10);
  inner.options.where = wire::isolation::process;
  b.say(2, wire::submit{inner});
  CHECK(b.did<cluster::need_worker>().empty());
  waits(b, 2, outer, true);
  REQUIRE(b.did<cluster::need_worker>().size() == 1);  // for `inner`, and none for `next`
  b.open(3, 1, pool);
  REQUIRE(executed(b, 3) == 1);
  CHECK(b.told<wire::execute>(3)[0].what.task == inner.task);
}

}  // namespace resources_test
