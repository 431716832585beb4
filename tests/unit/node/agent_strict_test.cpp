// SPDX-License-Identifier: Apache-2.0
// Strict mode as the agent keeps it: what it shows to others nobody can change any more.
#include <doctest/doctest.h>

#include "agent_box.hpp"

namespace agent_strict {

using namespace agent_test;

constexpr std::uint64_t large = 300 * kib;

node::agent_options strict_options() {
  node::agent_options o = small_options();
  o.store.whole_from_bytes = 256 * kib;
  return o;
}
/// Memory for a large object, filled with what that is to be.
wire::extent build(box& b, client& who, const object_id& id) {
  b.say(who, wire::lease{.ticket = ++b.ticket, .size = large, .whole = true});
  auto leased = who.take<wire::leased>();
  REQUIRE(leased.has_value());
  wire::extent where{leased->where.segment, leased->where.offset, large};
  who.fill(id, where);
  return where;
}
/// Publishes it; why it failed.
error publish(box& b, client& who, const object_id& id, const wire::extent& where) {
  b.say(who, wire::publish{id});
  b.say(who, wire::fulfil{id, {.body = where, .contained = {}}});
  auto object = b.get(who, id);
  REQUIRE(object.has_value());
  const error* why = std::get_if<error>(&object->what.body);
  return why != nullptr ? *why : error();
}

TEST_CASE("a large object is shown to others when its writer can write no more, and not before") {
  box b(strict_options());
  auto writer = b.join(), reader = b.join();
  reader->tries_to_write = true;
  object_id early = writer->mint(), late = writer->mint();
  wire::extent still_mapped = build(b, *writer, early);
  CHECK(publish(b, *writer, early, still_mapped) == errc::busy);
  wire::extent where = build(b, *writer, late);
  writer->maps.erase(where.segment);
  CHECK(publish(b, *writer, late, where) == errc::ok);
  auto seen = b.get(*reader, late);
  REQUIRE(seen.has_value());
  CHECK(reader->reads_as(late, std::get<wire::extent>(seen->what.body)));
  CHECK_FALSE(reader->could_write);
  CHECK(b.complaint == "");
}

TEST_CASE("a segment of its own is for large objects, and in strict mode only") {
  for (bool strict : {true, false}) {
    box b(strict ? strict_options() : small_options());
    auto writer = b.join();
    b.say(*writer, wire::lease{.ticket = 1, .size = strict ? 4096 : large, .whole = true});
    CHECK(writer->take<wire::leased>().has_value());
    auto given = writer->take<wire::new_segment>();
    REQUIRE(given.has_value());
    CHECK_FALSE(given->whole);
  }
}

TEST_CASE("a session cannot close what another one builds in") {
  box b(strict_options());
  auto writer = b.join(), other = b.join();
  object_id id = writer->mint(), stolen = other->mint();
  wire::extent where = build(b, *writer, id);
  CHECK(publish(b, *other, stolen, where) != errc::ok);
  writer->maps.erase(where.segment);
  CHECK(publish(b, *writer, id, where) == errc::ok);
}

TEST_CASE("the segment of a large object ends with it, also when its writer has died") {
  box b(strict_options());
  auto writer = b.join(), reader = b.join();
  object_id id = writer->mint();
  wire::extent where = build(b, *writer, id);
  build(b, *writer, writer->mint());  // never published
  writer->maps.erase(where.segment);
  CHECK(publish(b, *writer, id, where) == errc::ok);
  auto seen = b.get(*reader, id);
  REQUIRE(seen.has_value());
  b.die(*writer);
  CHECK(reader->reads_as(id, std::get<wire::extent>(seen->what.body)));
  b.say(*reader, wire::unpin{{id}});
  b.say(*reader, wire::release{.id = id, .mentions = 1});
  b.pass(1'000'000'000);
  CHECK(b.agent->look().store.objects == 0);
  CHECK(b.agent->look().store.memory == 0);
  CHECK(b.complaint == "");
}

}  // namespace agent_strict
