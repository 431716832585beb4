// SPDX-License-Identifier: Apache-2.0
// Objects that sessions read without asking, in the books of a whole agent.
#include <doctest/doctest.h>

#include "agent_box.hpp"

namespace agent_index_test {

using namespace agent_test;

/// A writer with an object that a reader holds and was given once, so that it is in the index.
struct shown_box {
  explicit shown_box(node::agent_options options = small_options(), std::uint64_t bytes = 100'000)
      : b(std::move(options)), writer(b.join()), reader(b.join()), id(writer->mint()) {
    where = b.put(*writer, id, bytes);
    REQUIRE(where.size == bytes);
    give(*reader, id);
  }
  void give(client& to, const object_id& what) {
    b.say(to, wire::hold{what});
    REQUIRE(b.get(to, what).has_value());
    b.say(to, wire::unpin{{what}});
  }
  void release(const object_id& what) {
    b.say(*writer, wire::release{.id = what, .mentions = 0});
    b.say(*reader, wire::release{.id = what, .mentions = 1});
  }
  node::agent::session_status of(const client& who) {
    for (const auto& each : b.agent->look().sessions)
      if (each.session == who.number) return each;
    return {};
  }
  /// As `beamlet status` shows it.
  wire::session_status seen(const client& who) {
    for (const auto& each : b.agent->answer(wire::look{}).sessions)
      if (each.session == who.number) return each;
    return {};
  }

  box b;
  std::shared_ptr<client> writer, reader;
  object_id id;
  wire::extent where;
};

TEST_CASE("what a session was given once it reads again without a message") {
  shown_box s;
  const std::uint64_t heard = s.b.agent->heard();
  auto found = s.reader->read_silently(s.id);
  REQUIRE(found.has_value());
  CHECK(std::get<wire::extent>(found->what.body) == s.where);
  CHECK(s.reader->reads_as(s.id, s.where));
  CHECK(s.seen(*s.reader).pins == 1);
  CHECK(s.seen(*s.reader).pinned == s.where.size);
  s.reader->unpin(s.id, found->slot);
  CHECK(s.reader->outbox.empty());
  CHECK(s.b.agent->heard() == heard);
  CHECK(s.seen(*s.reader).pins == 0);
}

TEST_CASE("a small value is read without a message until nobody holds it") {
  box b;
  auto writer = b.join(), reader = b.join();
  object_id id = writer->mint();
  b.say(*writer, wire::publish{id});
  b.say(*writer, wire::fulfil{id, {.body = wire::bytes(8, std::byte{4}), .contained = {}}});
  b.say(*reader, wire::hold{id});
  CHECK_FALSE(reader->read_silently(id).has_value());
  REQUIRE(b.get(*reader, id).has_value());
  auto found = reader->read_silently(id);
  REQUIRE(found.has_value());
  CHECK(std::get<wire::bytes>(found->what.body) == wire::bytes(8, std::byte{4}));
  b.say(*writer, wire::release{.id = id, .mentions = 1});
  CHECK(reader->read_silently(id).has_value());
  b.say(*reader, wire::release{.id = id, .mentions = 2});
  CHECK_FALSE(reader->read_silently(id).has_value());
  CHECK(b.complaint == "");
}

TEST_CASE("an object that is dropped while it is read silently stays until it is unpinned") {
  shown_box s;
  auto found = s.reader->read_silently(s.id);
  REQUIRE(found.has_value());
  s.release(s.id);
  CHECK(s.b.agent->look().store.objects == 1);
  CHECK(s.of(*s.reader).usage.pins == 1);
  CHECK_FALSE(s.reader->read_silently(s.id).has_value());  // nobody begins any more
  CHECK(s.reader->reads_as(s.id, s.where));
  s.reader->unpin(s.id, found->slot);
  CHECK(s.reader->outbox.size() == 1);
  s.b.settle();
  CHECK(s.b.agent->look().store.objects == 0);
  CHECK(s.of(*s.reader).usage.pins == 0);
  CHECK(s.b.complaint == "");
}

TEST_CASE("an object that nobody reads goes at once, and with it its entry") {
  shown_box s;
  s.release(s.id);
  CHECK(s.b.agent->look().store.objects == 0);
  CHECK_FALSE(s.reader->read_silently(s.id).has_value());
}

TEST_CASE("memory that is read silently is not taken when room is wanted") {
  shown_box s;
  auto found = s.reader->read_silently(s.id);
  REQUIRE(found.has_value());
  // More than memory holds: all else is spilled, and leaves.
  std::vector<object_id> others;
  for (int i = 0; i < 60; ++i) {
    others.push_back(s.writer->mint());
    REQUIRE(s.b.put(*s.writer, others.back(), 100'000).size == 100'000);
    CHECK(s.reader->reads_as(s.id, s.where));
  }
  CHECK(s.b.agent->look().store.spilled > 0);
  s.reader->unpin(s.id, found->slot);
  s.b.settle();
  CHECK(s.of(*s.reader).usage.pins == 0);
  for (const object_id& each : others) s.b.say(*s.writer, wire::release{.id = each, .mentions = 0});
  s.release(s.id);
  CHECK(s.b.agent->look().store.objects == 0);
  CHECK(s.b.complaint == "");
}

TEST_CASE("what has left memory is asked for, and shown where it comes back") {
  shown_box s;
  std::vector<object_id> others;
  for (int i = 0; i < 60; ++i) {
    others.push_back(s.writer->mint());
    REQUIRE(s.b.put(*s.writer, others.back(), 100'000).size == 100'000);
  }
  CHECK_FALSE(s.reader->read_silently(s.id).has_value());
  auto back = s.b.get(*s.reader, s.id);
  REQUIRE(back.has_value());
  auto found = s.reader->read_silently(s.id);
  REQUIRE(found.has_value());
  CHECK(std::get<wire::extent>(found->what.body) == std::get<wire::extent>(back->what.body));
  CHECK(s.reader->reads_as(s.id, std::get<wire::extent>(found->what.body)));
}

TEST_CASE("what a session reads silently ends with it") {
  shown_box s;
  REQUIRE(s.reader->read_silently(s.id).has_value());
  SUBCASE("before the object is dropped") {
    s.b.die(*s.reader);
    s.b.say(*s.writer, wire::release{.id = s.id, .mentions = 0});
  }
  SUBCASE("after") {
    s.release(s.id);
    CHECK(s.b.agent->look().store.objects == 1);
    s.b.die(*s.reader);
  }
  CHECK(s.b.agent->look().store.objects == 0);
  CHECK(s.b.agent->look().store.pinned == 0);
  CHECK(s.b.complaint == "");
}

TEST_CASE("a session is not shown what would take it far beyond its quota of pins") {
  node::agent_options options = small_options();
  options.store.session_pinned_bytes = node::pin_slots * std::uint64_t{50'000};
  SUBCASE("larger than its part") {
    shown_box s(options, 50'001);
    CHECK_FALSE(s.reader->read_silently(s.id).has_value());
  }
  SUBCASE("its part") {
    shown_box s(options, 50'000);
    CHECK(s.reader->read_silently(s.id).has_value());
  }
}

TEST_CASE("scribbles over its pin page: it has those pins, and nobody else is harmed") {
  box b;
  auto writer = b.join(), good = b.join(), bad = b.connect();
  bad->scribbles = true;
  b.say(*bad, box::hello());
  bad->take<wire::welcome>();
  std::vector<object_id> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(writer->mint());
    REQUIRE(b.put(*writer, all.back(), 100'000).size == 100'000);
    for (client* each : {good.get(), bad.get()}) {
      b.say(*each, wire::hold{all.back()});
      REQUIRE(b.get(*each, all.back()).has_value());
      b.say(*each, wire::unpin{{all.back()}});
    }
  }
  REQUIRE(bad->scribbled.data() != nullptr);
  CHECK_FALSE(bad->could_write);
  auto& page = *reinterpret_cast<node::pin_page*>(bad->scribbled.data());
  // All that a slot could say, of each entry and of the first versions; the mark of the agent, too.
  for (std::uint32_t n = 0; n < 4 * node::index_entries; ++n)
    page.slots[n % node::pin_slots] = node::pin_word(n % node::index_entries, n % 3) + n % 2;
  page.ended = 77;
  for (std::uint32_t n = 0; n < node::pin_slots; ++n) {
    auto found = good->read_silently(all[n % all.size()]);
    REQUIRE(found.has_value());
    page.slots[n] = ~std::uint64_t{0} - n;
    good->unpin(all[n % all.size()], found->slot);
  }
  // It knows what honest slots say, and keeps the first object so.
  const std::uint32_t entry = node::index_key(all[0]).first_entry();
  for (std::uint32_t n = 0; n < node::pin_slots; ++n)
    page.slots[n] = node::pin_word(entry + n % node::index_ways, 1);
  for (const object_id& each : all) {
    b.say(*writer, wire::release{.id = each, .mentions = 0});
    for (client* one : {good.get(), bad.get()})
      b.say(*one, wire::release{.id = each, .mentions = 1});
  }
  CHECK(b.agent->look().store.objects == 1);
  CHECK(good->connected);
  object_id more = writer->mint();
  CHECK(b.put(*writer, more, 1'000'000).size == 1'000'000);
  b.die(*bad);
  CHECK(b.agent->look().store.objects == 1);
  b.say(*writer, wire::release{.id = more, .mentions = 0});
  CHECK(b.agent->look().store.objects == 0);
  CHECK(b.agent->look().store.pinned == 0);
  CHECK(b.complaint == "");
}

}  // namespace agent_index_test
