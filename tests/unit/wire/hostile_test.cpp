// SPDX-License-Identifier: Apache-2.0
// Bytes that no encoder made. Whatever they are, decoding gives an error of two kinds, or a message
// that can be sent on and arrives the same.

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>

#include "beamlet/base/bytes.hpp"
#include "tests/unit/wire/samples.hpp"
#include "wire/encoding.hpp"
#include "wire/limits.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::wire;

constexpr std::size_t header_bytes = 8;

template <class Message>
result<Message> decode_as(std::span<const std::byte> encoded) {
  if constexpr (std::is_same_v<Message, to_agent>) return decode_to_agent(encoded);
  else return decode_to_session(encoded);
}

// Whether `encoded` is a message. Fails the test when it is one only in part.
template <class Message>
bool is_message(std::span<const std::byte> encoded) {
  // Of exactly this size, so that the address sanitizer sees a read past the end.
  auto exact = std::make_unique<std::byte[]>(encoded.size());
  std::copy(encoded.begin(), encoded.end(), exact.get());
  auto decoded = decode_as<Message>({exact.get(), encoded.size()});
  if (!decoded.has_value()) {
    bool expected = decoded.error() == error(errc::malformed, error_layer::wire) ||
                    decoded.error() == error(errc::unsupported, error_layer::wire);
    if (!expected || decoded.error().detail() == nullptr) FAIL("another error, or no sentence");
    return false;
  }
  auto again = encode(*decoded);
  if (!again.has_value()) FAIL("what was decoded does not encode");
  auto same = decode_as<Message>(*again);
  if (!same.has_value() || !samples::same(*same, *decoded)) FAIL("arrives as something else");
  return true;
}

template <class Message, class F>
void for_each_encoded(const std::vector<Message>& messages, F f) {
  for (const Message& message : messages) {
    CAPTURE(message.index());
    f(*encode(message), &message);
  }
}
template <class F>
void for_each_encoded(F f) {
  for_each_encoded(samples::to_agents(), f);
  for_each_encoded(samples::to_sessions(), f);
}

// -- walking a buffer, to spoil it in chosen places

std::uint32_t u32(const bytes& from, std::size_t at) {
  return base::load_le<std::uint32_t>(&from[at]);
}
std::size_t root_of(const bytes& encoded) { return header_bytes + u32(encoded, header_bytes); }
std::size_t vtable_of(const bytes& encoded, std::size_t table) {
  return table - u32(encoded, table);
}
std::size_t place_of(const bytes& encoded, std::size_t table, std::size_t id) {
  return table + base::load_le<std::uint16_t>(&encoded[vtable_of(encoded, table) + 4 + 2 * id]);
}
std::size_t target_of(const bytes& encoded, std::size_t place) {
  return place + u32(encoded, place);
}

std::string fault_of_bytes(const bytes& encoded) {
  auto decoded = decode_to_agent(encoded);
  return decoded.has_value() ? "none" : std::string(decoded.error().message());
}
std::string fault_to_session(const bytes& encoded) {
  auto decoded = decode_to_session(encoded);
  return decoded.has_value() ? "none" : std::string(decoded.error().message());
}

TEST_CASE("a message that ends early is malformed wherever it ends") {
  for_each_encoded([](const bytes& encoded, auto* message) {
    using message_type = std::remove_const_t<std::remove_pointer_t<decltype(message)>>;
    for (std::size_t size = 0; size < encoded.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(is_message<message_type>(std::span(encoded).first(size)));
    }
    CHECK(is_message<message_type>(encoded));
  });
}

TEST_CASE("a message with any bit changed is an error or a message") {
  for_each_encoded([](bytes encoded, auto* message) {
    using message_type = std::remove_const_t<std::remove_pointer_t<decltype(message)>>;
    int accepted = 0, refused = 0;
    for (std::byte& changed : encoded) {
      for (int bit = 0; bit < 8; ++bit) {
        changed ^= std::byte{1} << bit;
        ++(is_message<message_type>(encoded) ? accepted : refused);
        changed ^= std::byte{1} << bit;
      }
    }
    CHECK(refused >= 48);  // at least the header without its kind, where no bit may change
  });
}

TEST_CASE("a message with an extreme number anywhere is an error or a message") {
  for_each_encoded([](const bytes& encoded, auto* message) {
    using message_type = std::remove_const_t<std::remove_pointer_t<decltype(message)>>;
    for (std::uint32_t number :
         {0u, 0x10000u, 0x7fffffffu, 0x80000000u, 0xfffffffcu, 0xffffffffu}) {
      for (std::size_t at = header_bytes; at + 4 <= encoded.size(); at += 2) {
        bytes changed = encoded;
        base::store_le(&changed[at], number);
        is_message<message_type>(changed);
      }
    }
  });
}

