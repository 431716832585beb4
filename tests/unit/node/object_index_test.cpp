// SPDX-License-Identifier: Apache-2.0
// Both sides of the index, without an agent: in steps, and on threads.
#include "node/object_index.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "node/index_reader.hpp"

namespace object_index_test {

namespace node = beamlet::node;
namespace ports = beamlet::ports;
namespace wire = beamlet::wire;
using beamlet::object_id;
using node::index_reader;

object_id id_of(std::uint64_t n) {
  return {.node = 7, .boot = 1, .session = 2, .sequence = n, .guard = 9 * n};
}
wire::value at(std::uint64_t offset, std::uint64_t size = 4096) {
  return {.body = wire::extent{3, offset, size}, .contained = {}};
}
wire::value carried(std::size_t bytes, int fill = 5) {
  return {.body = wire::bytes(bytes, static_cast<std::byte>(fill)), .contained = {}};
}

/// A session's side, with its page mapped once more.
struct session {
  session(node::object_index& index, std::uint32_t number) {
    auto opened = index.open_to(number);
    REQUIRE(opened.has_value());
    reader.take({.segment = wire::index_segment, .size = sizeof(node::shared_index)},
                opened->index);
    reader.take({.segment = wire::pins_segment, .size = sizeof(node::pin_page), .writable = true},
                opened->pins);
    auto mapped = ports::map_shared_memory(
        opened->pins, {.bytes = sizeof(node::pin_page), .writable = true, .file = false});
    REQUIRE(mapped.has_value());
    page = *std::move(mapped);
  }
  std::optional<index_reader::found> find(const object_id& id) { return reader.find(id, owed); }
  node::shared_word& slot(std::uint32_t i) {
    return reinterpret_cast<node::pin_page*>(page.data())->slots[i];
  }

