// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/bytes.hpp>
#include <beamlet/base/checksum.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace beamlet::base;

TEST_CASE("numbers are stored little-endian at any address") {
  std::array<std::byte, 16> memory{};
  store_le(memory.data() + 1, std::uint32_t{0x01020304});
  CHECK(memory[1] == std::byte{4});
  CHECK(memory[4] == std::byte{1});
  CHECK(load_le<std::uint32_t>(memory.data() + 1) == 0x01020304);
  store_le(memory.data() + 3, std::int64_t{-2});
  CHECK(memory[3] == std::byte{0xfe});
  CHECK(load_le<std::int64_t>(memory.data() + 3) == -2);
  store_le(memory.data() + 5, 1.5);
  CHECK(memory[12] == std::byte{0x3f});
  CHECK(load_le<double>(memory.data() + 5) == 1.5);
  store_le(memory.data(), std::int8_t{-1});
  CHECK(load_le<std::int8_t>(memory.data()) == -1);
}

TEST_CASE("hexadecimal text goes both ways") {
  std::array<std::byte, 4> bytes{std::byte{0}, std::byte{0x7f}, std::byte{0x80}, std::byte{0xff}};
  std::string text = "x";
  append_hex(text, bytes);
  CHECK(text == "x007f80ff");
  std::array<std::byte, 4> back{};
  CHECK(parse_hex("007F80fF", back));
  CHECK(back == bytes);
}

TEST_CASE("text that is not hexadecimal is refused") {
  std::array<std::byte, 2> out{};
  for (const char* text : {"", "0", "000", "00000", "00 0", "0x00", "000g", "-001", "00\xc3\xa9"})
    CHECK_FALSE_MESSAGE(parse_hex(text, out), text);
  CHECK_FALSE(parse_hex(std::string_view("00\0 ", 4), out));
  CHECK(parse_hex("", {}));
}

TEST_CASE("crc32c gives the published values") {
  CHECK(crc32c({}) == 0);
  CHECK(crc32c(bytes_of("123456789")) == 0xe3069283);
  std::vector<std::byte> block(32);  // RFC 3720 B.4
  CHECK(crc32c(block) == 0x8a9136aa);
  for (std::byte& b : block) b = std::byte{0xff};
  CHECK(crc32c(block) == 0x62a8ab43);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i);
  CHECK(crc32c(block) == 0x46dd794e);
}

TEST_CASE("crc32c goes on from any cut") {
  std::string text = "the quick brown fox jumps over the lazy dog";
  auto bytes = bytes_of(text);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    CHECK(crc32c(bytes.subspan(cut), crc32c(bytes.first(cut))) == crc32c(bytes));
}

TEST_CASE("crc32c sees every single flipped bit") {
  std::string text = "0123456789abcdef012";
  std::uint32_t right = crc32c(bytes_of(text));
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string wrong = text;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << bit % 8));
    CHECK(crc32c(bytes_of(wrong)) != right);
  }
}
