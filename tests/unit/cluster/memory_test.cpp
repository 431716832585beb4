// SPDX-License-Identifier: Apache-2.0
// Who ends when memory is short, and when it begins again.
#include "box.hpp"

namespace memory_test {

using namespace cluster_box;

constexpr std::uint64_t second = 1'000'000'000;

/// Submitted by session 1 and run by `worker`, a process of its own.
wire::call start(box& b, std::uint32_t worker, std::uint64_t sequence, std::int32_t retries,
                 bool repeated = false) {
  wire::call c = b.call(1, sequence);
  c.options.where = wire::isolation::process;
  c.options.retries = retries;
  c.options.repeated = repeated;
  b.say(1, wire::submit{c});
  REQUIRE(b.did<cluster::need_worker>().size() == 1);
  b.open(worker, 1, b.did<cluster::need_worker>()[0].pool);
  REQUIRE(b.told<wire::execute>(worker).size() == 1);
  return c;
}
wire::call start_actor(box& b, std::uint32_t worker, std::uint64_t sequence,
                       std::int32_t restarts) {
  wire::call c = b.call(1, sequence);
  c.kind = wire::call_kind::create_actor;
  c.actor = b.id(1, sequence + 2);
  c.options.where = wire::isolation::process;
  c.options.restarts = restarts;
  b.say(1, wire::submit{c});
  REQUIRE(b.did<cluster::need_worker>().size() == 1);
  b.open(worker, 1, b.did<cluster::need_worker>()[0].pool);
  b.done(worker, c, inline_value());
  return c;
}
/// The worker process that is to end; 0: none.
std::uint32_t chosen(box& b) {
  b.step(cluster::memory_short{});
  auto killed = b.did<cluster::kill_worker>();
  REQUIRE(killed.size() <= 1);
  CHECK((killed.empty() || killed[0].for_memory));
  return killed.empty() ? 0 : killed[0].session;
}
void end_for_memory(box& b, std::uint32_t worker) {
  b.step(cluster::session_ended{
      .session = worker, .signal = 9, .how = "no memory was left", .out_of_memory = true});
}

TEST_CASE("short memory ends the newest call that can be tried again, and then the next one") {
  box b;
  b.open(1);
  start(b, 2, 10, 1);
  start(b, 3, 20, 1);
  start(b, 4, 30, 0);
  CHECK(chosen(b) == 3);
  end_for_memory(b, 3);
  CHECK(chosen(b) == 2);
  end_for_memory(b, 2);
  CHECK(chosen(b) == 4);
  end_for_memory(b, 4);
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  const error why = b.told<wire::sealed>(1)[0].why;
  CHECK(why == error(errc::no_memory, beamlet::error_layer::cluster, 9));
  CHECK(why.function() == "work");
  CHECK(why.message().find("no memory was left") != std::string_view::npos);
  CHECK(chosen(b) == 0);
}

TEST_CASE("a call that its submitter repeats counts as one that can be tried again") {
  box b;
  b.open(1);
  start(b, 2, 10, 0, true);
  start(b, 3, 20, 0);
  CHECK(chosen(b) == 2);
}

TEST_CASE("an actor that is made again ends after calls that are tried again, and before others") {
  box b;
  b.open(1);
  start(b, 2, 10, -1);
  start_actor(b, 3, 20, 1);
  start_actor(b, 4, 30, 0);
  start(b, 5, 40, 0);
  CHECK(chosen(b) == 2);
  end_for_memory(b, 2);
  CHECK(chosen(b) == 3);
  end_for_memory(b, 3);
  CHECK(b.did<cluster::need_worker>().empty());
  b.now += second;
  b.step(cluster::tick{});
  CHECK(b.did<cluster::need_worker>().size() == 2);  // both begin again
  CHECK(b.state.count().actors == 2);
}

TEST_CASE("what ended because memory was short begins again after a pause that grows") {
  box b;
  b.open(1);
  start(b, 2, 10, -1);
  std::uint64_t pause = cluster::limits().memory_backoff_ns;
  for (std::uint32_t worker = 3; worker < 6; ++worker, pause *= 2) {
    end_for_memory(b, worker - 1);
    CHECK(b.did<cluster::need_worker>().empty());
    REQUIRE(b.did<cluster::set_timer>().size() == 1);
    CHECK(b.did<cluster::set_timer>()[0].at_ns == b.now + pause);
    b.now += pause;
    b.step(cluster::tick{});
    REQUIRE(b.did<cluster::need_worker>().size() == 1);
    b.open(worker, 1, b.did<cluster::need_worker>()[0].pool);
    REQUIRE(b.told<wire::execute>(worker).size() == 1);
  }
  // Any other death is tried again at once.
  b.end(5);
  CHECK(b.did<cluster::need_worker>().size() == 1);
}

TEST_CASE("a call that rests is cancelled like any that does not run") {
  box b;
  b.open(1);
  wire::call c = start(b, 2, 10, -1);
  end_for_memory(b, 2);
  b.say(1, wire::cancel{.task = c.task});
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.told<wire::sealed>(1)[0].why == errc::cancelled);
  b.now += 100 * second;
  b.step(cluster::tick{});
  CHECK(b.did<cluster::need_worker>().empty());
  CHECK(b.state.count().tasks == 0);
}

TEST_CASE("worker processes without a call are asked to end when memory is short") {
  box b;
  b.open(1);
  wire::call c = start(b, 2, 10, 0);
  CHECK(b.state.workers_run());
  b.done(2, c, inline_value());
  CHECK_FALSE(b.state.workers_run());
  CHECK(chosen(b) == 0);
  CHECK(b.told<wire::drain>(2).size() == 1);
  start(b, 3, 30, 0);
}

}  // namespace memory_test
