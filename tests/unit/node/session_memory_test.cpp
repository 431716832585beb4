// SPDX-License-Identifier: Apache-2.0
// Segments, leases and blocks of a session, and an agent that names wrong ranges.
#include <doctest/doctest.h>

#include "session_box.hpp"

namespace session_memory_test {

using namespace session_box;

constexpr std::uint64_t kib = 1024, mib = 1024 * kib;

/// The first that asks for memory gets all of its segment.
struct leasing_box : box {
  leasing_box() {
    open();
    segment(1, mib, true);
    grant_next({1, 0, mib});
  }
};

void check_lost(const box& b) {
  REQUIRE(b.host.lost.size() == 1);
  CHECK(b.host.lost[0].code() == errc::agent_lost);
  CHECK(b.host.lost[0].cause().find("nonsense") != std::string_view::npos);
}

TEST_CASE("the session says when it has mapped its own segment, and not for others'") {
  box b;
  b.open();
  b.segment(1, 64 * kib, true);
  b.segment(2, 64 * kib, false);
  REQUIRE(b.said<wire::mapped>().size() == 1);
  CHECK(b.said<wire::mapped>()[0].segment == 1);
}

TEST_CASE("blocks come from one lease as long as they fit, without a word to the agent") {
  box b;
  b.open();
  b.segment(1, 16 * mib, true);
  b.grant_next({1, 0, mib});
  auto first = b.session.allocate(100 * kib, second);
  REQUIRE(first.has_value());
  CHECK(b.said<wire::lease>().back().size == mib);
  b.forget();
  auto next = b.session.allocate(100, second);
  REQUIRE(next.has_value());
  CHECK(b.count() == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(first->data) % 4096 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(next->data) % 64 == 0);
  std::memset(first->data, 1, first->size);
  std::memset(next->data, 2, next->size);
  CHECK(first->data[0] == std::byte{1});

  b.grant_next({1, mib, 2 * mib});  // the next one is larger
  REQUIRE(b.session.allocate(950 * kib, second).has_value());
  CHECK(b.said<wire::lease>().back().size == 2 * mib);
  b.grant_next({1, 4 * mib, 5 * mib});  // what is larger still, exactly
  REQUIRE(b.session.allocate(5 * mib - 10, second).has_value());
  CHECK(b.said<wire::lease>().back().size == 5 * mib);
}

TEST_CASE("a published block is told with its range, and used again when the object is gone") {
  leasing_box b;
  auto block = b.session.allocate(mib / 2, second);
  REQUIRE(block.has_value());
  object_id id = b.session.mint();
  b.session.publish(id);
  b.session.fulfil(id, {.place = *block, .size = 300 * kib});
  auto told = b.said<wire::fulfil>();
  REQUIRE(told.size() == 1);
  CHECK(std::get<wire::extent>(told[0].made.body) ==
        wire::extent{1, block->where.offset, 300 * kib});
  b.forget();
  b.say(wire::returned{{1, block->where.offset, 300 * kib}});
  b.say(wire::returned{{1, block->where.offset, 300 * kib}});
  auto again = b.session.allocate(mib, second);
  REQUIRE(again.has_value());
  CHECK(b.said<wire::lease>().empty());
  b.session.free(*again);
}

TEST_CASE("a full lease goes back after the value that filled it, and idle ones under pressure") {
  box b;
  b.open();
  b.segment(1, 4 * mib, true);
  b.grant_next({1, 0, 2 * mib});
  auto block = b.session.allocate(2 * mib, second);
  REQUIRE(block.has_value());
  b.session.fulfil(b.session.mint(), {.place = *block, .size = 2 * mib});
  std::size_t at = b.count();
  REQUIRE(at >= 2);
  CHECK(std::holds_alternative<wire::fulfil>(b.with->said[at - 2]));
  CHECK(std::get<wire::unlease>(b.with->said[at - 1]).where == wire::extent{1, 0, 2 * mib});

  b.grant_next({1, 2 * mib, mib});
  auto small = b.session.allocate(10, second);
  REQUIRE(small.has_value());
  b.forget();
  b.say(wire::pressure{mib});
  CHECK(b.said<wire::unlease>().empty());  // something is being built in it
  b.session.free(*small);
  b.say(wire::pressure{mib});
  CHECK(b.said<wire::unlease>().size() == 1);
  CHECK(b.host.pressure == 2 * mib);
}

TEST_CASE("where a generous lease is refused just what is needed is asked for") {
  box b;
  b.open();
  b.segment(1, mib, true);
  b.with->turns.push_back([&] {
    CHECK(b.said<wire::lease>().back().deadline_ns < b.with->now + second);
    b.say(wire::refused{b.said<wire::lease>().back().ticket, errc::timeout, false});
  });
  b.grant_next({1, 0, 8 * kib});
  auto got = b.session.allocate(5000, second);
  REQUIRE(got.has_value());
  CHECK(b.said<wire::lease>().back().size == 8 * kib);
  CHECK(b.said<wire::lease>().size() == 2);
}

TEST_CASE("who waits for memory is told the agent's reason, the loss of it, or that time is up") {
  box b;
  b.open();
  auto refuse = [&](errc why) {
    b.with->turns.push_back([&b, why] {
      b.say(wire::refused{b.said<wire::lease>().back().ticket, why, false});
    });
  };
  refuse(errc::too_large);
  CHECK(b.session.allocate(64 * mib, second).error().code() == errc::too_large);
  CHECK(b.session.allocate(~std::uint64_t{0}, second).error().code() == errc::too_large);
  refuse(errc::exhausted);
  refuse(errc::exhausted);
  CHECK(b.session.allocate(10, second).error().code() == errc::exhausted);
  CHECK(b.said<wire::abandon>().empty());
  CHECK(b.session.allocate(10, second).error().code() == errc::timeout);
  CHECK(b.said<wire::abandon>().size() == 1);
  b.with->turns.push_back([&] { b.session.on_lost(errc::closed); });
  CHECK(b.session.allocate(10, second).error().code() == errc::agent_lost);
  CHECK(b.session.allocate(10, second).error().code() == errc::agent_lost);
}

TEST_CASE("a lease that nobody waits for any more goes straight back") {
  box b;
  b.open();
  b.segment(1, mib, true);
  CHECK(b.session.allocate(10, second).error().code() == errc::timeout);
  std::uint64_t late = b.said<wire::lease>().back().ticket;
  b.forget();
  b.say(wire::leased{late, {1, 0, mib}});
  REQUIRE(b.said<wire::unlease>().size() == 1);
  CHECK(b.said<wire::unlease>()[0].where == wire::extent{1, 0, mib});
}

TEST_CASE(
    "a segment stays mapped while something points into it, and is then told to be unmapped") {
  box b;
  b.open();
  b.segment(1, 64 * kib, false, 4);
  b.require({other_id(1)});
  b.say(wire::here{1, {stored_object(other_id(1), {1, 0, 64 * kib})}});
  b.say(wire::segment_gone{1});
  CHECK(b.said<wire::unmapped>().empty());
  CHECK((*b.answers[0])[0].bytes.data[64 * kib - 1] == std::byte{4});
  drop(*b.answers[0]);
  REQUIRE(b.said<wire::unmapped>().size() == 1);
  CHECK(b.said<wire::unmapped>()[0].segment == 1);

  b.segment(2, 64 * kib, false);
  b.say(wire::segment_gone{2});
  b.say(wire::segment_gone{3});  // never heard of
  CHECK(b.said<wire::unmapped>().size() == 3);
}

TEST_CASE("values in the session's own segment are read through its writable mapping") {
  leasing_box b;
  auto block = b.session.allocate(100 * kib, second);
  REQUIRE(block.has_value());
  std::memset(block->data, 6, block->size);
  object_id id = b.session.mint();
  b.session.publish(id);
  b.session.fulfil(id, {.place = *block, .size = 100 * kib});
  b.require({id});
  b.say(wire::here{b.said<wire::require>().back().ticket,
                   {stored_object(id, {1, block->where.offset, 100 * kib})}});
  CHECK((*b.answers[0])[0].bytes.data == block->data);
  drop(*b.answers[0]);
}

TEST_CASE("a kept block keeps its lease, and is used again only when it is freed") {
  for (bool object_goes_first : {false, true}) {
    CAPTURE(object_goes_first);
    leasing_box b;
    auto block = b.session.allocate(mib, second);
    REQUIRE(block.has_value());
    object_id id = b.session.mint();
    b.session.publish(id);
    b.session.fulfil(id, {.place = *block, .size = 100 * kib, .kept = true});
    REQUIRE(b.said<wire::fulfil>().size() == 1);
    CHECK(std::get<wire::extent>(b.said<wire::fulfil>()[0].made.body) ==
          wire::extent{1, 0, 100 * kib});
    if (object_goes_first) b.say(wire::returned{{1, 0, 100 * kib}});
    CHECK(b.session.allocate(64 * kib, second).error().code() == errc::timeout);
    CHECK(b.said<wire::unlease>().empty());
    b.session.free(*block);
    auto other = b.session.allocate(64 * kib, second);
    REQUIRE(other.has_value());
    CHECK(other->where.offset == (object_goes_first ? 0 : 100 * kib));
  }
}

TEST_CASE("blocks and their mapping stay usable after the agent is lost") {
  leasing_box b;
  auto block = b.session.allocate(100, second), other = b.session.allocate(100, second);
  REQUIRE((block.has_value() && other.has_value()));
  b.session.on_lost(errc::closed);
  std::memset(block->data, 6, block->size);
  CHECK(block->data[99] == std::byte{6});
  b.session.free(*block);
  b.session.fulfil(other_id(1), {.place = *other, .size = 100});
}

TEST_CASE("a value of no bytes, of an error or of a strange block takes no memory") {
  leasing_box b;
  auto one = b.session.allocate(mib / 2, second);
  REQUIRE(one.has_value());
  b.session.fulfil(b.session.mint(), {.place = *one, .size = 0});
  CHECK(std::get<wire::bytes>(b.said<wire::fulfil>().back().made.body).empty());
  auto two = b.session.allocate(mib, second);
  REQUIRE(two.has_value());
  node::made failed{.place = *two, .size = 5};
  failed.why = errc::user_error;
  b.session.fulfil(b.session.mint(), std::move(failed));
  CHECK(std::get<error>(b.said<wire::fulfil>().back().made.body).code() == errc::user_error);
  auto three = b.session.allocate(mib, second);
  REQUIRE(three.has_value());
  b.session.fulfil(b.session.mint(), {.place = *three, .size = mib});
  b.session.fulfil(b.session.mint(), {.place = *three, .size = mib});  // twice
  CHECK(std::get<error>(b.said<wire::fulfil>().back().made.body).code() == errc::invalid_argument);
}

TEST_CASE("memory of a value that could not be told is used again") {
  leasing_box b;
  auto block = b.session.allocate(mib / 2, second);
  REQUIRE(block.has_value());
  b.with->judge = [](const wire::to_agent& message) -> error {
    const auto* fulfil = std::get_if<wire::fulfil>(&message);
    bool stored = fulfil != nullptr && std::holds_alternative<wire::extent>(fulfil->made.body);
    return stored ? errc::too_large : errc::ok;
  };
  b.session.fulfil(b.session.mint(), {.place = *block, .size = mib / 2});
  CHECK(std::holds_alternative<error>(b.said<wire::fulfil>().back().made.body));
  b.forget();
  REQUIRE(b.session.allocate(mib, second).has_value());
  CHECK(b.said<wire::lease>().empty());
}

TEST_CASE("a value outside of its segment ends the session") {
  for (wire::extent wrong :
       {wire::extent{2, 0, 64}, wire::extent{1, 0, 64 * kib + 1}, wire::extent{1, 64 * kib + 1, 0},
        wire::extent{1, ~std::uint64_t{0}, 64}, wire::extent{1, 64, ~std::uint64_t{0}}}) {
    box b;
    b.open();
    b.segment(1, 64 * kib, false);
    b.require({other_id(1), other_id(2)});
    b.say(
        wire::here{1, {stored_object(other_id(1), {1, 0, 64}), stored_object(other_id(2), wrong)}});
    check_lost(b);
    REQUIRE(b.answers.size() == 1);
    CHECK(b.answers[0].error().code() == errc::agent_lost);
  }
  box b;
  b.open();
  wire::execute call;
  call.objects = {inline_object(other_id(1)), stored_object(other_id(2), {1, 0, 8})};
  b.say(call);
  check_lost(b);
  CHECK(b.host.calls.empty());
}

TEST_CASE("an object that was not asked for, or more than that, ends the session") {
  for (object_id wrong : {other_id(1), other_id(3)}) {
    box b;
    b.open();
    b.require({other_id(1), other_id(2)});
    b.say(wire::here{1, {inline_object(other_id(1)), inline_object(wrong)}});
    check_lost(b);
  }
}

TEST_CASE("a descriptor that is not what was said ends the session and maps nothing") {
  auto made = ports::create_shared_memory(64 * kib, "beamlet-test");
  REQUIRE(made.has_value());
  REQUIRE(ports::seal_against_writers(made->writer.number()).has_value());
  auto copy = [&] {
    auto one = ports::duplicate(made->writer.number());
    REQUIRE(one.has_value());
    return std::move(*one);
  };
  {
    box b;
    b.open();
    b.session.on_message(wire::new_segment{1, 128 * kib, false}, copy());
    CHECK(b.host.lost.size() == 1);
  }
  {
    box b;
    b.open();
    b.session.on_message(wire::new_segment{1, 64 * kib, true}, copy());
    CHECK(b.host.lost.size() == 1);
  }
  {
    box b;
    b.open();
    b.session.on_message(wire::new_segment{1, 64 * kib, false}, {});
    CHECK(b.host.lost.size() == 1);
  }
  box b;
  b.open();
  b.session.on_message(wire::new_segment{1, 64 * kib, false}, copy());
  CHECK(b.host.lost.empty());
  b.session.on_message(wire::new_segment{1, 64 * kib, false}, copy());
  check_lost(b);
}

TEST_CASE("a lease that cannot be ends the session, and who waits for it is told") {
  for (wire::extent wrong :
       {wire::extent{1, 0, 32 * mib}, wire::extent{1, 64, mib}, wire::extent{2, 0, mib},
        wire::extent{3, 0, mib}, wire::extent{1, ~std::uint64_t{0} - 4095, 8192},
        wire::extent{1, 0, 4096}, wire::extent{1, 0, 0}}) {
    box b;
    b.open();
    b.segment(1, 4 * mib, true);
    b.segment(2, 4 * mib, false);
    b.grant_next(wrong);
    CHECK(b.session.allocate(100 * kib, second).error().code() == errc::agent_lost);
    check_lost(b);
  }
  box b;
  b.open();
  b.segment(1, 4 * mib, true);
  b.grant_next({1, 0, mib});
  REQUIRE(b.session.allocate(10, second).has_value());
  b.say(wire::segment_gone{1});
  check_lost(b);
}

TEST_CASE("descriptor reuse: a segment that comes by the number of an earlier one is itself") {
  box b;
  b.open();
  const int first = b.segment(1, 64 * kib, false, 1), later = b.segment(2, 64 * kib, false, 2);
  CHECK(first == later);  // the session keeps mappings, not descriptors
  b.require({other_id(1), other_id(2)});
  b.say(wire::here{
      b.said<wire::require>().back().ticket,
      {stored_object(other_id(1), {1, 0, 100}), stored_object(other_id(2), {2, 0, 100})}});
  REQUIRE(b.answers.size() == 1);
  auto& both = *b.answers[0];
  CHECK(both[0].bytes.data[99] == std::byte{1});
  CHECK(both[1].bytes.data[99] == std::byte{2});
  drop(both);
}

}  // namespace session_memory_test
