// SPDX-License-Identifier: Apache-2.0
// What an agent tells about itself.
#include <doctest/doctest.h>

#include "tests/unit/node/agent_box.hpp"
#include "wire/limits.hpp"

namespace agent_status_test {

using namespace agent_test;

wire::status look_at(box& b, client& by, std::uint32_t objects_max = 100) {
  b.say(by, wire::look{.ticket = ++b.ticket, .objects_max = objects_max});
  auto status = by.take<wire::status>();
  REQUIRE(status.has_value());
  CHECK(status->ticket == b.ticket);
  // Whatever it says fits into a message.
  auto encoded = wire::encode(wire::to_session(*status));
  REQUIRE(encoded.has_value());
  CHECK(wire::decode_to_session(*encoded).has_value());
  return *std::move(status);
}

const wire::session_status& session_in(const wire::status& all, const client& who) {
  for (const auto& each : all.sessions)
    if (each.session == who.number) return each;
  FAIL("the session is not listed");
  return all.sessions.front();
}

TEST_CASE("a status lists objects by size, with their age, their holders and who pins them") {
  box b;
  auto writer = b.join(), reader = b.join();
  object_id small = writer->mint(), large = writer->mint(), tiny = writer->mint(),
            pending = writer->mint();
  b.put(*writer, small, 70'000);
  b.pass(5'000'000'000);
  b.put(*writer, large, 300'000);
  b.say(*writer, wire::publish{tiny});
  b.say(*writer, wire::fulfil{tiny, {.body = wire::bytes(10), .contained = {}}});
  b.say(*writer, wire::publish{pending});
  CHECK(b.get(*writer, large).has_value());
  CHECK(b.get(*writer, large).has_value());

  wire::status all = look_at(b, *reader);
  CHECK(all.programs == 2);
  CHECK(all.workers == 0);
  CHECK(all.objects == 4);
  REQUIRE(all.listed.size() == 4);
  CHECK(all.listed[0].id.sequence == large.sequence);
  CHECK(all.listed[0].id.guard == 0);  // an id that nobody can use
  CHECK(all.listed[0].size == 300'000);
  CHECK(all.listed[0].state == wire::object_state::memory);
  CHECK(all.listed[0].holders == 1);
  REQUIRE(all.listed[0].pins.size() == 1);
  CHECK(all.listed[0].pins[0].session == writer->number);
  CHECK(all.listed[0].pins[0].pins == 2);
  CHECK(all.listed[1].size == 70'000);
  CHECK(all.listed[1].pins.empty());
  CHECK(all.listed[1].age_ns >= all.listed[0].age_ns + 5'000'000'000);
  CHECK(all.listed[2].state == wire::object_state::inline_value);
  CHECK(all.listed[2].size == 10);
  CHECK(all.listed[3].state == wire::object_state::pending);
  CHECK(all.objects_store.published >= 370'000);
  CHECK(all.objects_store.pinned >= 300'000);
  CHECK(all.up_ns >= 5'000'000'000);

  CHECK(look_at(b, *reader, 1).listed.size() == 1);
  CHECK(look_at(b, *reader, 0).listed.empty());
  CHECK(b.complaint == "");
}

TEST_CASE("a status tells what each session holds, runs and waits for") {
  box b;
  auto program = b.join(), viewer = b.join();
  object_id id = program->mint();
  b.put(*program, id, 70'000);
  CHECK(b.get(*program, id).has_value());
  wire::call call;
  call.task = program->mint();
  call.results = {program->mint()};
  call.options.where = wire::isolation::process;
  b.say(*program, wire::submit{call});
  auto worker = b.open(b.wishes.at(0).pool);
  b.settle();

  wire::status all = look_at(b, *viewer);
  CHECK(all.programs == 2);
  CHECK(all.workers == 1);
  CHECK(all.calls == 1);
  const wire::session_status& owner = session_in(all, *program);
  CHECK(owner.program == "test");
  CHECK(owner.pool == 0);
  CHECK(owner.held == 2);
  CHECK(owner.pins == 1);
  CHECK(owner.pinned >= 70'000);
  CHECK(owner.waiting == 1);
  CHECK(owner.running == 0);
  const wire::session_status& runs = session_in(all, *worker);
  CHECK(runs.pool != 0);
  CHECK(runs.running == 1);
  CHECK_FALSE(runs.ended);
  CHECK(b.complaint == "");
}

TEST_CASE("a status of more than it may list still fits, and says how much there is") {
  box b;
  auto program = b.join();
  for (std::size_t i = 0; i < wire::limits::status_objects_max + 10; ++i)
    b.agent->on_message(program->number, wire::publish{program->mint()});
  b.settle();
  wire::status all = look_at(b, *program, ~std::uint32_t{0});
  CHECK(all.listed.size() == wire::limits::status_objects_max);
  CHECK(all.objects == wire::limits::status_objects_max + 10);
}

TEST_CASE("a program's long name is cut") {
  box b;
  auto made = b.connect();
  wire::hello hello = box::hello();
  hello.program = std::string(wire::limits::name_bytes_max, 'n');
  b.say(*made, hello);
  wire::status all = look_at(b, *made);
  CHECK(session_in(all, *made).program.size() == wire::limits::status_name_bytes_max);
}

TEST_CASE("who only looks is no program of the box") {
  box b;
  auto program = b.join(), viewer = b.connect();
  wire::hello hello = box::hello();
  hello.functions_hash = 0;
  b.say(*viewer, hello);
  wire::status all = look_at(b, *viewer);
  CHECK(all.programs == 1);
  REQUIRE(all.sessions.size() == 1);
  CHECK(all.sessions[0].session == program->number);
  CHECK(b.agent->programs() == 1);
  auto silent = b.connect();  // nor is who has not said what it is
  CHECK(b.agent->programs() == 1);
  CHECK(b.agent->sessions() == 3);
  CHECK(silent->connected);
}

TEST_CASE("an agent that has been asked to end welcomes nobody") {
  box b;
  auto before = b.join(), early = b.connect();
  b.agent->drain();
  b.settle();
  CHECK(before->take<wire::drain>().has_value());
  auto late = b.connect();
  for (auto& each : {early, late}) {
    b.say(*each, box::hello());
    CHECK_FALSE(each->take<wire::welcome>().has_value());
    CHECK_FALSE(each->connected);
  }
  CHECK(before->connected);
}

TEST_CASE("nobody is told anything before hello") {
  box b;
  auto made = b.connect();
  b.say(*made, wire::look{.ticket = 1, .objects_max = 1});
  CHECK_FALSE(made->take<wire::status>().has_value());
  CHECK_FALSE(made->connected);
}

}  // namespace agent_status_test
