// SPDX-License-Identifier: Apache-2.0
// What one session sees of the store: lease, adopt, pin, unpin, drop, and how memory is found.
#include "store/store.hpp"

#include <doctest/doctest.h>

#include <array>

#include "tests/unit/store/box.hpp"

namespace store_cases {

using namespace store_test;
using beamlet::errc;

constexpr std::uint64_t kib = 1024;

st::options small_options() {
  st::options o;
  o.memory_bytes = 1024 * kib, o.segment_bytes = 256 * kib, o.shared_bytes = 256 * kib;
  return o;
}

struct fixture : box {
  explicit fixture(const st::options& o = small_options()) : box(o) {
    s.session_started(1);
    s.session_started(2);
  }

  st::extent lease(st::session_id session, std::uint64_t size) {
    s.lease(session, ++ticket, size);
    settle();
    st::granted g;
    REQUIRE(take(g));
    REQUIRE(g.ticket == ticket);
    return g.where;
  }
  /// A published object in a lease of its own, which is given back.
  st::extent object(st::session_id session, std::uint64_t n, std::uint64_t size,
                    bool primary = true) {
    st::extent where = lease(session, size), whole = where;
    where.size = size;
    fill(id_of(n), where);
    REQUIRE(s.adopt(session, id_of(n), where, primary).has_value());
    REQUIRE(s.unlease(session, whole).has_value());
    return where;
  }
  bool pin(st::session_id session, std::vector<std::uint64_t> names, std::uint8_t urgency = 2) {
    std::vector<object_id> ids;
    for (std::uint64_t n : names) ids.push_back(id_of(n));
    s.pin_all(session, ++ticket, ids, urgency, now + 1'000'000'000);
    settle();
    st::pinned p;
    if (!take(p)) return false;
    for (std::size_t i = 0; i < ids.size(); ++i) REQUIRE(holds(ids[i], p.where[i]));
    return true;
  }
  void unpin(st::session_id session, std::uint64_t n) {
    object_id id = id_of(n);
    s.unpin(session, {&id, 1});
  }
  errc failure() {
    st::failed f;
    turn();
    return take(f) ? f.why.code() : errc::ok;
  }
  std::uint64_t ticket = 0;
};

st::options with_disk() {
  st::options o = small_options();
  o.spill_bytes = 16 << 20;
  o.spill_batch_bytes_min = 64 * kib, o.spill_batch_bytes_max = 256 * kib;
  return o;
}

TEST_CASE("a lease is whole pages of a segment that only its session writes") {
  fixture f;
  st::extent a = f.lease(1, 5000), b = f.lease(2, 1);
  CHECK(a.size == 8192);
  CHECK(b.size == 4096);
  CHECK(a.segment != b.segment);
  CHECK(f.made[a.segment].owner == 1);
  CHECK(f.s.used(1).unpublished == 8192);
  CHECK(f.s.used().leased == 12288);
}

TEST_CASE("a dropped object's range in a live lease goes back to its session") {
  fixture f;
  st::extent where = f.lease(1, 8192);
  where.size = 100;
  CHECK(f.s.adopt(1, id_of(1), where).has_value());
  CHECK(f.s.used(1).unpublished == 8092);
  f.s.drop(id_of(1));
  f.turn();
  st::returned r;
  REQUIRE(f.take(r));
  CHECK(r.session == 1);
  CHECK(r.where == where);
  CHECK(f.s.used(1).unpublished == 8192);
  CHECK(f.s.adopt(1, id_of(2), where).has_value());
}

TEST_CASE("ending a lease keeps what was published and frees the rest") {
  fixture f;
  st::extent whole = f.lease(1, 64 * kib);
  std::uint64_t free = f.s.used().free;
  for (std::uint64_t i = 0; i < 2; ++i)
    CHECK(f.s.adopt(1, id_of(i), {whole.segment, whole.offset + i * 64, 64}).has_value());
  CHECK(f.s.unlease(1, whole).has_value());
  CHECK(f.s.used().free == free + 60 * kib);
  f.s.drop(id_of(0));  // the other one is on the same page
  CHECK(f.s.used().free == free + 60 * kib);
  f.s.drop(id_of(1));
  CHECK(f.s.used().free == free + 64 * kib);
  CHECK(f.s.unlease(1, whole).error() == error(errc::not_found, error_layer::store));
  CHECK(f.s.audit() == "");
}

TEST_CASE("a part of a lease can be given back, in pages that cut no object") {
  fixture f;
  st::extent l = f.lease(1, 64 * kib);
  CHECK(f.s.adopt(1, id_of(1), {l.segment, l.offset + 4096, 8192}).has_value());
  CHECK(f.s.unlease(1, {l.segment, l.offset, 8192}).error().code() == errc::invalid_argument);
  CHECK(f.s.unlease(1, {l.segment, l.offset + 1, 4096}).error().code() == errc::invalid_argument);
  CHECK(f.s.unlease(1, {l.segment, l.offset + 4096, 8192}).has_value());
  CHECK(f.s.used(1).leases == 2);
  CHECK(f.s.used(1).leased == 56 * kib);
  CHECK(f.s.audit() == "");
}

TEST_CASE("a dropped object stays until its last pin goes") {
  fixture f;
  f.object(1, 1, 5000);
  CHECK(f.pin(2, {1, 1}));
  f.s.drop(id_of(1));
  CHECK_FALSE(f.s.has(id_of(1)));
  CHECK(f.s.used().pinned == 5000);
  CHECK(f.s.used(2).pins == 2);
  f.unpin(2, 1);
  CHECK(f.s.used().objects == 1);
  f.unpin(2, 1);
  f.unpin(2, 1);  // once too often does nothing
  CHECK(f.s.used().objects == 0);
  CHECK(f.s.used(2).pins == 0);
}

TEST_CASE("copies are evicted, the one used longest ago first, and pinned ones stay") {
  fixture f;
  for (std::uint64_t n = 1; n <= 3; ++n) f.object(1, n, 250 * kib, false);
  CHECK(f.pin(1, {1}));
  f.object(1, 4, 250 * kib);
  st::evicted e;
  REQUIRE(f.take(e));
  CHECK(e.id == id_of(2));
  CHECK_FALSE(f.take(e));
  CHECK(f.s.has(id_of(1)));
}

TEST_CASE("a copy that became the primary is not evicted any more") {
  fixture f;
  for (std::uint64_t n = 1; n <= 3; ++n) f.object(1, n, 250 * kib, false);
  for (std::uint64_t n = 1; n <= 3; ++n) CHECK(f.s.set_primary(id_of(n), true).has_value());
  f.s.lease(1, 9, 250 * kib, 1000);
  f.settle();
  f.pass(1000);
  CHECK(f.failure() == errc::timeout);
}

TEST_CASE("primaries are spilled where room is needed, and come back when they are pinned") {
  fixture f(with_disk());
  for (std::uint64_t n = 1; n <= 12; ++n) f.object(1, n, 200 * kib);
  CHECK(f.s.used().spilled > 0);
  for (std::uint64_t n = 1; n <= 12; ++n) {
    CHECK(f.pin(2, {n}));
    f.unpin(2, n);
  }
  for (std::uint64_t n = 1; n <= 12; ++n) f.s.drop(id_of(n));
  f.settle();
  CHECK(f.disk.empty());
  CHECK(f.s.used().spill_files == 0);
  CHECK(f.s.audit() == "");
}

TEST_CASE("primaries go to disk in the background before memory is full") {
  auto options = with_disk();
  options.shared_bytes = 0;
  fixture f(options);
  for (std::uint64_t n = 1; n <= 4; ++n) f.object(1, n, 200 * kib);
  CHECK(f.s.used().spilled == 0);
  f.object(1, 5, 40 * kib);
  CHECK(f.s.used().spilled > 0);
  CHECK(f.s.used().published == 840 * kib);  // and are still in memory
  CHECK(f.disk.size() == 1);
}

TEST_CASE("a damaged spill record loses its object and is never returned as data") {
  fixture f(with_disk());
  for (std::uint64_t n = 1; n <= 12; ++n) f.object(1, n, 200 * kib);
  for (auto& [id, file] : f.disk)
    for (std::byte& b : file) b ^= std::byte{1};
  CHECK_FALSE(f.pin(2, {1}));
  CHECK(f.failure() == errc::object_lost);
  st::lost l;
  REQUIRE(f.take(l));
  CHECK(l.id == id_of(1));
  CHECK_FALSE(f.s.has(id_of(1)));
  CHECK(f.s.audit() == "");
}

TEST_CASE("an object that cannot be read is tried again before it is lost") {
  fixture f(with_disk());
  for (std::uint64_t n = 1; n <= 12; ++n) f.object(1, n, 200 * kib);
  CHECK(f.pin(2, {2}));  // makes the segment that restores go to
  f.unpin(2, 2);
  f.faults = 100;  // below() answers 0: reads fail
  for (errc expected : {errc::io, errc::io, errc::object_lost}) {
    CHECK_FALSE(f.pin(2, {1}));
    CHECK(f.failure() == expected);
  }
}

TEST_CASE("a failing disk is asked again later, and the error names it") {
  fixture f(with_disk());
  f.faults = 0;
  for (std::uint64_t n = 1; n <= 3; ++n) f.object(1, n, 250 * kib);
  f.faults = 100;
  f.s.lease(1, 9, 250 * kib, 500'000'000);
  f.settle();
  CHECK(f.s.next_ns() == 500'000'000);
  f.pass(500'000'000);
  f.turn();
  st::failed why;
  REQUIRE(f.take(why));
  CHECK(why.why.code() == errc::timeout);
  CHECK(why.why.cause().find("input or output") != std::string_view::npos);
  f.faults = 0;
  f.s.lease(1, 10, 250 * kib, 5'000'000'000);
  f.settle();
  CHECK(f.s.next_ns() == 1'000'000'000);
  f.pass(500'000'000);
  f.settle();
  st::granted g;
  CHECK(f.take(g));
}

TEST_CASE("a file serves as memory when nothing else is left, within its quota") {
  auto options = small_options();
  options.fallback_bytes = 256 * kib;
  fixture f(options);
  for (std::uint64_t n = 1; n <= 3; ++n) f.object(1, n, 250 * kib);
  st::extent where = f.object(1, 4, 250 * kib);
  CHECK(f.made[where.segment].kind == st::backing::file);
  CHECK(f.s.used().files == 256 * kib);
  f.s.lease(1, 9, 250 * kib, 1000);
  f.settle();
  f.pass(1000);
  CHECK(f.failure() == errc::timeout);
}

TEST_CASE("a small request passes a blocked big one, but not for ever") {
  fixture f;
  st::extent held = f.lease(1, 500 * kib);
  f.s.lease(1, 1000, 700 * kib);
  f.settle();
  int passed = 0;
  for (; passed < 1000; ++passed) {
    f.s.lease(1, 1, 4096);
    f.settle();
    st::granted g;
    if (!f.take(g)) break;
    CHECK(g.ticket == 1);
    CHECK(f.s.unlease(1, g.where).has_value());
  }
  CHECK(passed == 64);
  CHECK(f.s.unlease(1, held).has_value());
  f.settle();
  st::granted g;
  REQUIRE(f.take(g));
  CHECK(g.ticket == 1000);
  REQUIRE(f.take(g));
  CHECK(g.ticket == 1);
}

TEST_CASE("a session's own free space is not held up by another one's blocked request") {
  fixture f;
  f.lease(1, 500 * kib);
  f.lease(2, 4096);
  f.s.lease(1, 1000, 700 * kib);
  f.settle();
  for (int i = 0; i < 200; ++i) CHECK(f.s.unlease(2, f.lease(2, 8192)).has_value());
  CHECK(f.s.used().waiting == 1);
}

TEST_CASE("all requests that fit are granted in one turn") {
  auto options = small_options();
  options.segment_bytes = 768 * kib;
  fixture f(options);
  f.lease(1, 1);
  for (std::uint64_t n = 0; n < 100; ++n) f.s.lease(1, 100 + n, 4096);
  f.turn();
  CHECK(f.s.used().waiting == 0);
  CHECK(f.s.used(1).leases == 101);
}

TEST_CASE("an abandoned request is not answered and lets the next one through") {
  fixture f;
  f.lease(1, 500 * kib);
  f.s.lease(1, 1000, 700 * kib);
  f.s.lease(1, 1001, 700 * kib);
  f.settle();
  f.s.cancel(1, 1000);
  f.s.cancel(1, 1001);
  f.pass(3600'000'000'000);
  CHECK(f.failure() == errc::ok);
  CHECK(f.s.used(1).requests == 0);
}

TEST_CASE("a reserved object can be pinned when it is sealed") {
  fixture f;
  f.s.reserve(7, {.id = id_of(1), .bytes = 5000});
  f.settle();
  st::granted g;
  REQUIRE(f.take(g));
  CHECK(g.where.size == 5000);
  object_id id = id_of(1);
  f.s.pin_all(1, 8, {&id, 1}, 0);
  f.settle();
  st::pinned p;
  CHECK_FALSE(f.take(p));
  f.fill(id, g.where);
  CHECK(f.s.seal(id).has_value());
  f.settle();
  CHECK(f.take(p));
  CHECK(f.s.seal(id).error().code() == errc::not_found);
  f.s.reserve(9, {.id = id, .bytes = 10});
  CHECK(f.failure() == errc::already_exists);
}

TEST_CASE("a pull that is given up fails those who waited for it") {
  fixture f;
  f.s.reserve(7, {.id = id_of(1), .bytes = 5000});
  f.settle();
  object_id id = id_of(1);
  f.s.pin_all(1, 8, {&id, 1}, 0);
  f.settle();
  f.s.drop(id);
  CHECK(f.failure() == errc::not_found);
  CHECK(f.s.used().published == 0);
}

TEST_CASE("a set with an unknown object is refused whole") {
  fixture f;
  f.object(1, 1, 100);
  CHECK_FALSE(f.pin(2, {1, 99}));
  CHECK(f.failure() == errc::not_found);
  CHECK(f.s.used(2).pins == 0);
}

TEST_CASE("a session over a quota is refused, and the sentence says what to raise") {
  auto options = small_options();
  options.session_lease_bytes = 12288, options.session_leases = 2, options.session_pins = 2;
  options.session_pinned_bytes = 1000, options.session_requests = 1, options.objects = 3;
  fixture f(options);
  auto refused = [&](errc code, const char* option) {
    f.settle();
    st::failed why;
    REQUIRE(f.take(why));
    CHECK(why.why.code() == code);
    CHECK(why.why.message().find(option) != std::string_view::npos);
  };
  f.s.lease(1, 1, 12289);
  refused(errc::exhausted, "session_lease_bytes");
  f.object(1, 1, 100);
  f.object(1, 2, 950);
  CHECK_FALSE(f.pin(1, {1, 1, 1}));
  refused(errc::exhausted, "session_pins");
  CHECK_FALSE(f.pin(1, {1, 2}));
  refused(errc::exhausted, "session_pinned_bytes");
  f.lease(1, 1);
  f.lease(1, 1);
  f.s.lease(1, 1, 1);
  refused(errc::exhausted, "session_leases");
  f.s.lease(1, 1, 1);
  f.s.lease(1, 1, 1);
  refused(errc::queue_full, "session_requests");
  f.object(2, 3, 10);
  st::extent where = f.lease(2, 1);
  CHECK(f.s.adopt(2, id_of(4), where).error().message().find("options.objects") !=
        std::string_view::npos);
}

TEST_CASE("a segment that nobody can map any more is memory again only when it is really gone") {
  fixture f;
  f.s.drop(id_of(0));
  st::extent where = f.object(1, 1, 700 * kib);
  f.s.drop(id_of(1));
  f.s.lease(2, 9, 700 * kib);
  f.pass(0);
  f.turn();
  REQUIRE(f.owed.size() == 1);
  CHECK(std::get<st::end_segment>(f.owed[0]).segment == where.segment);
  f.turn();
  CHECK(f.s.used().memory == 700 * kib);
  f.settle();
  st::granted g;
  CHECK(f.take(g));
}

TEST_CASE("a whole lease has a segment of its own, which ends with its object") {
  auto options = with_disk();
  options.whole_from_bytes = 100 * kib;
  fixture f(options);
  st::extent small = f.lease(1, 10 * kib);
  auto whole = [&](std::uint64_t bytes) {
    f.s.lease(1, ++f.ticket, bytes, base::never_ns, true);
    f.settle();
    st::granted g;
    REQUIRE(f.take(g));
    return g.where;
  };
  st::extent one = whole(150 * kib), two = whole(150 * kib);
  CHECK(one.segment != two.segment);
  CHECK(one.segment != small.segment);
  CHECK(f.made.at(one.segment).whole);
  CHECK(f.made.at(one.segment).size == 152 * kib);
  CHECK_FALSE(f.made.at(small.segment).whole);
  // Of another's, too, nothing small is put there.
  CHECK(f.lease(1, 4 * kib).segment == small.segment);
  f.fill(id_of(1), {one.segment, 0, 150 * kib});
  REQUIRE(f.s.adopt(1, id_of(1), {one.segment, 0, 150 * kib}).has_value());
  REQUIRE(f.s.unlease(1, one).has_value());
  CHECK(f.pin(2, {1}));
  f.s.drop(id_of(1));
  f.settle();
  CHECK(f.made.contains(one.segment));
  f.unpin(2, 1);
  REQUIRE(f.s.unlease(1, two).has_value());
  f.settle();
  CHECK_FALSE(f.made.contains(one.segment));
  CHECK_FALSE(f.made.contains(two.segment));
  CHECK(f.s.audit() == "");
}

TEST_CASE("a large object in a shared segment is refused where each is to have its own") {
  auto options = small_options();
  options.whole_from_bytes = 100 * kib;
  fixture f(options);
  st::extent where = f.lease(1, 200 * kib);
  where.size = 100 * kib;
  CHECK(f.s.adopt(1, id_of(1), where).error().code() == errc::permission);
  where.size = 99 * kib;
  CHECK(f.s.adopt(1, id_of(1), where).has_value());
}

TEST_CASE(
    "objects with segments of their own are spilled, restored elsewhere, and leave no memory") {
  auto options = with_disk();
  options.whole_from_bytes = 100 * kib;
  fixture f(options);
  for (std::uint64_t n = 1; n <= 8; ++n) {
    f.s.lease(1, ++f.ticket, 200 * kib, base::never_ns, true);
    f.settle();
    st::granted g;
    REQUIRE(f.take(g));
    st::extent where{g.where.segment, 0, 200 * kib};
    f.fill(id_of(n), where);
    REQUIRE(f.s.adopt(1, id_of(n), where).has_value());
    REQUIRE(f.s.unlease(1, g.where).has_value());
  }
  CHECK(f.s.used().spilled > 0);
  for (std::uint64_t n = 1; n <= 8; ++n) {
    CHECK(f.pin(2, {n}));
    f.unpin(2, n);
  }
  f.s.session_ended(1);
  f.s.session_gone(1);
  for (std::uint64_t n = 1; n <= 8; ++n) f.s.drop(id_of(n));
  f.settle();
  CHECK(f.s.used().published == 0);
  CHECK(f.complaint == "");
  CHECK(f.s.audit() == "");
}

}  // namespace store_cases
