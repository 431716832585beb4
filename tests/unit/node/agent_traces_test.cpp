// SPDX-License-Identifier: Apache-2.0
// Whose timeline gets what a worker process says that it ran.
#include <doctest/doctest.h>

#include "node/agent_limits.hpp"
#include "tests/unit/node/agent_box.hpp"
#include "wire/limits.hpp"

namespace agent_traces_test {

using namespace agent_test;

constexpr std::uint64_t long_ago = 60'000'000'000;

wire::trace some_runs(std::size_t count, const std::string& name = "f") {
  wire::trace made{.process = 1, .names = {name}, .runs = {}};
  for (std::size_t i = 0; i < count; ++i) made.runs.push_back({i, 1, 0, 0});
  return made;
}

/// A call of `program` that `worker` was given.
wire::call give(box& b, client& program, client& worker) {
  wire::call call;
  call.task = program.mint();
  call.function = "f";
  call.results = {program.mint()};
  call.options.where = wire::isolation::process;
  b.say(program, wire::submit{call});
  auto given = worker.take<wire::execute>();
  REQUIRE(given.has_value());
  return given->what;
}
void finish(box& b, client& worker, const wire::call& call, std::vector<wire::trace> ran) {
  b.say(worker, wire::done{.task = call.task,
                           .attempt = call.attempt,
                           .results = {{.body = wire::bytes(1), .contained = {}}},
                           .ran = std::move(ran)});
}
std::shared_ptr<client> start_worker(box& b, client& program) {
  wire::call first;
  first.task = program.mint();
  first.results = {program.mint()};
  first.options.where = wire::isolation::process;
  b.say(program, wire::submit{first});
  REQUIRE(!b.wishes.empty());
  auto worker = b.open(b.wishes.back().pool);
  b.settle();
  auto given = worker->take<wire::execute>();
  REQUIRE(given.has_value());
  finish(b, *worker, given->what, {});
  return worker;
}
/// How many runs it has heard of, with what it asks for now.
std::size_t runs_told(box& b, client& program) {
  b.say(program, wire::collect{.ticket = ++b.ticket});
  std::size_t runs = 0;
  bool answered = false;
  while (auto told = program.take<wire::traced>()) {
    answered = answered || told->ticket == b.ticket;
    for (const wire::trace& each : told->ran) runs += each.runs.size();
    auto encoded = wire::encode(wire::to_session(*told));
    REQUIRE(encoded.has_value());
    CHECK(wire::decode_to_session(*encoded).has_value());
  }
  CHECK(answered);
  return runs;
}

TEST_CASE("what a call ran is told to its program before its result, and to nobody else") {
  box b;
  b.pass(long_ago);
  auto program = b.join(), other = b.join();
  auto worker = start_worker(b, *program);
  auto call = give(b, *program, *worker);
  program->heard.clear();
  finish(b, *worker, call, {some_runs(3)});
  REQUIRE(program->heard.size() >= 2);
  const auto* told = std::get_if<wire::traced>(&program->heard[0]);
  REQUIRE(told != nullptr);
  CHECK(told->ticket == 0);
  REQUIRE(told->ran.size() == 1);
  CHECK(told->ran[0].process == 0);  // what the agent knows, not what was said
  CHECK(told->ran[0].runs.size() == 3);
  CHECK(runs_told(b, *other) == 0);
}

TEST_CASE("runs are told together, not with each result, and when they are asked for") {
  box b;
  b.pass(long_ago);
  auto program = b.join();
  auto worker = start_worker(b, *program);
  for (int i = 0; i < 10; ++i) finish(b, *worker, give(b, *program, *worker), {some_runs(1)});
  auto first = program->take<wire::traced>();
  REQUIRE(first.has_value());
  CHECK(first->ran.size() == 1);
  CHECK_FALSE(program->take<wire::traced>().has_value());
  CHECK(runs_told(b, *program) == 9);
  CHECK(runs_told(b, *program) == 0);
  finish(b, *worker, give(b, *program, *worker), {some_runs(2)});
  CHECK_FALSE(program->take<wire::traced>().has_value());
  b.pass(node::runs_wait_ns);
  CHECK(program->take<wire::traced>().has_value());
  finish(b, *worker, give(b, *program, *worker), {some_runs(node::runs_due)});
  CHECK(program->take<wire::traced>().has_value());
}

TEST_CASE("what a worker process's own calls ran is told to the program behind it") {
  box b;
  b.pass(long_ago);
  auto program = b.join();
  auto worker = start_worker(b, *program), second = worker;
  auto outer = give(b, *program, *worker);
  wire::call inner;
  inner.task = worker->mint();
  inner.results = {worker->mint()};
  inner.options.where = wire::isolation::process;
  b.say(*worker, wire::submit{inner});
  second = b.open(b.wishes.back().pool);
  b.settle();
  auto given = second->take<wire::execute>();
  REQUIRE(given.has_value());
  finish(b, *second, given->what, {some_runs(2)});
  finish(b, *worker, outer, {some_runs(3)});
  CHECK(runs_told(b, *program) == 5);
  CHECK(runs_told(b, *worker) == 0);
}

TEST_CASE("a worker process that says bye tells the rest") {
  box b;
  auto program = b.join();
  auto worker = start_worker(b, *program);
  b.say(*worker, wire::bye{{some_runs(4)}});
  CHECK(runs_told(b, *program) == 4);
}

TEST_CASE("no session writes into the timeline of a program that it runs nothing for") {
  box b;
  auto program = b.join(), victim = b.join();
  auto worker = start_worker(b, *program);
  wire::call not_given;
  not_given.task = victim->mint();
  finish(b, *worker, not_given, {some_runs(5)});
  b.say(*program, wire::bye{{some_runs(6)}});
  CHECK(runs_told(b, *victim) == 0);
  CHECK(b.complaint == "");
}

TEST_CASE("what is kept for a program that does not ask stays small, and goes with it") {
  box b;
  auto program = b.join();
  auto worker = start_worker(b, *program);
  program->heard.clear();
  std::size_t runs = 0;
  for (int i = 0; i < 20; ++i) {
    finish(b, *worker, give(b, *program, *worker), {some_runs(wire::limits::trace_runs_max)});
    while (auto told = program->take<wire::traced>())
      for (const wire::trace& each : told->ran) runs += each.runs.size();
  }
  CHECK(runs == 20 * wire::limits::trace_runs_max);
  b.die(*program);
  b.say(*worker, wire::bye{{some_runs(4)}});
  CHECK(b.complaint == "");
}

}  // namespace agent_traces_test
