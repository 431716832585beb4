// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/id.hpp>

#include <string>
#include <unordered_set>

using beamlet::errc;
using beamlet::object_id;

TEST_CASE("an id names nothing until it is minted") {
  CHECK(object_id{}.is_null());
  CHECK_FALSE(object_id{.node = 0, .boot = 0, .session = 0, .sequence = 0, .guard = 1}.is_null());
}

TEST_CASE("an id goes through its text") {
  object_id id{.node = 0x0123456789abcdef,
               .boot = 0x11223344,
               .session = 0x55667788,
               .sequence = 9,
               .guard = ~0ull};
  std::string text = id.to_string();
  CHECK(text ==
        "0123456789abcdef1122334455667788"
        "0000000000000009"
        "ffffffffffffffff");
  CHECK(*object_id::parse(text) == id);
}

TEST_CASE("the text of an id that is cut, longer or no hexadecimal is malformed") {
  std::string text =
      object_id{.node = 1, .boot = 2, .session = 3, .sequence = 4, .guard = 5}.to_string();
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK(object_id::parse(text.substr(0, size)).error() == errc::malformed);
  CHECK(object_id::parse(text + "0").error() == errc::malformed);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = i % 2 != 0 ? ' ' : '\0';
    CHECK(object_id::parse(wrong).error() == errc::malformed);
  }
}

TEST_CASE("ids order by node, boot, session, sequence, guard, as their texts do") {
  object_id ids[] = {{1, 9, 9, 9, 9}, {2, 1, 9, 9, 9}, {2, 2, 1, 9, 9},
                     {2, 2, 2, 1, 9}, {2, 2, 2, 2, 1}, {2, 2, 2, 2, 300}};
  for (std::size_t i = 1; i < std::size(ids); ++i) {
    CHECK(ids[i - 1] < ids[i]);
    CHECK(ids[i - 1].to_string() < ids[i].to_string());
  }
}

TEST_CASE("the hash spreads ids that were counted up") {
  std::unordered_set<std::size_t> low_bits;
  beamlet::object_id_hash hash;
  for (std::uint64_t i = 0; i < 1024; ++i) low_bits.insert(hash({7, 1, 2, i, 3}) % 1024);
  CHECK(low_bits.size() > 512);  // about 647 for a random function
  CHECK(hash({1, 2, 3, 4, 5}) == hash({1, 2, 3, 4, 5}));
}
