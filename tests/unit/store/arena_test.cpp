// SPDX-License-Identifier: Apache-2.0
// Payloads of all sizes in one arena, against a map with a byte per 64 bytes.
#include "store/arena.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "base/rng.hpp"

namespace arena_test {

using beamlet::store::arena;

struct piece {
  std::uint64_t offset, bytes;
};

std::uint64_t random_size(beamlet::base::rng& random) {
  std::uint64_t size = std::uint64_t{1} << random.below(18);
  return size + random.below(static_cast<std::uint32_t>(size));
}

TEST_CASE("payloads are aligned, never overlap, and all memory comes back") {
  constexpr std::uint64_t arena_bytes = 4 << 20;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    beamlet::base::rng random(seed);
    arena a(arena_bytes);
    std::vector<char> used(arena_bytes / 64);
    std::vector<piece> pieces;
    auto mark = [&](const piece& p, char before) {
      for (std::uint64_t i = p.offset / 64; i * 64 < p.offset + p.bytes; ++i)
        REQUIRE(std::exchange(used[i], static_cast<char>(1 - before)) == before);
    };
    for (int i = 0; i < 2000; ++i) {
      if (random.below(9) < 5) {
        std::uint64_t bytes = random_size(random);
        auto offset = a.allocate(bytes);
        if (!offset) continue;
        REQUIRE(*offset % (bytes >= 65536 ? 4096 : 64) == 0);
        REQUIRE(*offset + bytes <= arena_bytes);
        mark(pieces.emplace_back(piece{*offset, bytes}), 0);
      } else if (!pieces.empty()) {
        std::swap(pieces[random.below(static_cast<std::uint32_t>(pieces.size()))], pieces.back());
        mark(pieces.back(), 1);
        a.free(pieces.back().offset, pieces.back().bytes);
        pieces.pop_back();
      }
      if (i % 100 == 0) REQUIRE(a.audit());
    }
    for (const piece& p : pieces) a.free(p.offset, p.bytes);
    CHECK(a.audit());
    CHECK(a.pages().free_pages() == a.pages().pages());
  }
}

TEST_CASE("small payloads share pages") {
  arena a(1 << 20);
  for (int i = 0; i < 1000; ++i) REQUIRE(a.allocate(100).has_value());
  CHECK(a.pages().pages() - a.pages().free_pages() == 32);
}

TEST_CASE("a small payload finds the last page when there is no room for a slab") {
  arena a(8 * 4096);
  CHECK(a.allocate(7 * 4096).has_value());
  CHECK(a.allocate(100).has_value());
  CHECK_FALSE(a.allocate(100).has_value());
}

TEST_CASE("an arena that was given nothing gives nothing until it is given pages") {
  arena a(1 << 20, false);
  CHECK_FALSE(a.allocate(1).has_value());
  a.pages().free(16, 2);
  CHECK(a.allocate(8192) == 16 * 4096);
}

}  // namespace arena_test
