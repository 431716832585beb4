// SPDX-License-Identifier: Apache-2.0
#include "box.hpp"

namespace objects_test {

using namespace cluster_box;

TEST_CASE("an object lives as long as its session holds it and is dropped after") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  CHECK(b.state.exists(b.id(1, 1)));
  b.say(1, wire::release{b.id(1, 1), 0});
  REQUIRE(b.did<cluster::drop>().size() == 1);
  CHECK(b.did<cluster::drop>()[0].id == b.id(1, 1));
  b.say(1, wire::release{b.id(1, 1), 5});
  CHECK(b.last.empty());
}

TEST_CASE("a value that nobody wants any more goes back to the session that made it") {
  box b;
  b.open(1);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::release{b.id(1, 1), 0});
  b.say(1, wire::fulfil{b.id(1, 1), stored_value()});
  CHECK(b.did<cluster::discard>().size() == 1);
  CHECK(b.did<cluster::adopt>().empty());
}

TEST_CASE("an object freed while the store looks at its range is dropped afterwards") {
  box b;
  b.adopts = false;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  b.say(1, wire::release{b.id(1, 1), 0});
  CHECK(b.did<cluster::drop>().empty());
  b.step(cluster::adopted{b.id(1, 1), {}});
  CHECK(b.did<cluster::drop>().size() == 1);
}

TEST_CASE("a range that the store refuses makes the object fail with its reason") {
  box b;
  b.adopts = false;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  b.step(cluster::adopted{b.id(1, 1), errc::permission});
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1)}});
  REQUIRE(b.told<wire::here>(1).size() == 1);
  CHECK(std::get<error>(b.told<wire::here>(1)[0].objects[0].what.body) == errc::permission);
}

TEST_CASE("a release does not free what a mention on its way still names") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 1), inline_value());
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1)}});  // mentioned once
  b.say(1, wire::release{b.id(1, 1), 0});                         // sent before it was seen
  CHECK(b.state.exists(b.id(1, 1)));
  b.say(1, wire::release{b.id(1, 1), 1});
  CHECK_FALSE(b.state.exists(b.id(1, 1)));
}

TEST_CASE("a value holds the refs inside it") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  b.put(1, b.id(1, 2), inline_value({b.id(1, 1)}));
  b.say(1, wire::release{b.id(1, 1), 0});
  CHECK(b.did<cluster::drop>().empty());
  b.say(1, wire::release{b.id(1, 2), 0});
  CHECK(b.did<cluster::drop>().size() == 1);
}

TEST_CASE("a chain of two hundred thousand values goes at once and without recursion") {
  constexpr std::uint64_t length = 200'000;
  beamlet::ledger ledger;
  beamlet::resource_names names;
  cluster::node_state state({.node = 7, .boot = 3}, ledger, names);
  cluster::actions out;
  auto say = [&](wire::to_agent m) { state.step(cluster::session_said{1, std::move(m)}, 1, out); };
  state.step(cluster::session_opened{.session = 1}, 1, out);
  for (std::uint64_t i = 1; i <= length; ++i) {
    say(wire::publish{box::id(1, i)});
    say(wire::fulfil{box::id(1, i), i == 1 ? inline_value() : inline_value({box::id(1, i - 1)})});
    if (i > 1) say(wire::release{box::id(1, i - 1), 0});
  }
  CHECK(state.count().objects == length);
  say(wire::release{box::id(1, length), 0});
  CHECK(state.count().objects == 0);
}

TEST_CASE("a session mints ids under its own number only") {
  box b;
  b.open(1);
  b.open(2);
  b.say(1, wire::publish{b.id(2, 1)});
  REQUIRE(b.told<wire::refused>(1).size() == 1);
  CHECK(b.told<wire::refused>(1)[0].why == errc::permission);
  b.say(1, wire::submit{b.call(2, 1)});
  REQUIRE(b.told<wire::refused>(1).size() == 1);
  CHECK(b.state.count().objects == 0);
}

