// SPDX-License-Identifier: Apache-2.0
#include "box.hpp"

namespace waits_test {

using namespace cluster_box;

TEST_CASE("a require is answered once, when all are sealed and pinned together") {
  box b;
  b.pins = false;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  b.say(1, wire::publish{b.id(1, 2)});
  b.say(1, wire::require{.ticket = 9, .objects = {b.id(1, 1), b.id(1, 2)}});
  CHECK(b.did<cluster::pin_set>().empty());
  b.say(1, wire::fulfil{b.id(1, 2), inline_value()});
  auto asked = b.did<cluster::pin_set>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].objects == std::vector<object_id>{b.id(1, 1)});
  cluster::pinned answer{.key = asked[0].key,
                         .session = 1,
                         .objects = asked[0].objects,
                         .places = {{.segment = 5, .offset = 128, .size = 8}},
                         .why = {},
                         .lost = {}};
  b.step(answer);
  auto here = b.told<wire::here>(1);
  REQUIRE(here.size() == 1);
  CHECK(here[0].ticket == 9);
  CHECK(std::get<wire::extent>(here[0].objects[0].what.body).segment == 5);
  b.step(answer);  // twice: the second one's pins are given back
  CHECK(b.told<wire::here>(1).empty());
  CHECK(b.did<cluster::unpin>().size() == 1);
}

TEST_CASE("a require whose object fails is answered at once with that object") {
  box b;
  b.open(1);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(1, wire::publish{b.id(1, 2)});
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1), b.id(1, 2)}});
  b.say(1, wire::fulfil{b.id(1, 2), failure(errc::user_error)});
  auto here = b.told<wire::here>(1);
  REQUIRE(here.size() == 1);
  REQUIRE(here[0].objects.size() == 1);
  CHECK(here[0].objects[0].id == b.id(1, 2));
}

TEST_CASE("an abandoned require is not answered, and one past its deadline times out") {
  box b;
  b.pins = false;
  b.open(1);
  b.put(1, b.id(1, 1), stored_value());
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(1, 1)}});
  b.say(1, wire::abandon{1});
  CHECK(b.did<cluster::cancel_pins>().size() == 1);
  b.say(1, wire::require{.ticket = 2, .objects = {b.id(1, 1)}, .deadline_ns = 50});
  REQUIRE(b.did<cluster::set_timer>().size() == 1);
  CHECK(b.did<cluster::set_timer>()[0].at_ns == 50);
  b.now = 50;
  b.step(cluster::tick{});
  REQUIRE(b.told<wire::refused>(1).size() == 1);
  CHECK(b.told<wire::refused>(1)[0].why == errc::timeout);
  CHECK(b.state.count().waits == 0);
}

TEST_CASE("a require for what nobody holds is refused") {
  box b;
  b.open(1);
  b.say(1, wire::require{.ticket = 1, .objects = {b.id(2, 1)}});
  REQUIRE(b.told<wire::refused>(1).size() == 1);
  CHECK(b.told<wire::refused>(1)[0].why == errc::not_found);
}

TEST_CASE("the holder of a pending ref hears once that it is sealed") {
  box b;
  b.open(1);
  b.open(2);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(2, wire::hold{b.id(1, 1)});
  b.say(1, wire::fulfil{b.id(1, 1), inline_value()});
  CHECK(b.told<wire::sealed>(2).size() == 1);
  CHECK(b.told<wire::sealed>(1).empty());  // it made it
  b.say(2, wire::hold{b.id(1, 1)});
  CHECK(b.told<wire::sealed>(2).empty());
}

TEST_CASE("news of an inline value brings it along, and its refs are held by who is told") {
  box b;
  b.open(1);
  b.open(2);
  b.put(1, b.id(1, 1), inline_value());
  b.say(1, wire::publish{b.id(1, 2)});
  b.say(2, wire::hold{b.id(1, 2)});
  b.say(1, wire::fulfil{b.id(1, 2), inline_value({b.id(1, 1)})});
  auto told = b.told<wire::sealed>(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].has_value);
  CHECK(std::get<wire::bytes>(told[0].what.body).size() == 8);
  CHECK(told[0].what.contained == std::vector<object_id>{b.id(1, 1)});
  // Who is only told of a ref within gets no value unasked: a chain of values has no end.
  CHECK(told[1].id == b.id(1, 1));
  CHECK_FALSE(told[1].has_value);

  b.end(1);
  b.say(2, wire::release{.id = b.id(1, 2), .mentions = 1});
  CHECK_FALSE(b.state.exists(b.id(1, 2)));
  CHECK(b.state.exists(b.id(1, 1)));  // its own hold, by the mention
  b.say(2, wire::release{.id = b.id(1, 1), .mentions = 1});
  CHECK(b.state.count().objects == 0);
}

TEST_CASE("a value that comes along holds its object though the release was on its way") {
  box b;
  b.open(1);
  b.open(2);
  b.say(1, wire::publish{b.id(1, 1)});
  b.say(2, wire::hold{b.id(1, 1)});
  b.say(1, wire::fulfil{b.id(1, 1), inline_value()});
  REQUIRE(b.told<wire::sealed>(2).size() == 1);
  b.say(1, wire::release{.id = b.id(1, 1), .mentions = 0});
  b.say(2, wire::release{.id = b.id(1, 1), .mentions = 0});  // sent before it saw the news
  CHECK(b.state.exists(b.id(1, 1)));
  b.say(2, wire::release{.id = b.id(1, 1), .mentions = 1});
  CHECK_FALSE(b.state.exists(b.id(1, 1)));
}

TEST_CASE("news of a stored value or a failure brings no value") {
  box b;
  b.open(1);
  b.open(2);
  for (std::uint64_t n : {1, 2}) {
    b.say(1, wire::publish{b.id(1, n)});
    b.say(2, wire::hold{b.id(1, n)});
  }
  b.say(1, wire::fulfil{b.id(1, 1), stored_value()});
  REQUIRE(b.told<wire::sealed>(2).size() == 1);
  CHECK_FALSE(b.told<wire::sealed>(2)[0].has_value);
  b.say(1, wire::fulfil{b.id(1, 2), failure(errc::user_error)});
  REQUIRE(b.told<wire::sealed>(2).size() == 1);
  CHECK(b.told<wire::sealed>(2)[0].why == errc::user_error);
  CHECK_FALSE(b.told<wire::sealed>(2)[0].has_value);
}

}  // namespace waits_test
