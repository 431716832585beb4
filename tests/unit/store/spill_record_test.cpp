// SPDX-License-Identifier: Apache-2.0
#include "store/spill_record.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include "beamlet/base/bytes.hpp"
#include "store/crc32c.hpp"

namespace spill_record_test {

namespace st = beamlet::store;
using beamlet::base::bytes_of;

const beamlet::object_id spilled_id{1, 2, 3, 4, 5};

TEST_CASE("the checksum is CRC32C") {
  // RFC 3720, B.4, and the usual check value.
  CHECK(st::crc32c(bytes_of("123456789")) == 0xe3069283);
  CHECK(st::crc32c(std::vector<std::byte>(32)) == 0x8a9136aa);
  CHECK(st::crc32c(std::vector<std::byte>(32, std::byte{0xff})) == 0x62a8ab43);
  CHECK(st::crc32c({}) == 0);
}

TEST_CASE("the checksum of two parts is that of the whole, wherever it is cut") {
  std::string_view text = "a text that is longer than two words of the machine";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    CHECK(st::crc32c(bytes_of(text.substr(cut)), st::crc32c(bytes_of(text.substr(0, cut)))) ==
          st::crc32c(bytes_of(text)));
}

TEST_CASE("the processor's instruction and the tables give one checksum") {
  std::vector<std::byte> bytes(300);
  std::uint32_t next = 1;
  for (std::byte& b : bytes) b = static_cast<std::byte>((next = next * 1664525 + 1013904223) >> 24);
  for (std::size_t from = 0; from < 9; ++from)
    for (std::size_t size = 0; size + from <= bytes.size(); size += 1 + size / 9) {
      auto part = std::span(bytes).subspan(from, size);
      CHECK(st::crc32c(part, next) == st::crc32c_by_tables(part, next));
    }
}

TEST_CASE("a record is read as it was written") {
  auto payload = bytes_of("payload");
  CHECK(st::check_spill_record(spilled_id, st::make_spill_head(spilled_id, payload), payload)
            .has_value());
  CHECK(st::spill_record_bytes(0) == 64);
  CHECK(st::spill_record_bytes(7) == 128);
  CHECK(st::spill_record_bytes(64) == 128);
}

TEST_CASE("any damaged bit of a record is found") {
  auto payload = bytes_of("payload");
  const auto head = st::make_spill_head(spilled_id, payload);
  for (std::size_t bit = 0; bit < 8 * head.size(); ++bit) {
    auto damaged = head;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    CHECK(st::check_spill_record(spilled_id, damaged, payload).error() == beamlet::errc::malformed);
  }
  for (std::size_t bit = 0; bit < 8 * payload.size(); ++bit) {
    std::vector<std::byte> damaged(payload.begin(), payload.end());
    damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    CHECK_FALSE(st::check_spill_record(spilled_id, head, damaged).has_value());
  }
  CHECK_FALSE(st::check_spill_record(spilled_id, head, payload.first(6)).has_value());
  CHECK_FALSE(st::check_spill_record(spilled_id, std::span(head).first(63), payload).has_value());
}

TEST_CASE("another object's record is refused") {
  auto payload = bytes_of("payload");
  auto other = spilled_id;
  ++other.guard;
  CHECK(st::check_spill_record(other, st::make_spill_head(spilled_id, payload), payload).error() ==
        beamlet::errc::malformed);
}

}  // namespace spill_record_test
