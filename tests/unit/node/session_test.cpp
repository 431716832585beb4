// SPDX-License-Identifier: Apache-2.0
// What a session says to its agent and to its program: ids, values, requests, the end.
#include <doctest/doctest.h>

#include "session_box.hpp"

namespace session_test {

using namespace session_box;

TEST_CASE("a session says hello and is open when the welcome has come") {
  box b;
  b.with->turns.push_back([] {});
  REQUIRE(b.open_with([&] { b.welcome(); }).has_value());
  auto hello = b.said<wire::hello>();
  REQUIRE(hello.size() == 1);
  CHECK(hello[0].functions_hash == 11);
  CHECK(hello[0].program == "test");
  CHECK(b.session.inline_max() == 65536);
  object_id first = b.session.mint(), second_id = b.session.mint();
  CHECK(first.node == 7);
  CHECK(first.session == 3);
  CHECK(first != second_id);
  CHECK(first.guard != second_id.guard);
  CHECK(!b.session.lost());
}

TEST_CASE("opening ends with the agent's refusal, its loss, or the time limit") {
  {
    box b;
    auto why = b.open_with([&] { b.say(wire::refused{0, errc::permission, true}); });
    CHECK(why.error().code() == errc::permission);
    CHECK(b.host.lost.empty());
  }
  {
    box b;
    auto why = b.open_with([&] { b.session.on_lost(errc::closed); });
    CHECK(why.error().code() == errc::agent_lost);
  }
  {
    box b;
    CHECK(b.open_with({}).error().code() == errc::timeout);
    CHECK(b.session.lost());
    CHECK(b.said<wire::bye>().size() == 1);
  }
}

TEST_CASE(
    "an inline limit beyond what the format allows is cut, and a second welcome is nonsense") {
  box b;
  REQUIRE(b.open_with([&] { b.say(wire::welcome{7, 1, 3, ~std::uint64_t{0}}); }).has_value());
  CHECK(b.session.inline_max() == 1 << 20);
  b.welcome();
  REQUIRE(b.host.lost.size() == 1);
  CHECK(b.host.lost[0].code() == errc::agent_lost);
}

TEST_CASE("the agent hears of the first and of the last reference only") {
  box b;
  b.open();
  object_id id = b.session.mint();
  b.session.publish(id);
  b.session.retain(id);
  b.session.let_go(id);
  b.session.flush();
  CHECK(b.count() == 1);
  b.session.let_go(id);
  CHECK(b.count() == 1);  // collected
  b.session.flush();
  REQUIRE(b.said<wire::release>().size() == 1);
  CHECK(b.said<wire::release>()[0].mentions == 0);

  object_id strange = other_id(1);
  b.session.retain(strange);
  b.session.retain(strange);
  CHECK(b.said<wire::hold>().size() == 1);
  b.session.let_go(strange);
  b.session.retain(strange);  // before the release was sent
  b.session.flush();
  CHECK(b.said<wire::release>().size() == 1);
  CHECK(b.said<wire::hold>().size() == 1);
}

TEST_CASE("a release counts the mentions since the one before") {
  box b;
  b.open();
  object_id id = other_id(1), inner = other_id(2);
  for (int round = 1; round <= 2; ++round) {
    std::vector<object_id> twice{id, id};
    b.require(twice);
    std::uint64_t ticket = b.said<wire::require>().back().ticket;
    b.say(
        wire::here{ticket, {inline_object(id, 8, {inner}), inline_object(id, 8, {inner, inner})}});
    REQUIRE(b.answers.back().has_value());
    drop(*b.answers.back());
    b.session.flush();
    auto released = b.said<wire::release>();
    REQUIRE(released.size() == 2);
    for (const wire::release& one : released) CHECK(one.mentions == (one.id == id ? 2 : 3));
    b.forget();
  }
}

TEST_CASE("a mention that crosses a release is the next release's") {
  box b;
  b.open();
  object_id id = b.session.mint();
  b.session.publish(id);
  b.session.let_go(id);
  b.session.flush();  // under way while the agent mentions the id
  b.say(wire::named{.ticket = 99, .actor = id, .why = {}});
  b.session.flush();
  auto released = b.said<wire::release>();
  REQUIRE(released.size() == 2);
  CHECK(released[0].mentions == 0);
  CHECK(released[1].mentions == 1);
}

TEST_CASE("what the reading thread drops in an answer is given back when it has handed over") {
  box b;
  b.open();
  object_id id = other_id(1);
  b.segment(1, 65536, false, 5);
  b.session.require(std::vector{id}, 0, 0, [](auto what) { drop(*what); });
  b.say(wire::here{1, {stored_object(id, {1, 64, 100})}});
  REQUIRE(b.said<wire::unpin>().size() == 1);
  CHECK(b.said<wire::unpin>()[0].objects == std::vector{id});
  CHECK(b.said<wire::release>().size() == 1);
}

TEST_CASE("unpins go together, and at the latest when there are many, or their bytes") {
  box b;
  b.open();
  b.segment(1, 4 << 20, false);
  auto fetch = [&](wire::extent where) {
    b.require({other_id(1)});
    b.say(wire::here{b.said<wire::require>().back().ticket, {stored_object(other_id(1), where)}});
    std::vector<arrived> got = std::move(*b.answers.back());
    return got;
  };
  std::vector<arrived> first = fetch({1, 0, 64});
  std::vector<std::vector<arrived>> many;
  for (std::size_t i = 0; i < node::session::batch_max; ++i) many.push_back(fetch({1, 0, 64}));
  for (auto& one : many) {
    CHECK(b.said<wire::unpin>().empty());
    drop(one);
  }
  REQUIRE(b.said<wire::unpin>().size() == 1);
  CHECK(b.said<wire::unpin>()[0].objects.size() == node::session::batch_max);
  b.forget();
  std::vector<arrived> large = fetch({1, 0, 2 << 20});
  b.forget();
  drop(large);
  CHECK(b.said<wire::unpin>().size() == 1);
  drop(first);
}

TEST_CASE("values arrive inline, from a segment, or as the error of their making") {
  box b;
  b.open();
  b.segment(1, 65536, false, 5);
  object_id a = other_id(1), s = other_id(2);
  b.require({a, s});
  b.say(wire::here{1, {inline_object(a, 10, {s}), stored_object(s, {1, 4096, 100})}});
  REQUIRE(b.answers.size() == 1);
  std::vector<arrived>& got = *b.answers[0];
  REQUIRE(got.size() == 2);
  CHECK(got[0].bytes.size == 10);
  CHECK(got[0].bytes.data[9] == std::byte{3});
  CHECK(got[0].contained == std::vector{s});
  CHECK(got[1].bytes.size == 100);
  CHECK(got[1].bytes.data[99] == std::byte{5});
  drop(got);

  b.require({a, s});
  b.say(wire::here{2, {failed_object(s, errc::worker_died)}});
  REQUIRE(b.answers.size() == 2);
  REQUIRE(b.answers[1]->size() == 1);
  CHECK((*b.answers[1])[0].why.code() == errc::worker_died);
  drop(*b.answers[1]);
  b.session.flush();
  CHECK(b.said<wire::release>().size() == 3);  // both, and the failed one again
}

TEST_CASE("a long answer comes in parts and is handed over as one") {
  box b;
  b.open();
  object_id a = other_id(1), c = other_id(2);
  b.require({a, c});
  b.say(wire::here{1, {inline_object(a)}});
  CHECK(b.answers.empty());
  b.say(wire::here{1, {inline_object(c)}});
  REQUIRE(b.answers.size() == 1);
  CHECK(b.answers[0]->size() == 2);
  drop(*b.answers[0]);

  b.require({a, c});
  b.say(wire::here{2, {inline_object(a)}});
  b.say(wire::here{2, {failed_object(c, errc::object_lost)}});
  REQUIRE(b.answers.size() == 2);
  CHECK(b.answers[1]->size() == 1);
  drop(*b.answers[1]);
  b.require({});
  b.say(wire::here{3, {}});
  CHECK(b.answers[2]->empty());
}

TEST_CASE("a request is answered once: refused, abandoned, answered late or twice") {
  box b;
  b.open();
  b.segment(1, 4096, false);
  object_id id = other_id(1);
  std::uint64_t refused = b.require({id});
  b.say(wire::refused{refused, errc::timeout, false});
  b.say(wire::refused{refused, errc::timeout, false});
  REQUIRE(b.answers.size() == 1);
  CHECK(b.answers[0].error().code() == errc::timeout);
  CHECK(!b.session.abandon(refused));

  std::uint64_t late = b.require({id});
  CHECK(b.session.abandon(late));
  CHECK(!b.session.abandon(late));
  REQUIRE(b.said<wire::abandon>().size() == 1);
  b.say(wire::here{late, {stored_object(id, {1, 0, 64})}});  // crossed it
  CHECK(b.answers.size() == 1);
  CHECK(b.said<wire::unpin>().size() == 1);
  CHECK(b.said<wire::release>().size() == 1);
  CHECK(b.said<wire::release>()[0].mentions == 1);
}

TEST_CASE("what may be refused for want of room is refused at once, the rest waits in its order") {
  box b;
  b.open();
  object_id id = b.session.mint();
  b.with->room = 0;
  b.session.publish(id);
  b.session.fulfil(id, {.inline_bytes = std::vector<std::byte>(4)});
  b.session.let_go(id);
  CHECK(b.session.behind());
  b.require({id});
  REQUIRE(b.answers.size() == 1);
  CHECK(b.answers[0].error().code() == errc::queue_full);
  wire::call call;
  call.results = {b.session.mint()};
  CHECK(b.session.submit(call).error().code() == errc::queue_full);
  b.with->room = 1;
  b.session.flush();
  CHECK(b.count() == 1);
  b.with->room = 100;
  b.say(wire::abort_call{});  // anything that comes
  CHECK(!b.session.behind());
  REQUIRE(b.count() == 3);
  CHECK(std::holds_alternative<wire::publish>(b.with->said[0]));
  CHECK(std::holds_alternative<wire::fulfil>(b.with->said[1]));
  CHECK(std::holds_alternative<wire::release>(b.with->said[2]));
}

TEST_CASE("an agent that takes nothing for very long is lost") {
  box b;
  b.open();
  object_id id = b.session.mint();
  b.with->room = 0;
  for (std::size_t i = 0; i <= node::session::backlog_max; ++i) b.session.cancel(id, false, false);
  CHECK(b.session.lost());
  CHECK(b.host.lost.empty());
  b.say(wire::drain{});
  REQUIRE(b.host.lost.size() == 1);
  CHECK(b.host.lost[0].code() == errc::agent_lost);
}

TEST_CASE("a value that no message can hold becomes the error that says so") {
  box b;
  b.open();
  b.with->judge = [](const wire::to_agent& message) -> error {
    const auto* done = std::get_if<wire::done>(&message);
    const auto* fulfil = std::get_if<wire::fulfil>(&message);
    bool large = (done != nullptr && !std::holds_alternative<error>(done->results[0].body)) ||
                 (fulfil != nullptr && !std::holds_alternative<error>(fulfil->made.body));
    return large ? errc::too_large : errc::ok;
  };
  object_id id = b.session.mint();
  b.session.fulfil(id, {.inline_bytes = std::vector<std::byte>(100)});
  REQUIRE(b.said<wire::fulfil>().size() == 1);
  CHECK(std::get<error>(b.said<wire::fulfil>()[0].made.body).code() == errc::too_large);
  std::vector<node::made> results(2);
  b.session.done(id, 0, std::move(results));
  REQUIRE(b.said<wire::done>().size() == 1);
  CHECK(b.said<wire::done>()[0].results.size() == 2);

  b.with->judge = [](const wire::to_agent&) -> error { return errc::too_large; };
  wire::call call;
  call.results = {id};
  CHECK(b.session.submit(call).error().code() == errc::too_large);
  CHECK(!b.session.lost());
}

TEST_CASE("a call's results, and the actor it makes, are held by who submits it") {
  box b;
  b.open();
  wire::call call;
  call.task = b.session.mint();
  call.actor = b.session.mint();
  call.kind = wire::call_kind::create_actor;
  call.results = {b.session.mint()};
  REQUIRE(b.session.submit(call).has_value());
  b.session.let_go(call.results[0]);
  b.session.let_go(call.actor);
  b.session.flush();
  CHECK(b.said<wire::release>().size() == 2);
}

TEST_CASE("a call that comes hands over its objects and the refs in its arguments") {
  box b;
  b.open();
  wire::execute m;
  m.what.arguments.resize(2);
  m.what.arguments[0] = {
      .object = other_id(1), .by_ref = true, .inline_value = {}, .contained = {}};
  m.what.arguments[1].contained = {other_id(2)};
  m.objects = {inline_object(other_id(3))};
  b.say(m);
  REQUIRE(b.host.calls.size() == 1);
  drop(b.host.calls[0].objects);
  b.session.let_go(other_id(1));
  b.session.let_go(other_id(2));
  b.session.flush();
  CHECK(b.said<wire::release>().size() == 3);
  for (const wire::release& one : b.said<wire::release>()) CHECK(one.mentions == 1);
}

TEST_CASE("news is handed on, with the value where it came along") {
  box b;
  b.open();
  object_id id = b.session.mint();
  b.session.publish(id);
  b.say(wire::sealed{.id = id, .why = errc::worker_died});
  wire::sealed with_value{.id = id, .why = {}, .has_value = true};
  with_value.what = {.body = wire::bytes(5), .contained = {other_id(1)}};
  b.say(with_value);
  b.say(wire::actor_ended{other_id(2), errc::actor_died});
  b.say(wire::abort_call{other_id(3), 1});
  b.say(wire::pressure{77});
  b.say(wire::drain{});
  REQUIRE(b.host.sealed.size() == 2);
  CHECK(b.host.sealed[0].why.code() == errc::worker_died);
  CHECK(!b.host.sealed[0].value);
  REQUIRE(b.host.sealed[1].value);
  CHECK(b.host.sealed[1].value->bytes.size == 5);
  drop(*b.host.sealed[1].value);
  b.session.let_go(id);
  b.session.flush();
  CHECK(b.said<wire::release>().size() == 2);
  CHECK(b.host.ended.size() == 1);
  CHECK(b.host.aborted.size() == 1);
  CHECK(b.host.pressure == 77);
  CHECK(b.host.drains == 1);
}

TEST_CASE("asking for a name answers with the actor, counted, or with the reason") {
  box b;
  b.open();
  std::vector<std::pair<object_id, error>> answers;
  auto then = [&](object_id actor, error why) { answers.emplace_back(actor, why); };
  b.session.name_actor("s", "n", {}, false, then);
  b.say(wire::named{b.said<wire::name_actor>().back().ticket, other_id(1), {}});
  b.session.let_go(other_id(1));
  b.session.name_actor("s", "n", {}, false, then);
  b.say(wire::named{b.said<wire::name_actor>().back().ticket, {}, errc::not_found});
  b.session.name_actor("s", "n", {}, false, then);
  b.session.on_lost(errc::closed);
  b.session.name_actor("s", "n", {}, false, then);
  REQUIRE(answers.size() == 4);
  CHECK(answers[0].first == other_id(1));
  CHECK(answers[1].second.code() == errc::not_found);
  CHECK(answers[2].second.code() == errc::agent_lost);
  CHECK(answers[3].second.code() == errc::agent_lost);
}

TEST_CASE("fetching waits for the answer, for the agent's refusal, and at most for the time") {
  box b;
  b.open();
  object_id id = other_id(1);
  auto fetch = [&] { return b.session.fetch(std::vector{id}, 0, second); };
  b.with->turns.push_back([&] {
    auto asked = b.said<wire::require>().back();
    CHECK(asked.deadline_ns == b.with->now + second);
    b.say(wire::here{asked.ticket, {inline_object(id)}});
  });
  auto got = fetch();
  REQUIRE(got.has_value());
  drop(*got);
  b.with->turns.push_back([&] {
    b.say(wire::refused{b.said<wire::require>().back().ticket, errc::object_lost, false});
  });
  CHECK(fetch().error().code() == errc::object_lost);
  CHECK(b.said<wire::abandon>().empty());
  CHECK(fetch().error().code() == errc::timeout);
  CHECK(b.said<wire::abandon>().size() == 1);
  b.with->turns.push_back([&] { b.session.on_lost(errc::closed); });
  CHECK(fetch().error().code() == errc::agent_lost);
  CHECK(fetch().error().code() == errc::agent_lost);
}

TEST_CASE("when the agent is lost all requests are answered before the program is told") {
  box b;
  b.open();
  b.segment(1, 4096, false, 9);
  object_id id = other_id(1);
  b.require({id});
  b.say(wire::here{1, {stored_object(id, {1, 0, 64})}});
  std::vector<arrived> kept = std::move(*b.answers[0]);
  b.require({id, other_id(2)});
  b.say(wire::here{2, {inline_object(id)}});  // half of it
  b.require({id});
  std::size_t told_first = 0;
  b.session.require(std::vector{id}, 0, 0, [&](auto) { told_first = b.host.lost.size() + 1; });
  b.session.on_lost(errc::closed);
  b.session.on_lost(errc::closed);
  REQUIRE(b.answers.size() == 3);
  CHECK(b.answers[1].error().code() == errc::agent_lost);
  CHECK(b.answers[2].error().code() == errc::agent_lost);
  CHECK(told_first == 1);
  REQUIRE(b.host.lost.size() == 1);
  CHECK(b.host.lost[0].code() == errc::agent_lost);
  CHECK(b.session.lost());
  b.forget();
  b.require({id});
  CHECK(b.answers[3].error().code() == errc::agent_lost);
  CHECK(b.session.submit({}).error().code() == errc::agent_lost);
  CHECK(kept[0].bytes.data[63] == std::byte{9});
  drop(kept);
  b.session.flush();
  b.say(wire::drain{});
  CHECK(b.host.drains == 0);
  CHECK(b.count() == 0);
}

TEST_CASE("a link that finds the agent gone makes the session lost before anybody reads") {
  box b;
  b.open();
  b.require({other_id(1)});
  b.with->refusal = errc::agent_lost;
  CHECK(b.session.submit({}).error().code() == errc::agent_lost);
  CHECK(b.session.lost());
  CHECK(b.answers.empty());
  b.session.on_lost(errc::agent_lost);
  CHECK(b.answers.size() == 1);
  CHECK(b.host.lost.size() == 1);
}

TEST_CASE("closing says bye, answers what waits, and values stay readable after the session") {
  std::vector<arrived> kept;
  auto with = std::make_shared<script>();
  {
    box b;
    b.with = with;
    b.open();
    b.segment(1, 4096, false, 9);
    b.require({other_id(1)});
    b.say(wire::here{1, {stored_object(other_id(1), {1, 0, 64})}});
    kept = std::move(*b.answers[0]);
    b.require({other_id(1)});
    b.session.close();
    REQUIRE(b.answers.size() == 2);
    CHECK(b.answers[1].error().code() == errc::closed);
    CHECK(b.said<wire::bye>().size() == 1);
    CHECK(b.host.lost.empty());
    CHECK(with.use_count() <= 3);  // the test's two and the clock's: the link has gone
  }
  CHECK(kept[0].bytes.data[0] == std::byte{9});
  drop(kept);
}

}  // namespace session_test