TEST_CASE("an id of its own that a session uses before it is published is pending, not lost") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 2), inline_value({b.id(1, 1)}));
  b.say(1, wire::require{.ticket = 4, .objects = {b.id(1, 1)}});
  CHECK(b.told<wire::here>(1).empty());
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::fulfil{b.id(1, 1), inline_value()});
  CHECK(b.told<wire::here>(1).size() == 1);
}

TEST_CASE("a value inside itself is refused") {
  box b;
  b.open(1);
  b.put(1, b.id(1, 1), inline_value({b.id(1, 1)}));
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1)}});
  REQUIRE(b.told<wire::here>(1).size() == 1);
  CHECK(message_of(b.told<wire::here>(1)[0].objects[0].what) == "the value contains itself");
}

TEST_CASE("a program that ends takes what only it held, and others lose nothing") {
  box b;
  b.open(1);
  b.open(2);
  b.put(1, b.id(1, 1), stored_value());
  b.put(1, b.id(1, 2), stored_value());
  b.say(1, wire::publish{b.id(1, 3)});
  b.say(2, wire::hold{b.id(1, 1)});
  CHECK(b.told<wire::sealed>(2).size() == 1);
  b.say(2, wire::hold{b.id(1, 3)});
  b.end(1);
  REQUIRE(b.did<cluster::drop>().size() == 1);
  CHECK(b.did<cluster::drop>()[0].id == b.id(1, 2));
  REQUIRE(b.told<wire::sealed>(2).size() == 1);  // what it had promised fails
  CHECK(b.told<wire::sealed>(2)[0].why == errc::object_lost);
  b.step(cluster::session_gone{1});
  CHECK(b.did<cluster::reclaim>().size() == 1);
}

TEST_CASE("limits of a session are refused by name and nothing else changes") {
  cluster::limits few;
  few.holds_max = 1;
  few.requires_max = 1;
  few.contained_max = 1;
  few.calls_max = 1;
  box b(few);
  b.open(1, 0);
  auto refusal = [&] {
    auto all = b.told<wire::refused>(1);
    return all.empty() ? std::string() : std::string(all[0].why.message());
  };
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::publish{b.id(1, 2)});
  CHECK(refusal().find("limits::holds_max") != std::string::npos);
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1)}});
  b.say(1, wire::require{.ticket = 2, .objects = {b.id(1, 1)}});
  CHECK(refusal().find("limits::requires_max") != std::string::npos);
  b.say(1, wire::fulfil{b.id(1, 1), inline_value({b.id(1, 5), b.id(1, 6)})});
  REQUIRE(b.told<wire::here>(1).size() == 1);
  CHECK(message_of(b.told<wire::here>(1)[0].objects[0].what).find("limits::contained_max") !=
        std::string::npos);
  b.say(1, wire::release{b.id(1, 1), 1});
  wire::call first = b.call(1, 10), second = b.call(1, 20);
  b.say(1, wire::submit{first});
  b.say(1, wire::submit{second});
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.told<wire::sealed>(1)[0].why == errc::queue_full);
  CHECK(b.state.count().tasks == 1);
}

TEST_CASE("a resource that this box does not have is infeasible and gets no entry") {
  box b;
  b.open(1);
  const std::size_t before = b.names.size();
  wire::call c = b.call(1, 10);
  c.options.needs = {{"unicorn", 1}};
  b.say(1, wire::submit{c});
  CHECK(b.told<wire::sealed>(1).at(0).why == errc::infeasible);
  CHECK(b.names.size() == before);
}

TEST_CASE("kinds of worker processes are bounded") {
  cluster::limits few;
  few.pools_max = 1;
  box b(few);
  b.open(1);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    wire::call c = b.call(1, 10 * i);
    c.options.where = wire::isolation::process;
    c.options.environment = {"A=" + std::to_string(i)};
    b.say(1, wire::submit{c});
  }
  REQUIRE(b.told<wire::sealed>(1).size() == 1);
  CHECK(b.told<wire::sealed>(1)[0].why.message().find("limits::pools_max") !=
        std::string_view::npos);
}

}  // namespace objects_test
