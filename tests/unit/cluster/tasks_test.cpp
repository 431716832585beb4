// SPDX-License-Identifier: Apache-2.0
#include "box.hpp"

namespace tasks_test {

using namespace cluster_box;

TEST_CASE("a call runs when its arguments are ready and its result reaches the submitter") {
  box b;
  b.open(1, 0);
  b.open(2);
  b.say(1, wire::publish{b.id(1, 1)});
  wire::call c = b.call(1, 10, {b.id(1, 1)});
  b.say(1, wire::submit{c});
  CHECK(b.told<wire::execute>(2).empty());
  b.say(1, wire::fulfil{b.id(1, 1), stored_value()});
  REQUIRE(b.told<wire::execute>(2).size() == 1);
  CHECK(b.told<wire::execute>(2)[0].objects.size() == 1);
  b.done(2, c, stored_value());
  CHECK(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.state.count().tasks == 0);
}

TEST_CASE("a call whose argument fails fails with it and does not run") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 1), failure(errc::user_error));
  b.say(1, wire::submit{b.call(1, 10, {b.id(1, 1)})});
  CHECK(b.told<wire::execute>(1).empty());
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.told<wire::sealed>(1)[0].why == errc::user_error);
}

TEST_CASE("a call of a dead worker is tried again, then names the signal and the function") {
  box b;
  b.open(1, 0);
  b.open(2);
  wire::call c = b.call(1, 10);
  c.options.retries = 1;
  b.say(1, wire::submit{c});
  b.end(2);
  b.open(3);
  REQUIRE(b.told<wire::execute>(3).size() == 1);
  CHECK(b.told<wire::execute>(3)[0].what.attempt == 1);
  b.end(3);
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  const error why = b.told<wire::sealed>(1)[0].why;
  CHECK(why == error(errc::worker_died, beamlet::error_layer::cluster, 9));
  CHECK(why.function() == "work");
  CHECK(why.message().find("signal 9") != std::string_view::npos);
}

TEST_CASE("the result of an old attempt is given back unread") {
  box b;
  b.open(1, 0);
  b.open(2);
  wire::call c = b.call(1, 10);
  c.options.retries = 1;
  c.options.retry_errors = true;
  b.say(1, wire::submit{c});
  b.done(2, c, failure(errc::user_error));
  REQUIRE(b.told<wire::execute>(2).size() == 1);
  b.done(2, c, stored_value(), 0);
  CHECK(b.did<cluster::discard>().size() == 1);
  CHECK(b.state.count().tasks == 1);
  b.done(2, c, stored_value(), 1);
  CHECK(b.told<wire::sealed>(1).size() == 1);
}

TEST_CASE("calls wait for the ledger, the urgent ones first") {
  box b;
  b.open(1, 8);
  std::vector<wire::call> calls;
  for (std::uint64_t i = 0; i < 4; ++i) {
    calls.push_back(b.call(1, 10 * (i + 1)));
    calls.back().options.needs = {{"cpu", 4 * beamlet::amount_per_unit}};
    calls.back().options.urgency = i == 3 ? 0 : 1;
    b.say(1, wire::submit{calls.back()});
    CHECK(b.told<wire::execute>(1).size() == (i == 0 ? 1 : 0));
  }
  for (std::size_t next : {3, 1, 2}) {
    b.done(1, calls[next == 3 ? 0 : next == 1 ? 3 : 1], inline_value());
    REQUIRE(b.told<wire::execute>(1).size() == 1);
    CHECK(b.told<wire::execute>(1)[0].what.task == calls[next].task);
  }
  wire::call greedy = b.call(1, 100);
  greedy.options.needs = {{"cpu", 5 * beamlet::amount_per_unit}};
  b.say(1, wire::submit{greedy});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::infeasible);
}

TEST_CASE("a call that has not started by its deadline does not start") {
  box b;
  b.open(1, 0);
  wire::call c = b.call(1, 10);
  c.options.deadline_ns = 100;
  b.say(1, wire::submit{c});
  b.now = 100;
  b.step(cluster::tick{});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::deadline);
}

