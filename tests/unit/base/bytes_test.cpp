// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/bytes.hpp>

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
