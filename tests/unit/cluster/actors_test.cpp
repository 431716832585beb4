// SPDX-License-Identifier: Apache-2.0
#include "box.hpp"

namespace actors_test {

using namespace cluster_box;

wire::call creation(box& b, std::int32_t restarts = 0) {
  wire::call c = b.call(1, 10);
  c.kind = wire::call_kind::create_actor;
  c.actor = b.id(1, 5);
  c.options.restarts = restarts;
  return c;
}
wire::call method(box& b, std::uint64_t number, std::vector<object_id> arguments = {}) {
  wire::call c = b.call(1, 100 + 10 * number, std::move(arguments));
  c.kind = wire::call_kind::actor_call;
  c.actor = b.id(1, 5);
  c.caller = 1;
  c.sequence = number;
  return c;
}
// An actor of session 1 that lives in session 2.
void live(box& b, std::int32_t restarts = 0) {
  b.open(1, 0);
  b.open(2);
  b.say(1, wire::submit{creation(b, restarts)});
  REQUIRE(b.told<wire::execute>(2).size() == 1);
  b.done(2, creation(b), inline_value());
}
std::vector<std::uint64_t> delivered(const box& b, std::uint32_t session) {
  std::vector<std::uint64_t> all;
  for (const wire::execute& e : b.told<wire::execute>(session)) all.push_back(e.what.sequence);
  return all;
}
using numbers = std::vector<std::uint64_t>;

TEST_CASE("calls of one caller reach the actor in order, however they come") {
  box b;
  live(b);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::submit{method(b, 1)});
  CHECK(delivered(b, 2).empty());
  b.say(1, wire::submit{method(b, 0, {b.id(1, 1)})});
  CHECK(delivered(b, 2).empty());        // its argument is missing, and it holds up the other
  b.say(1, wire::submit{method(b, 1)});  // a copy does nothing
  b.say(1, wire::fulfil{b.id(1, 1), inline_value()});
  CHECK(delivered(b, 2) == numbers{0, 1});
  wire::call again = method(b, 7);
  again.sequence = 1;
  b.say(1, wire::submit{again});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::invalid_argument);
}

TEST_CASE("a call that fails or is refused before its turn does not hold up the next") {
  box b;
  live(b);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::submit{method(b, 0, {b.id(1, 1)})});
  b.say(1, wire::submit{method(b, 1, {b.id(9, 9)})});  // refused: nobody holds the argument
  b.say(1, wire::submit{method(b, 2)});
  b.say(1, wire::cancel{.task = method(b, 0).task});
  CHECK(delivered(b, 2) == numbers{2});
}

TEST_CASE("an actor is given so many calls ahead, its callers in turn") {
  box b({.calls_ahead_max = 1});
  live(b);
  std::vector<wire::call> calls;
  for (std::uint64_t n = 0; n < 6; ++n) {
    calls.push_back(method(b, n));
    calls.back().caller = n < 4 ? 1 : 2;
    calls.back().sequence = n < 4 ? n : n - 4;
    b.say(1, wire::submit{calls.back()});
    CHECK(delivered(b, 2).size() == (n < 2 ? 1 : 0));
  }
  auto next = [&](const wire::call& ended) {
    b.done(2, ended, inline_value());
    auto given = b.told<wire::execute>(2);
    return given.size() == 1 ? given.front().what.task : object_id{};
  };
  CHECK(next(calls[0]) == calls[4].task);
  CHECK(next(calls[1]) == calls[2].task);
  CHECK(next(calls[4]) == calls[5].task);
  CHECK(next(calls[2]) == calls[3].task);
  CHECK(next(calls[5]) == object_id{});
}

TEST_CASE("calls are repeated as the actor's creation says, unless they say how often themselves") {
  box b;
  b.open(1, 0);
  b.open(2);
  wire::call made = creation(b, -1);
  made.options.retries = 1;
  b.say(1, wire::submit{made});
  b.done(2, made, inline_value());
  wire::call more = method(b, 1);
  more.options.retries = 2;
  b.say(1, wire::submit{method(b, 0)});
  b.say(1, wire::submit{more});
  for (std::uint32_t next = 3; next < 6; ++next) {
    b.open(next);
    b.end(next - 1);
    std::uint32_t attempt = next - 2;
    b.done(next, made, inline_value(), attempt);
    CHECK(delivered(b, next) == (next == 3 ? numbers{0, 1} : next == 4 ? numbers{1} : numbers{}));
  }
}

TEST_CASE("an actor ends when its last handle has gone and its calls have ended") {
  box b;
  live(b);
  b.say(1, wire::submit{method(b, 0)});
  b.say(1, wire::release{b.id(1, 5), 0});
  CHECK(b.told<wire::actor_ended>(2).empty());
  b.done(2, method(b, 0), inline_value());
  CHECK(b.told<wire::actor_ended>(2).size() == 1);
  CHECK(b.state.count().actors == 0);
}