TEST_CASE("isolated calls get a worker process of their environment, which is used again") {
  box b;
  b.open(1);
  wire::call c = b.call(1, 10), d = b.call(1, 20);
  c.options.where = d.options.where = wire::isolation::process;
  b.say(1, wire::submit{c});
  REQUIRE(b.did<cluster::need_worker>().size() == 1);
  const std::uint64_t pool = b.did<cluster::need_worker>()[0].pool;
  b.open(2, 1, pool);
  CHECK(b.told<wire::execute>(2).size() == 1);
  b.done(2, c, inline_value());
  b.say(1, wire::submit{d});
  CHECK(b.did<cluster::need_worker>().empty());
  CHECK(b.told<wire::execute>(2).size() == 1);
  b.done(2, d, inline_value());
  b.now += cluster::limits().worker_idle_ns;
  b.step(cluster::tick{});
  CHECK(b.told<wire::drain>(2).size() == 1);
  wire::call e = b.call(1, 30);
  e.options.where = wire::isolation::process;
  b.say(1, wire::submit{e});
  b.step(cluster::worker_failed{pool, errc::unsupported});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::unsupported);
}

TEST_CASE("cancel reaches queued, running and nested calls") {
  box b;
  b.open(1, 0);
  wire::call outer = b.call(1, 10), queued = b.call(1, 20);
  outer.options.where = wire::isolation::process;
  outer.options.retries = -1;
  b.say(1, wire::submit{queued});
  b.say(1, wire::cancel{.task = queued.task});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::cancelled);
  b.say(1, wire::submit{outer});
  b.open(2, 1, b.did<cluster::need_worker>().at(0).pool);
  wire::call inner = b.call(2, 10);
  inner.parent = outer.task;
  b.say(2, wire::submit{inner});
  b.say(1, wire::cancel{.task = outer.task, .force = true, .recursive = true});
  CHECK(b.told<wire::abort_call>(2).size() == 1);
  CHECK(b.told<wire::sealed>(2).at(0).why == errc::cancelled);
  CHECK(b.did<cluster::kill_worker>().size() == 1);
  b.end(2);
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::cancelled);
}

TEST_CASE("a lost object is made again, with the arguments that have gone too") {
  box b;
  b.open(1);
  wire::call first = b.call(1, 10), second = b.call(1, 20, {b.id(1, 11)});
  first.options.retries = second.options.retries = 3;
  b.say(1, wire::submit{first});
  b.done(1, first, stored_value());
  b.say(1, wire::submit{second});
  b.done(1, second, stored_value());
  // One release for the submit, one mention by `execute`.
  b.say(1, wire::release{b.id(1, 11), 1});
  CHECK_FALSE(b.state.exists(b.id(1, 11)));
  b.step(cluster::object_lost{b.id(1, 21)});
  REQUIRE(b.told<wire::execute>(1).size() == 1);
  CHECK(b.told<wire::execute>(1)[0].what.task == first.task);
  b.done(1, first, stored_value(), 1);
  REQUIRE(b.told<wire::execute>(1).size() == 1);
  CHECK(b.told<wire::execute>(1)[0].what.task == second.task);
  b.done(1, second, stored_value(), 1);
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 21)}});
  CHECK(b.told<wire::here>(1).size() == 1);
  b.say(1, wire::release{b.id(1, 11), 1});
  b.say(1, wire::release{b.id(1, 21), 1});
  CHECK(b.state.count().objects == 0);
  CHECK(b.state.count().lineage == 0);
}

TEST_CASE("an object that cannot be made again says why") {
  cluster::limits small;
  small.lineage_bytes_max = 1;
  for (int kind = 0; kind < 3; ++kind) {
    box b(small);
    b.open(1);
    object_id lost = b.id(1, 11);
    wire::call c = b.call(1, 10);
    c.options.retries = kind == 2 ? 1 : 0;
    if (kind == 0) {
      b.put(1, lost, stored_value());
    } else {
      b.say(1, wire::submit{c});
      b.done(1, c, stored_value());
    }
    b.step(cluster::object_lost{lost});
    b.say(1, wire::require{.ticket = 1, .objects = {lost}});
    const std::string why = message_of(b.told<wire::here>(1).at(0).objects[0].what);
    const char* expected[] = {"it was put", "no retries left", "limits::lineage_bytes_max"};
    CHECK(why.find(expected[kind]) != std::string::npos);
  }
}

TEST_CASE("what a program submitted and nobody shares goes with it") {
  box b;
  b.open(1, 0);
  b.open(2);
  wire::call alone = b.call(1, 10), shared = b.call(1, 20);
  b.say(1, wire::submit{alone});
  b.say(1, wire::submit{shared});  // one slot: it is queued
  b.say(2, wire::hold{b.id(1, 21)});
  b.end(1);
  CHECK(b.told<wire::abort_call>(2).size() == 1);
  b.done(2, alone, stored_value());
  CHECK(b.did<cluster::discard>().size() == 1);
  REQUIRE(b.told<wire::execute>(2).size() == 1);
  b.done(2, shared, inline_value());
  CHECK(b.told<wire::sealed>(2).size() == 1);
}

}  // namespace tasks_test