  index_reader reader;
  ports::mapped_memory page;
  bool owed = false;
};

std::vector<std::uint32_t> stopped(node::object_index& index, const object_id& id) {
  std::vector<std::uint32_t> reading;
  index.stop(id, reading);
  return reading;
}

/// Ids that may only be in the same places as the first.
std::vector<object_id> crowd(std::size_t count) {
  std::vector<object_id> all{id_of(1)};
  const std::uint32_t first = node::index_key(all[0]).first_entry();
  for (std::uint64_t n = 2; all.size() < count; ++n)
    if (node::index_key(id_of(n)).first_entry() == first) all.push_back(id_of(n));
  return all;
}

TEST_CASE("an object that is shown is found by who knows its id, guard and all") {
  node::object_index index(1 << 20);
  session s(index, 4);
  CHECK_FALSE(s.find(id_of(1)).has_value());
  index.show(id_of(1), at(64, 100));
  auto found = s.find(id_of(1));
  REQUIRE(found.has_value());
  CHECK(std::get<wire::extent>(found->what.body) == wire::extent{3, 64, 100});
  CHECK(found->slot != 0);
  object_id guessed = id_of(1);
  ++guessed.guard;
  CHECK_FALSE(s.find(guessed).has_value());
  CHECK_FALSE(s.find(id_of(2)).has_value());
  CHECK(index.of(4).count == 1);
  CHECK(index.of(4).bytes == 100);
  CHECK_FALSE(s.reader.unpin(found->slot));
  CHECK(index.of(4).count == 0);
}

TEST_CASE("what cannot be read silently is not taken") {
  node::object_index index(1000);
  CHECK(index.takes(at(0, 1000)));
  CHECK_FALSE(index.takes(at(0, 1001)));
  CHECK(index.takes(carried(node::index_value_bytes_max)));
  CHECK_FALSE(index.takes(carried(node::index_value_bytes_max + 1)));
  CHECK_FALSE(index.takes({.body = beamlet::error(beamlet::errc::io), .contained = {}}));
  CHECK_FALSE(index.takes({.body = wire::bytes(1), .contained = {id_of(2)}}));
}

TEST_CASE("a small value comes as it is, without a pin") {
  node::object_index index(1 << 20);
  session s(index, 1);
  for (std::size_t bytes : {0, 1, 7, 8, 9, 63, 64}) {
    CAPTURE(bytes);
    const object_id id = id_of(10 + bytes);
    index.show(id, carried(bytes, 6));
    auto found = s.find(id);
    REQUIRE(found.has_value());
    CHECK(found->slot == 0);
    CHECK(std::get<wire::bytes>(found->what.body) == wire::bytes(bytes, std::byte{6}));
    index.forget(id);
    CHECK_FALSE(s.find(id).has_value());
  }
}

TEST_CASE("who reads when an object is stopped is named, and owes the pin") {
  node::object_index index(1 << 20);
  session one(index, 1), two(index, 2);
  index.show(id_of(1), at(0));
  index.show(id_of(2), at(4096));
  auto first = one.find(id_of(1)), second = one.find(id_of(1)), other = two.find(id_of(2));
  auto ended = two.find(id_of(1));
  CHECK_FALSE(two.reader.unpin(ended->slot));
  CHECK(stopped(index, id_of(1)) == std::vector<std::uint32_t>{1, 1});
  CHECK_FALSE(one.find(id_of(1)).has_value());
  CHECK(one.reader.unpin(first->slot));
  CHECK(one.reader.unpin(second->slot));
  CHECK_FALSE(two.reader.unpin(other->slot));
  CHECK(stopped(index, id_of(1)).empty());
  CHECK(stopped(index, id_of(2)).empty());
  // The same place, used again, knows nothing of that.
  index.show(id_of(1), at(0));
  auto again = one.find(id_of(1));
  REQUIRE(again.has_value());
  CHECK_FALSE(one.reader.unpin(again->slot));
}

TEST_CASE("a pin that comes too late is not one, and what the agent made of it is given back") {
  node::object_index index(1 << 20);
  session s(index, 1);
  index.show(id_of(1), at(0));
  // As find() does it, step by step: the version was looked at, then the agent came.
  auto found = s.find(id_of(1));
  const std::uint64_t word = s.slot(found->slot - 1).load();
  CHECK_FALSE(s.reader.unpin(found->slot));
  SUBCASE("before the slot was filled") {
    CHECK(stopped(index, id_of(1)).empty());
    s.slot(0).store(word);
    CHECK((s.slot(0).exchange(0) & node::pin_owed) == 0);
  }
  SUBCASE("after it was filled") {
    s.slot(0).store(word);
    CHECK(stopped(index, id_of(1)).size() == 1);
    CHECK((s.slot(0).exchange(0) & node::pin_owed) == 1);
  }
}

TEST_CASE("a session pins no more silently than it has slots") {
  node::object_index index(1 << 20);
  session s(index, 1);
  index.show(id_of(1), at(0));
  std::vector<std::uint32_t> slots;
  while (auto found = s.find(id_of(1))) slots.push_back(found->slot);
  CHECK(slots.size() == node::pin_slots);
  CHECK_FALSE(s.owed);
  CHECK_FALSE(s.reader.unpin(slots[5]));
  CHECK(s.find(id_of(1)).has_value());
  CHECK(stopped(index, id_of(1)).size() == node::pin_slots);
}

TEST_CASE("where there is no place a small value goes first, then one after the other") {
  node::object_index index(1 << 20);
  session s(index, 1);
  auto ids = crowd(2 * node::index_ways + 1);
  for (std::size_t i = 0; i < node::index_ways; ++i) {
    CHECK(index.in_the_way_of(ids[i]).is_null());
    index.show(ids[i], i == 1 ? carried(8) : at(4096 * i));
  }
  CHECK(index.in_the_way_of(ids[node::index_ways]).is_null());
  index.show(ids[node::index_ways], at(0));
  CHECK_FALSE(s.find(ids[1]).has_value());
  for (std::size_t i = node::index_ways + 1; i < ids.size(); ++i) {
    object_id other = index.in_the_way_of(ids[i]);
    REQUIRE_FALSE(other.is_null());
    index.show(ids[i], at(0));
    CHECK_FALSE(s.find(ids[i]).has_value());  // not before the other was stopped
    CHECK(stopped(index, other).empty());
    index.show(ids[i], at(0));
    auto found = s.find(ids[i]);
    REQUIRE(found.has_value());
    CHECK_FALSE(s.reader.unpin(found->slot));
  }
}

TEST_CASE("the index cannot be mapped for writing by a session") {
  node::object_index index(1 << 20);
  auto opened = index.open_to(1);
  REQUIRE(opened.has_value());
  for (bool file : {false, true})
    CHECK_FALSE(
        ports::map_shared_memory(
            opened->index, {.bytes = sizeof(node::shared_index), .writable = true, .file = file})
            .has_value());
}

TEST_CASE("a session whose page is closed pins nothing any more") {
  node::object_index index(1 << 20);
  session s(index, 1);
  index.show(id_of(1), at(0));
  index.show(id_of(2), carried(8));
  auto found = s.find(id_of(1));
  index.close_to(1);
  CHECK_FALSE(s.find(id_of(1)).has_value());
  CHECK_FALSE(s.find(id_of(2)).has_value());
  CHECK_FALSE(s.owed);
  CHECK(stopped(index, id_of(1)).empty());
  CHECK_FALSE(s.reader.unpin(found->slot));
}

TEST_CASE("whatever is in a page: it pins for its session only what is shown") {
  node::object_index index(1 << 20);
  session bad(index, 1), good(index, 2);
  index.show(id_of(1), at(0));
  auto found = good.find(id_of(1));
  const std::uint64_t word = good.slot(found->slot - 1).load();
  for (std::uint64_t noise : {std::uint64_t{1}, ~std::uint64_t{0}, word ^ 2, word + node::pin_owed,
                              word + 2 * node::index_entries}) {
    for (std::uint32_t i = 0; i < node::pin_slots; ++i) bad.slot(i).store(noise);
    CHECK(index.of(1).count == 0);
  }
  for (std::uint32_t i = 0; i < node::pin_slots; i += 2) bad.slot(i).store(word);
  CHECK(index.of(1).count == (node::pin_slots + 1) / 2);
  auto reading = stopped(index, id_of(1));
  CHECK(std::count(reading.begin(), reading.end(), 1) == (node::pin_slots + 1) / 2);
  CHECK(std::count(reading.begin(), reading.end(), 2) == 1);
}

TEST_CASE("threads that read silently never see memory that is used for something else") {
  constexpr std::uint64_t places = 16, rounds = 20'000, hits_min = 2'000;
  constexpr std::uint32_t readers = 3;
  node::object_index index(1 << 20);
  std::vector<std::unique_ptr<session>> sessions;
  for (std::uint32_t i = 0; i < readers; ++i)
    sessions.push_back(std::make_unique<session>(index, i + 1));
  std::array<std::atomic<std::uint64_t>, places> memory{}, latest{};  // what is there; whose it is
  std::array<std::atomic<std::uint64_t>, places> given_back{};
  std::atomic<std::uint64_t> hits{0}, wrong{0};
  std::atomic<bool> stop{false};

  // Object `n` lies at place n % places, and its bytes are its number.
  auto read = [&](session& me, std::uint32_t number) {
    for (std::uint64_t n = number; !stop; ++n) {
      const std::uint64_t which = latest[n % places].load();
      if (which == 0) continue;
      bool owed = false;
      auto found = me.reader.find(id_of(which), owed);
      if (found.has_value()) {
        for (int look = 0; look < 8; ++look)
          if (memory[n % places].load(std::memory_order_relaxed) != which) ++wrong;
        ++hits;
        owed = me.reader.unpin(found->slot);
      }
      if (owed) ++given_back[which % places];
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < readers; ++i)
    threads.emplace_back([&, i] { read(*sessions[i], i); });
  std::array<std::uint64_t, places> owed{};
  for (std::uint64_t n = places; n < rounds || hits < hits_min; ++n) {
    const std::uint64_t place = n % places;
    if (latest[place] != 0) owed[place] += stopped(index, id_of(latest[place])).size();
    if (given_back[place] != owed[place]) continue;  // pinned: another one
    memory[place].store(n, std::memory_order_relaxed);
    index.show(id_of(n), at(4096 * place));
    latest[place] = n;
  }
  stop = true;
  for (std::thread& each : threads) each.join();
  CHECK(wrong == 0);
  CHECK(given_back[3] == owed[3]);
}

}  // namespace object_index_test
