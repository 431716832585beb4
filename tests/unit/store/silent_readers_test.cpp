// SPDX-License-Identifier: Apache-2.0
// Sessions that read without a pin: the store asks before it uses an object's memory again.
#include "store/silent_readers.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/box.hpp"

namespace silent_readers_test {

using namespace store_test;

constexpr std::uint64_t kib = 1024;

/// Who reads what, until it is told to stop.
struct readers final : st::silent_readers {
  std::multimap<object_id, st::session_id> reading;
  std::vector<object_id> asked;

  void stop(const object_id& id, std::vector<st::session_id>& out) override {
    asked.push_back(id);
    auto [first, last] = reading.equal_range(id);
    for (auto at = first; at != last; ++at) out.push_back(at->second);
    reading.erase(first, last);
  }
};

st::options small_options() {
  st::options o;
  o.memory_bytes = 512 * kib, o.segment_bytes = 256 * kib, o.shared_bytes = 0;
  return o;
}

struct fixture {
  fixture() : b(small_options(), &silent) {
    for (st::session_id each : {1, 2}) b.s.session_started(each);
  }
  st::extent lease(st::session_id session, std::uint64_t bytes) {
    b.s.lease(session, ++ticket, bytes, b.now + 1'000'000'000);
    b.settle();
    st::granted g;
    return b.take(g) ? g.where : st::extent{};
  }
  void copy(std::uint64_t n, std::uint64_t bytes) {
    const st::extent where = lease(1, bytes);
    REQUIRE(where.size == bytes);
    b.fill(id_of(n), where);
    REQUIRE(b.s.adopt(1, id_of(n), where, false).has_value());
    REQUIRE(b.s.unlease(1, where).has_value());
  }
  void unpin(st::session_id session, std::uint64_t n) {
    object_id id = id_of(n);
    b.s.unpin(session, {&id, 1});
  }
  std::string audit() { return b.s.audit(); }

  readers silent;
  box b;
  std::uint64_t ticket = 0;
};

TEST_CASE("who reads an object silently when it is dropped has pins, and it goes with the last") {
  fixture f;
  f.copy(1, 64 * kib);
  f.silent.reading = {{id_of(1), 2}, {id_of(1), 2}, {id_of(1), 1}};
  f.b.s.drop(id_of(1));
  CHECK(f.b.s.used(2).pins == 2);
  CHECK(f.b.s.used(2).pinned == 64 * kib);
  CHECK(f.b.s.used(1).pins == 1);
  CHECK(f.audit() == "");
  f.unpin(2, 1);
  f.unpin(1, 1);
  CHECK(f.b.s.used().objects == 1);
  f.unpin(2, 1);
  CHECK(f.b.s.used().objects == 0);
  CHECK(f.b.s.used().pinned == 0);
  CHECK(f.audit() == "");
}

TEST_CASE("a copy that is read silently is not evicted, and the next one is") {
  fixture f;
  for (std::uint64_t n = 1; n <= 4; ++n) f.copy(n, 128 * kib);
  f.silent.reading = {{id_of(1), 2}};
  const st::extent more = f.lease(1, 128 * kib);
  CHECK(more.size == 128 * kib);
  CHECK(f.b.s.has(id_of(1)));
  CHECK_FALSE(f.b.s.has(id_of(2)));
  CHECK(f.b.s.used(2).pins == 1);
  CHECK(f.audit() == "");
}

TEST_CASE("a segment of which one object is read silently is not ended for another session") {
  fixture f;
  for (std::uint64_t n = 1; n <= 4; ++n) f.copy(n, 128 * kib);
  f.silent.reading = {{id_of(1), 2}, {id_of(3), 2}};
  CHECK(f.lease(2, 128 * kib).size == 0);  // both segments have one
  CHECK(f.audit() == "");
  f.unpin(2, 3);
  f.b.settle();
  st::granted g;
  REQUIRE(f.b.take(g));
  CHECK(g.where.size == 128 * kib);
  CHECK(f.b.s.has(id_of(1)));
  CHECK(f.audit() == "");
}

TEST_CASE("silent readers are stopped when it is asked for, and not found where there is nothing") {
  fixture f;
  f.copy(1, 4 * kib);
  f.silent.reading = {{id_of(1), 2}};
  f.b.s.stop_silent_reading(id_of(1));
  f.b.s.stop_silent_reading(id_of(9));
  CHECK(f.silent.asked == std::vector{id_of(1)});
  CHECK(f.b.s.used(2).pins == 1);
  CHECK(f.b.s.used().objects == 1);
}

TEST_CASE("a session that has ended gets no pins of what it read silently") {
  fixture f;
  f.copy(1, 4 * kib);
  f.b.s.session_ended(2);
  f.silent.reading = {{id_of(1), 2}, {id_of(1), 77}};
  f.b.s.drop(id_of(1));
  CHECK(f.b.s.used().objects == 0);
  CHECK(f.audit() == "");
}

}  // namespace silent_readers_test