TEST_CASE("a detached actor outlives its program and is found by name until it ends") {
  box b;
  b.open(1, 0);
  b.open(2);
  b.say(1, wire::name_actor{1, "space", "faces", b.id(1, 5), true});
  REQUIRE(b.told<wire::named>(1).size() == 1);
  CHECK(b.told<wire::named>(1)[0].why == errc::ok);
  wire::call c = creation(b);
  c.options.detached = true;
  b.say(1, wire::submit{c});
  b.done(2, c, inline_value());
  b.end(1);
  b.open(3, 0);
  b.say(3, wire::name_actor{2, "space", "faces", {}, false});
  CHECK(b.told<wire::named>(3).at(0).actor == b.id(1, 5));
  b.say(3, wire::name_actor{3, "space", "faces", b.id(3, 1), true});
  CHECK(b.told<wire::named>(3).at(0).why == errc::already_exists);
  CHECK(b.told<wire::named>(3).at(0).actor == b.id(1, 5));
  b.say(3, wire::end_actor{b.id(1, 5), true});
  CHECK(b.told<wire::actor_ended>(2).size() == 1);
  CHECK(b.told<wire::actor_ended>(3).size() == 1);
  b.say(3, wire::name_actor{4, "space", "faces", {}, false});
  CHECK(b.told<wire::named>(3).at(0).why == errc::not_found);
}

TEST_CASE("who asks for a name before its actor is made is answered when it is, or never will be") {
  for (bool made : {true, false}) {
    box b;
    b.open(1, 0);
    b.open(2);
    b.open(3, 0);
    b.say(1, wire::name_actor{1, "space", "faces", b.id(1, 5), true});
    b.say(3, wire::name_actor{2, "space", "faces", {}, false});
    CHECK(b.told<wire::named>(3).empty());
    if (made) b.say(1, wire::submit{creation(b)});
    else b.end(1);
    REQUIRE(b.told<wire::named>(3).size() == 1);
    CHECK(b.told<wire::named>(3)[0].why == (made ? errc::ok : errc::not_found));
    CHECK(b.told<wire::named>(3)[0].actor == (made ? b.id(1, 5) : object_id{}));
  }
}

TEST_CASE("an actor of a dead process starts again, and its retriable calls with it, in order") {
  box b;
  live(b, 1);
  for (std::uint64_t i = 0; i < 3; ++i) {
    wire::call c = method(b, i);
    c.options.retries = i == 1 ? 0 : 1;
    b.say(1, wire::submit{c});
  }
  b.end(2);
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.told<wire::sealed>(1)[0].id == b.id(1, 111));
  CHECK(b.told<wire::sealed>(1)[0].why.code() == errc::actor_died);
  b.open(3);
  REQUIRE(b.told<wire::execute>(3).size() == 1);
  CHECK(b.told<wire::execute>(3)[0].what.attempt == 1);
  b.done(3, creation(b), inline_value(), 1);
  CHECK(delivered(b, 3) == numbers{0, 2});
  b.end(3);
  CHECK(b.told<wire::actor_ended>(1).size() == 1);
  wire::call late = method(b, 3);
  b.say(1, wire::submit{late});
  const error why = b.told<wire::sealed>(1).at(0).why;
  CHECK(why.code() == errc::actor_died);
  CHECK(why.cause().find("signal 9") != std::string_view::npos);
}

TEST_CASE("an actor told to end finishes the calls before and refuses those after") {
  box b;
  live(b);
  b.say(1, wire::submit{method(b, 0)});
  b.say(1, wire::end_actor{b.id(1, 5), false});
  b.say(1, wire::submit{method(b, 1)});
  CHECK(b.told<wire::sealed>(1).at(0).why.code() == errc::actor_died);
  b.done(2, method(b, 0), inline_value());
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::ok);
  CHECK(b.told<wire::actor_ended>(2).size() == 1);
}

TEST_CASE("a creation that fails ends the actor with its error") {
  box b;
  b.open(1, 0);
  b.open(2);
  b.say(1, wire::submit{creation(b)});
  b.say(1, wire::submit{method(b, 0)});
  b.done(2, creation(b), failure(errc::user_error));
  CHECK(b.told<wire::actor_ended>(1).at(0).why == errc::user_error);
  CHECK(b.told<wire::sealed>(1).size() == 2);
}

TEST_CASE("an actor in a worker process has it for itself and leaves no cpu taken while idle") {
  box b;
  b.open(1, 0);
  wire::call c = creation(b);
  c.options.where = wire::isolation::process;
  c.options.needs = {{"cpu", beamlet::amount_per_unit}};
  b.say(1, wire::submit{c});
  b.open(2, 1, b.did<cluster::need_worker>().at(0).pool);
  b.done(2, c, inline_value());
  CHECK(b.ledger.available(beamlet::resource::cpu) == 4 * beamlet::amount_per_unit);
  wire::call t = b.call(1, 50);
  t.options.where = wire::isolation::process;
  b.say(1, wire::submit{t});
  CHECK(b.told<wire::execute>(2).empty());
  CHECK(b.did<cluster::need_worker>().size() == 1);
  b.say(1, wire::end_actor{b.id(1, 5), true});
  CHECK(b.did<cluster::kill_worker>().size() == 1);
}

}  // namespace actors_test
