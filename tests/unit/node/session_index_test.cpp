// SPDX-License-Identifier: Apache-2.0
// A session that reads without asking, beside an index that the test writes.
#include <doctest/doctest.h>

#include "node/object_index.hpp"
#include "session_box.hpp"

namespace session_index_test {

using namespace session_box;

struct indexed_box : box {
  indexed_box() {
    open();
    auto opened = index.open_to(3);
    REQUIRE(opened.has_value());
    give({.segment = wire::index_segment, .size = sizeof(node::shared_index)}, opened->index);
    give({.segment = wire::pins_segment, .size = sizeof(node::pin_page), .writable = true},
         opened->pins);
    segment(1, 65536, false, 9);
    forget();
  }
  void give(wire::new_segment what, int descriptor) {
    auto copy = ports::duplicate(descriptor);
    REQUIRE(copy.has_value());
    session.on_message(what, *std::move(copy));
  }
  /// Nobody answers: what is not in the index is not there in time.
  std::vector<arrived> fetch(const std::vector<object_id>& ids) {
    auto got = session.fetch(ids, 0, 1);
    return got.has_value() ? *std::move(got) : std::vector<arrived>();
  }
  wire::value at(std::uint64_t offset, std::uint32_t in = 1) {
    return {.body = wire::extent{in, offset, 4096}, .contained = {}};
  }

  node::object_index index{1 << 20};
};

TEST_CASE("what is shown is read without a message by a session that holds it") {
  indexed_box b;
  const object_id id = other_id(1), small = other_id(2);
  b.index.show(id, b.at(4096));
  b.index.show(small, {.body = wire::bytes(5, std::byte{7}), .contained = {}});
  CHECK(b.fetch({id}).empty());
  CHECK(b.said<wire::require>().size() == 1);
  for (const object_id& each : {id, small}) b.session.retain(each);
  b.forget();
  auto got = b.fetch({id, small, id});
  REQUIRE(got.size() == 3);
  CHECK(got[0].bytes.size == 4096);
  CHECK(got[0].bytes.data[4095] == std::byte{9});
  CHECK(got[1].bytes.size == 5);
  CHECK(got[1].bytes.data[4] == std::byte{7});
  CHECK(b.index.of(3).count == 2);
  bool called = false;
  CHECK(b.session.require({&id, 1}, 0, second, [&](auto came) {
    called = came.has_value();
    drop(*came);
  }) == 0);
  CHECK(called);
  drop(got);
  b.session.flush();
  CHECK(b.count() == 0);
  CHECK(b.index.of(3).count == 0);
}

TEST_CASE("a pin that the agent has found meanwhile is given back at once") {
  indexed_box b;
  const object_id id = other_id(1);
  b.session.retain(id);
  b.index.show(id, b.at(0));
  auto got = b.fetch({id});
  REQUIRE(got.size() == 1);
  std::vector<std::uint32_t> reading;
  b.index.stop(id, reading);
  CHECK(reading == std::vector<std::uint32_t>{3});
  CHECK(b.said<wire::unpin>().empty());
  drop(got);
  REQUIRE(b.said<wire::unpin>().size() == 1);
  CHECK(b.said<wire::unpin>()[0].objects == std::vector{id});
}

TEST_CASE("what lies in a segment that the session does not have is asked for, all of it") {
  indexed_box b;
  const object_id here = other_id(1), elsewhere = other_id(2);
  for (const object_id& each : {here, elsewhere}) b.session.retain(each);
  b.index.show(here, b.at(0));
  b.index.show(elsewhere, b.at(0, 2));
  CHECK(b.fetch({here, elsewhere}).empty());
  REQUIRE(b.said<wire::require>().size() == 1);
  CHECK(b.said<wire::require>()[0].objects.size() == 2);
  CHECK(b.index.of(3).count == 0);
  b.index.show(other_id(3), {.body = wire::extent{1, 65536, 4096}, .contained = {}});
  b.session.retain(other_id(3));
  CHECK(b.fetch({other_id(3)}).empty());
}

TEST_CASE("a session that only reads without asking hears the agent now and then") {
  indexed_box b;
  const object_id id = other_id(1);
  b.session.retain(id);
  b.index.show(id, b.at(0));
  auto read = [&] {
    auto got = b.fetch({id});
    CHECK(got.size() == 1);
    drop(got);
  };
  read();
  b.with->turns.push_back([&] { b.say(wire::pressure{5}); });
  read();
  CHECK(b.host.pressure == 0);
  b.with->now += second;
  read();
  CHECK(b.host.pressure == 5);
}

TEST_CASE("after the agent is lost nothing is read without it") {
  indexed_box b;
  const object_id id = other_id(1);
  b.session.retain(id);
  b.index.show(id, b.at(0));
  auto got = b.fetch({id});
  REQUIRE(got.size() == 1);
  b.session.on_lost(errc::agent_lost);
  CHECK(b.session.fetch({&id, 1}, 0, second).error().code() == errc::agent_lost);
  CHECK(got[0].bytes.data[0] == std::byte{9});
  drop(got);
  CHECK(b.index.of(3).count == 0);
}

}  // namespace session_index_test