TEST_CASE("each message read as every other kind is an error or a message") {
  for_each_encoded([](bytes encoded, auto*) {
    for (int kind = 0; kind < 256; ++kind) {
      base::store_le(&encoded[4], static_cast<std::uint16_t>(kind));
      CAPTURE(kind);
      if (kind < 1 || kind > 23) CHECK_FALSE(is_message<to_agent>(encoded));
      else is_message<to_agent>(encoded);
      if (kind < 129 || kind > 146) CHECK_FALSE(is_message<to_session>(encoded));
      else is_message<to_session>(encoded);
    }
  });
}

TEST_CASE("what is no message at all is malformed") {
  const bytes good = *encode(to_agent(bye{}));
  bytes other_magic = good, no_version = good, flags = good;
  other_magic[0] = std::byte{'b'};
  no_version[3] = std::byte{0};
  flags[7] = std::byte{1};
  for (const bytes& bad : {bytes{}, bytes(7), bytes(8), bytes(100), other_magic, no_version, flags,
                           bytes(wire::limits::message_bytes_max + 1)})
    CHECK(decode_to_agent(bad).error() == errc::malformed);
}

TEST_CASE("a vector that promises more than there is takes no memory for it") {
  bytes encoded = *encode(to_agent(unpin{{samples::id(1)}}));
  const std::size_t list = target_of(encoded, place_of(encoded, root_of(encoded), 0));
  base::store_le(&encoded[list], std::uint32_t{2});
  CHECK(fault_of_bytes(encoded) == "message 'unpin', field 'objects': lies outside of the message");
  base::store_le(&encoded[list], std::uint32_t{0xffffffff});
  CHECK(fault_of_bytes(encoded) == "message 'unpin', field 'objects': is past its limit");
}

TEST_CASE("parts that are named twice are refused before they fill the memory") {
  here many;
  many.objects.assign(1000, {samples::id(1), {samples::blob(1000), {}}});
  bytes encoded = *encode(to_session(many));
  const std::size_t list = target_of(encoded, place_of(encoded, root_of(encoded), 1));
  const std::size_t first = target_of(encoded, list + 4);
  encoded.resize(first + 2000);  // the list and its first entry, which holds the value
  for (std::size_t i = 0; i < 1000; ++i)
    base::store_le(&encoded[list + 4 + 4 * i],
                   static_cast<std::uint32_t>(first - list - 4 - 4 * i));
  CHECK(fault_to_session(encoded).ends_with("is part of something else, too"));
}

TEST_CASE("a value has exactly one body") {
  // A `fulfil` whose value's table has room for an inline value and a range.
  auto with_bodies = [](std::uint16_t inline_place, std::uint16_t stored_place) {
    bytes made = *encode(to_agent(fulfil{{}, {bytes{}, {}}}));
    made.resize(header_bytes + 76);
    auto put16 = [&](std::size_t at, std::initializer_list<std::uint16_t> numbers) {
      for (std::uint16_t number : numbers)
        base::store_le(&made[header_bytes + at], number), at += 2;
    };
    auto put32 = [&](std::size_t at, std::uint32_t number) {
      base::store_le(&made[header_bytes + at], number);
    };
    std::fill(made.begin() + header_bytes, made.end(), std::byte{0});
    put32(0, 16);
    put16(4, {8, 8, 0, 4});
    put32(16, 12);
    put32(20, 20);
    put16(24, {10, 32, inline_place, stored_place, 0});
    put32(40, 16);
    put32(44, 28);  // 72: an empty vector
    return fault_of_bytes(made);
  };
  CHECK(with_bodies(4, 0) == "none");
  CHECK(with_bodies(0, 8) == "none");
  CHECK(with_bodies(4, 8) == "message 'fulfil', field 'made': has two bodies");
  CHECK(with_bodies(0, 0) == "message 'fulfil', field 'made': has no body");
  CHECK(with_bodies(3, 0) == "message 'fulfil', field 'inline_value': lies outside of its table");
  CHECK(with_bodies(29, 0) == "message 'fulfil', field 'inline_value': lies outside of its table");
  CHECK(with_bodies(0, 9) == "message 'fulfil', field 'stored': lies outside of its table");
}

