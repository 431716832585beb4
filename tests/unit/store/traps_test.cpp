// SPDX-License-Identifier: Apache-2.0
// Traps that other stores fell into, each by its name.
#include <doctest/doctest.h>

#include "tests/unit/store/box.hpp"

namespace traps_test {

using namespace store_test;
using beamlet::errc;

constexpr std::uint64_t kib = 1024, second = 1'000'000'000;

st::options trap_options() {
  st::options o;
  o.memory_bytes = 1024 * kib, o.segment_bytes = 128 * kib, o.shared_bytes = 256 * kib;
  o.spill_bytes = 16 << 20;
  return o;
}

struct trap_box : box {
  explicit trap_box(const st::options& o = trap_options()) : box(o) {
    for (st::session_id id = 1; id <= 3; ++id) s.session_started(id);
  }
  bool lease(st::session_id session, std::uint64_t size, st::extent& out) {
    s.lease(session, 1, size, now + second);
    settle();
    st::granted g;
    if (take(g)) return out = g.where, true;
    return false;
  }
  void object(st::session_id session, std::uint64_t n, std::uint64_t size) {
    st::extent where;
    REQUIRE(lease(session, size, where));
    fill(id_of(n), {where.segment, where.offset, size});
    REQUIRE(s.adopt(session, id_of(n), {where.segment, where.offset, size}).has_value());
    REQUIRE(s.unlease(session, where).has_value());
  }
  void ask(st::session_id session, std::uint64_t ticket, std::vector<std::uint64_t> names,
           std::uint8_t urgency = 2) {
    std::vector<object_id> ids;
    for (std::uint64_t n : names) ids.push_back(id_of(n));
    s.pin_all(session, ticket, ids, urgency, now + second);
    settle();
  }
  bool was_pinned() {
    st::pinned p;
    return take(p);
  }
};

TEST_CASE("unsealed leak: what a dead session built and never published comes back") {
  trap_box b;
  st::extent lease, where;
  REQUIRE(b.lease(1, 512 * kib, lease));
  CHECK(b.s.adopt(1, id_of(1), {lease.segment, lease.offset, 100}).has_value());
  b.fill(id_of(1), {lease.segment, lease.offset, 100});
  b.s.session_ended(1);
  CHECK(b.s.used().leased == 0);
  CHECK(b.s.used().quarantined == 512 * kib);
  b.ask(2, 2, {1});  // it survives its session
  CHECK(b.was_pinned());
  // The process may still write: nobody gets its memory, the driver is not asked to end it.
  CHECK_FALSE(b.lease(2, 512 * kib, where));
  CHECK(b.memory.contains(lease.segment));
  b.s.session_gone(1);
  b.s.session_ended(2);
  b.s.drop(id_of(1));
  CHECK(b.s.used().quarantined == 0);
  CHECK(b.lease(3, 512 * kib, where));
  CHECK(b.s.audit() == "");
}

TEST_CASE(
    "unsealed leak: a segment that is made for a dead session is not used before it is gone") {
  trap_box b;
  b.s.lease(1, 1, 4096);
  b.turn();
  b.s.session_ended(1);
  b.settle();
  CHECK(b.s.used().quarantined == 128 * kib);
  CHECK(b.s.used().free == 0);
  b.s.session_gone(1);
  CHECK(b.s.used().free == 128 * kib);
}

TEST_CASE("admission deadlock: pinned arguments leave room for what the work creates") {
  trap_box b;
  for (std::uint64_t n = 1; n <= 9; ++n) b.object(1, n, 120 * kib);
  // Arguments of many tasks: only part of them may be pinned at a time.
  std::uint64_t admitted = 0;
  for (std::uint64_t n = 1; n <= 9; ++n) {
    b.ask(2, n, {n});
    admitted += b.was_pinned();
  }
  CHECK(admitted == 4);
  // What runs creates and gets, though others wait before it.
  st::extent where;
  CHECK(b.lease(2, 120 * kib, where));
  b.ask(2, 100, {9}, 0);
  CHECK(b.was_pinned());
}

TEST_CASE("admission deadlock: two sets that do not fit together come one after the other") {
  trap_box b;
  for (std::uint64_t n = 1; n <= 8; ++n) b.object(1, n, 120 * kib);
  b.ask(1, 1, {1, 2, 3, 4});
  b.ask(2, 2, {4, 5, 6, 7});
  CHECK(b.was_pinned());
  CHECK_FALSE(b.was_pinned());
  CHECK(b.s.used().pinned == 480 * kib);  // who waits holds nothing
  std::vector<object_id> first{id_of(1), id_of(2), id_of(3), id_of(4)};
  b.s.unpin(1, first);
  b.settle();
  CHECK(b.was_pinned());
}

TEST_CASE("admission deadlock: a set beyond its part is admitted alone") {
  trap_box b;
  for (std::uint64_t n = 1; n <= 6; ++n) b.object(1, n, 120 * kib);
  b.ask(1, 1, {1, 2, 3, 4, 5, 6});
  CHECK(b.was_pinned());
}

TEST_CASE("restore deadlock: a restore has memory that no session can lease") {
  trap_box b;
  for (std::uint64_t n = 1; n <= 8; ++n) b.object(1, n, 120 * kib);
  st::extent where;
  int leases = 0;
  while (b.lease(2, 120 * kib, where)) ++leases;
  CHECK(leases > 3);
  b.told.clear();
  for (std::uint64_t n = 1; n <= 8; ++n) {
    b.ask(3, n, {n});
    CHECK(b.was_pinned());
    object_id id = id_of(n);
    b.s.unpin(3, {&id, 1});
  }
}

TEST_CASE("out-of-lease adopt: only an aligned range within an own lease becomes an object") {
  trap_box b;
  st::extent mine, other;
  REQUIRE(b.lease(1, 128 * kib, mine));
  REQUIRE(b.lease(2, 64 * kib, other));
  auto refused = [&](st::session_id session, const st::extent& where) {
    return b.s.adopt(session, id_of(1), where).error().code();
  };
  std::uint64_t most = ~std::uint64_t{0};
  CHECK(refused(1, other) == errc::permission);
  CHECK(refused(3, mine) == errc::permission);
  CHECK(refused(99, mine) == errc::permission);
  CHECK(refused(1, {99, 0, 64}) == errc::not_found);
  CHECK(refused(1, {mine.segment, mine.offset, 0}) == errc::invalid_argument);
  CHECK(refused(1, {mine.segment, mine.offset + 32, 64}) == errc::invalid_argument);
  CHECK(refused(1, {mine.segment, mine.offset + 64, 64 * kib}) == errc::invalid_argument);
  CHECK(refused(1, {mine.segment, mine.offset, mine.size + 1}) == errc::permission);
  CHECK(refused(1, {mine.segment, mine.offset, most}) == errc::permission);
  CHECK(refused(1, {mine.segment, mine.offset + mine.size, 64}) == errc::permission);
  CHECK(refused(1, {mine.segment, most - 63, 64}) == errc::permission);
  CHECK(refused(2, {other.segment, other.offset + other.size, 64}) == errc::permission);
  CHECK(b.s.used().objects == 0);
  CHECK(b.s.adopt(1, id_of(1), mine).has_value());
}

TEST_CASE("out-of-lease adopt: two leases side by side are not one") {
  trap_box b;
  st::extent a, c;
  REQUIRE(b.lease(1, 4096, a));
  REQUIRE(b.lease(1, 4096, c));
  REQUIRE(c.offset == a.offset + 4096);
  CHECK(b.s.adopt(1, id_of(1), {a.segment, a.offset, 8192}).error().code() == errc::permission);
}

TEST_CASE("overlapping adopt: a published byte is published once") {
  trap_box b;
  st::extent l;
  REQUIRE(b.lease(1, 16 * kib, l));
  CHECK(b.s.adopt(1, id_of(1), {l.segment, l.offset + 128, 256}).has_value());
  for (auto [offset, size] : {std::pair{0, 129}, {128, 256}, {128, 1}, {320, 64}, {0, 8192}})
    CHECK(b.s.adopt(1, id_of(2), {l.segment, l.offset + std::uint64_t(offset), std::uint64_t(size)})
              .error()
              .code() == errc::already_exists);
  CHECK(b.s.adopt(1, id_of(2), {l.segment, l.offset, 128}).has_value());
  CHECK(b.s.adopt(1, id_of(1), {l.segment, l.offset + 384, 64}).error().code() ==
        errc::already_exists);
  CHECK(b.s.adopt(1, id_of(3), {l.segment, l.offset + 384, 64}).has_value());
}

TEST_CASE("a request for 1 TiB fails at once and names the limit and the remedy") {
  trap_box b;
  st::extent where;
  CHECK_FALSE(b.lease(1, std::uint64_t{1} << 40, where));
  st::failed f;
  REQUIRE(b.take(f));
  CHECK(f.why.code() == errc::too_large);
  CHECK(f.why.message() ==
        "1099511627776 bytes were asked for at once, and the store could never give more than "
        "786432 bytes: ask for less, or raise options.memory_bytes or fallback_bytes");
  CHECK_FALSE(b.lease(1, ~std::uint64_t{0}, where));
  REQUIRE(b.take(f));
  CHECK(f.why.code() == errc::too_large);
  b.s.reserve(5, {.id = id_of(1), .bytes = std::uint64_t{1} << 40});
  b.turn();
  REQUIRE(b.take(f));
  CHECK(f.why.code() == errc::too_large);
  CHECK(b.memory.empty());
}

TEST_CASE("a session that leaks pins is named to those who time out, and its end frees them") {
  trap_box b;
  for (std::uint64_t n = 1; n <= 8; ++n) b.object(1, n, 120 * kib);
  for (std::uint64_t n = 1; n <= 4; ++n) b.ask(2, n, {n});
  for (int i = 0; i < 4; ++i) CHECK(b.was_pinned());
  b.ask(3, 5, {5});
  CHECK_FALSE(b.was_pinned());
  st::pressure p;
  REQUIRE(b.take(p));
  CHECK(p.session == 2);
  b.pass(second);
  b.turn();
  st::failed f;
  REQUIRE(b.take(f));
  CHECK(f.why.code() == errc::timeout);
  CHECK(f.why.message().find("waited for other objects to be unpinned") != std::string_view::npos);
  CHECK(f.why.message().find("session 2 has most of it") != std::string_view::npos);
  b.s.session_ended(2);
  CHECK(b.s.used().pinned == 0);
  b.ask(3, 6, {5});
  CHECK(b.was_pinned());
}

TEST_CASE("a request without a deadline does not wait for ever") {
  trap_box b;
  st::extent where;
  REQUIRE(b.lease(1, 700 * kib, where));
  b.s.lease(2, 7, 700 * kib);
  b.settle();
  CHECK(b.s.next_ns() == 600 * second);
  b.pass(600 * second);
  b.turn();
  st::failed f;
  REQUIRE(b.take(f));
  CHECK(f.ticket == 7);
  CHECK(f.why.code() == errc::timeout);
}

}  // namespace traps_test
