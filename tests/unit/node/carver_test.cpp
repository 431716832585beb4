// SPDX-License-Identifier: Apache-2.0
// Blocks carved from leases: where they lie, that they never overlap, and which leases go back.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include "base/rng.hpp"
#include "node/carver.hpp"

namespace carver_test {

using beamlet::errc;
using beamlet::node::carver;
using beamlet::wire::extent;

constexpr std::uint64_t kib = 1024, mib = 1024 * kib;

TEST_CASE("a block starts on a line, and on a page from 64 KiB on") {
  carver c;
  REQUIRE(c.add({1, 8192, mib}).has_value());
  auto small = c.carve(100), large = c.carve(64 * kib), tiny = c.carve(0);
  REQUIRE((small && large && tiny));
  CHECK(small->size == 128);
  CHECK(small->offset % 64 == 0);
  CHECK(large->offset % 4096 == 0);
  CHECK(tiny->size == 64);
  auto nearly = c.carve(64 * kib - 1);  // may be published with all of its 64 KiB
  REQUIRE(nearly);
  CHECK(nearly->offset % 4096 == 0);
  CHECK(c.audit() == "");
}

TEST_CASE("what does not fit is refused, however large the number") {
  carver c;
  REQUIRE(c.add({1, 0, mib}).has_value());
  CHECK(!c.carve(mib + 1));
  CHECK(!c.carve(~std::uint64_t{0}));
  CHECK(!c.carve(~std::uint64_t{0} - 100));
  CHECK(c.carve(mib));
  CHECK(!c.carve(1));
}

TEST_CASE("a lease that overlaps another, wraps around or is not pages is malformed") {
  carver c;
  REQUIRE(c.add({1, 4096, 8192}).has_value());
  for (extent wrong : {extent{1, 8192, 8192}, extent{1, 0, 8192}, extent{1, 4096, 8192},
                       extent{1, 16384, 0}, extent{1, 16384, 100}, extent{1, 20000, 4096},
                       extent{1, ~std::uint64_t{0} - 4095, 8192}, extent{1, 0, mib}})
    CHECK(c.add(wrong).error().code() == errc::malformed);
  CHECK(c.add({1, 0, 4096}).has_value());
  CHECK(c.add({1, 12288, 4096}).has_value());
  CHECK(c.add({2, 4096, 8192}).has_value());
  CHECK(c.audit() == "");
}

TEST_CASE("neighbouring leases stay apart: no block lies in two of them") {
  carver c;
  REQUIRE(c.add({1, 0, 64 * kib}).has_value());
  REQUIRE(c.add({1, 64 * kib, 64 * kib}).has_value());
  CHECK(!c.carve(65 * kib));
  CHECK(c.carve(64 * kib));
  CHECK(c.carve(64 * kib));
}

TEST_CASE("what a published value leaves of its block is used again") {
  carver c;
  REQUIRE(c.add({1, 0, mib}).has_value());
  auto block = c.carve(mib);
  REQUIRE(block);
  CHECK(!c.carve(1));
  CHECK(!c.publish(*block, 100 * kib));
  auto next = c.carve(900 * kib);
  REQUIRE(next);
  CHECK(next->offset == 100 * kib);
  CHECK(c.audit() == "");
}

TEST_CASE("the range of an object that is gone is used again, and only once") {
  carver c;
  REQUIRE(c.add({1, 0, mib}).has_value());
  auto block = c.carve(1000);
  REQUIRE(block);
  CHECK(c.is_building(*block));
  CHECK(!c.take_back({1, block->offset, 1000}));  // not published: nothing happens
  CHECK(c.is_building(*block));
  CHECK(!c.publish(*block, 1000));
  CHECK(!c.is_building(*block));
  CHECK(!c.take_back({1, block->offset, 5000}));
  CHECK(!c.take_back({1, block->offset + 64, 1000}));
  CHECK(!c.take_back({2, block->offset, 1000}));
  CHECK(!c.take_back({1, block->offset, 1000}));
  CHECK(c.carve(mib));
  CHECK(!c.take_back({1, block->offset, 1000}));
  CHECK(!c.carve(1));
  CHECK(c.audit() == "");
}

TEST_CASE("a full lease is given back when the last block in it is published") {
  carver c;
  REQUIRE(c.add({1, 0, mib}).has_value());
  auto first = c.carve(mib / 2), second = c.carve(mib / 2);
  REQUIRE((first && second));
  CHECK(!c.publish(*first, mib / 2));
  CHECK(c.publish(*second, mib / 2) == extent{1, 0, mib});
  CHECK(!c.has_lease_in(1));
  CHECK(!c.take_back({1, first->offset, first->size}));
  CHECK(c.audit() == "");
}

TEST_CASE("idle leases are kept up to a bound, and a larger one goes at once") {
  carver c;
  REQUIRE(c.add({1, 0, 8 * mib}).has_value());
  REQUIRE(c.add({2, 0, 64 * mib}).has_value());
  auto large = c.carve(64 * mib);
  auto small = c.carve(mib);
  REQUIRE((large && small));
  CHECK(!c.free(*small));
  CHECK(c.free(*large) == extent{2, 0, 64 * mib});
  CHECK(c.has_lease_in(1));
  CHECK(c.audit() == "");
}

TEST_CASE("under pressure all leases go in which nothing is being built") {
  carver c;
  for (std::uint32_t s = 1; s <= 3; ++s) REQUIRE(c.add({s, 0, 128 * kib}).has_value());
  auto a = c.carve(100 * kib), b = c.carve(100 * kib);
  REQUIRE((a && b));
  CHECK(!c.publish(*a, 100 * kib));
  CHECK(c.take_unused().size() == 2);
  CHECK(c.has_lease_in(b->segment));
  CHECK(c.take_unused().empty());
  CHECK(c.audit() == "");
}

TEST_CASE("a whole lease is one block, which nobody else gets a part of, and goes back whole") {
  carver c;
  const extent all{1, 0, 64 * kib};
  REQUIRE(c.add_whole(all).has_value());
  CHECK(c.is_building(all));
  CHECK_FALSE(c.carve(100).has_value());
  CHECK(c.take_unused().empty());
  CHECK(c.add_whole(all).error() == errc::malformed);
  CHECK(c.audit() == "");
  CHECK(c.release(all) == all);
  CHECK_FALSE(c.has_lease_in(1));
  CHECK(c.audit() == "");
}

TEST_CASE("blocks never overlap, whatever is built, published, returned and given back") {
  struct one {
    extent where;
    std::uint64_t published = 0;  // bytes; 0: being built
  };
  carver c;
  beamlet::base::rng random(4711);
  std::map<std::pair<std::uint32_t, std::uint64_t>, one> alive;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> leases;
  std::uint64_t next_lease = 0;
  auto gone = [&](const std::optional<extent>& lease) {
    if (!lease) return;
    REQUIRE(leases.erase({lease->segment, lease->offset}) == 1);
    for (auto at = alive.begin(); at != alive.end();) {
      const extent& w = at->second.where;
      bool inside = w.segment == lease->segment && w.offset >= lease->offset &&
                    w.offset < lease->offset + lease->size;
      if (inside) REQUIRE(at->second.published > 0);
      at = inside ? alive.erase(at) : std::next(at);
    }
  };
  for (int step = 0; step < 20000; ++step) {
    std::uint32_t dice = random.below(100);
    if (leases.empty() || dice == 0) {
      extent lease{1 + random.below(2), next_lease, (1 + random.below(64)) * 4096};
      next_lease += lease.size;
      REQUIRE(c.add(lease).has_value());
      leases[{lease.segment, lease.offset}] = lease.size;
    } else if (dice < 50) {
      std::uint64_t bytes = random.below(random.below(4) == 0 ? 200'000 : 3000);
      auto got = c.carve(bytes);
      if (!got) continue;
      REQUIRE(got->size >= bytes);
      REQUIRE(got->offset % (bytes >= 64 * kib ? 4096 : 64) == 0);
      auto after = alive.lower_bound({got->segment, got->offset});
      if (after != alive.end() && after->first.first == got->segment)
        REQUIRE(got->offset + got->size <= after->first.second);
      if (after != alive.begin()) {
        const extent& before = std::prev(after)->second.where;
        if (before.segment == got->segment) REQUIRE(before.offset + before.size <= got->offset);
      }
      alive[{got->segment, got->offset}] = {*got, 0};
    } else if (!alive.empty()) {
      auto at = std::next(alive.begin(), random.below(static_cast<std::uint32_t>(alive.size())));
      one x = at->second;
      if (x.published > 0) {
        alive.erase(at);
        gone(c.take_back({x.where.segment, x.where.offset, x.published}));
      } else if (random.below(3) == 0) {
        alive.erase(at);
        gone(c.free(x.where));
      } else {
        std::uint64_t bytes = 1 + random.below(static_cast<std::uint32_t>(x.where.size));
        at->second.published = bytes;
        at->second.where.size = carver::rounded(bytes);
        gone(c.publish(x.where, bytes));
      }
    }
    if (step % 5000 == 4999)
      for (const extent& lease : c.take_unused()) gone(lease);
    if (step % 50 == 0) REQUIRE(c.audit() == "");
  }
}

}  // namespace carver_test