TEST_CASE("a number that no choice has is malformed") {
  bytes encoded = *encode(to_agent(submit{}));
  const std::size_t call = target_of(encoded, place_of(encoded, root_of(encoded), 0));
  encoded[place_of(encoded, call, 2)] = std::byte{3};
  CHECK(fault_of_bytes(encoded) == "message 'submit', field 'kind': is no choice that there is");
  encoded = *encode(to_agent(cancel{}));
  encoded[place_of(encoded, root_of(encoded), 1)] = std::byte{2};
  CHECK(fault_of_bytes(encoded) == "message 'cancel', field 'force': is no choice that there is");
}

TEST_CASE("a run of a function that its trace does not name is malformed") {
  const trace good{0, {"f"}, {{1, 2, 0, 0}, {3, 4, 0, 0}}};
  bytes encoded = *encode(to_agent(bye{{good}}));
  const std::size_t traces = target_of(encoded, place_of(encoded, root_of(encoded), 0));
  const std::size_t first = target_of(encoded, traces + 4);
  const std::size_t runs = target_of(encoded, place_of(encoded, first, 2));
  base::store_le(&encoded[place_of(encoded, target_of(encoded, runs + 8), 2)], std::uint32_t{1});
  CHECK(fault_of_bytes(encoded) ==
        "message 'bye', field 'ran': a run of a function without a name");
  const trace names_only{0, {"f", "g", "h"}, {{}, {}}};
  CHECK(encode(to_agent(bye{{names_only}})).error() == errc::invalid_argument);
  CHECK(encode(to_agent(bye{{good, good}})).error() == errc::too_large);
}

TEST_CASE("a range that wraps around is malformed") {
  bytes encoded = *encode(to_agent(unlease{{1, 8, 8}}));
  base::store_le(&encoded[place_of(encoded, root_of(encoded), 0) + 8], ~std::uint64_t{0} - 6);
  CHECK(fault_of_bytes(encoded) == "message 'unlease', field 'where': a range that wraps around");
}

TEST_CASE("a text without its zero is malformed") {
  bytes encoded = *encode(to_agent(hello{0, 0, "abc", false}));
  REQUIRE(encoded.back() == std::byte{0});
  encoded.back() = std::byte{1};
  CHECK(fault_of_bytes(encoded) == "message 'hello', field 'program': is a text without its end");
}

TEST_CASE("a vtable lies within the message and has a size that can be") {
  // A `mapped` whose table ends where its vtable, the end of the message, begins.
  auto with_sizes = [](std::uint16_t vtable_bytes, std::uint16_t table_bytes) {
    bytes made = *encode(to_agent(mapped{}));
    made.resize(header_bytes + 12);
    base::store_le(&made[header_bytes], std::uint32_t{4});
    base::store_le(&made[header_bytes + 4], std::int32_t{-4});
    base::store_le(&made[header_bytes + 8], vtable_bytes);
    base::store_le(&made[header_bytes + 10], table_bytes);
    CHECK(is_message<to_agent>(made) == (vtable_bytes == 4 && table_bytes == 4));
    return fault_of_bytes(made);
  };
  CHECK(with_sizes(4, 4) == "none");
  for (std::uint16_t vtable_bytes : {0, 3, 5, 6, 100, 65535})
    CHECK(with_sizes(vtable_bytes, 4) == "message 'mapped': has a vtable of a wrong size");
  for (std::uint16_t table_bytes : {0, 3})
    CHECK(with_sizes(4, table_bytes) == "message 'mapped': has a wrong size");
  CHECK(with_sizes(4, 9) == "message 'mapped': lies outside of the message");
}

TEST_CASE("fields of a newer version are ignored") {
  // The vtable and table of `mapped` with a field more, which is behind our own.
  bytes encoded = *encode(to_agent(mapped{77}));
  bytes made(encoded.begin(), encoded.begin() + header_bytes);
  made.resize(header_bytes + 24);
  const std::size_t at = header_bytes;
  base::store_le(&made[at], std::uint32_t{12});
  base::store_le(&made[at + 4], std::uint16_t{8});
  base::store_le(&made[at + 6], std::uint16_t{12});
  base::store_le(&made[at + 8], std::uint16_t{4});
  base::store_le(&made[at + 10], std::uint16_t{8});
  base::store_le(&made[at + 12], std::int32_t{8});
  base::store_le(&made[at + 16], std::uint32_t{77});
  base::store_le(&made[at + 20], std::uint32_t{0xffffffff});
  auto decoded = decode_to_agent(made);
  REQUIRE(decoded.has_value());
  CHECK(std::get<mapped>(*decoded).segment == 77);
}
}  // namespace
