// SPDX-License-Identifier: Apache-2.0
#include "wire/encoding.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "beamlet/base/bytes.hpp"
#include "tests/unit/wire/samples.hpp"
#include "wire/limits.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::wire;

result<to_agent> decode(std::span<const std::byte> encoded, const to_agent*) {
  return decode_to_agent(encoded);
}
result<to_session> decode(std::span<const std::byte> encoded, const to_session*) {
  return decode_to_session(encoded);
}

template <class Message>
void check_round_trip(const std::vector<Message>& messages) {
  std::set<std::size_t> kinds;
  for (const Message& message : messages) {
    CAPTURE(message.index());
    auto encoded = encode(message);
    REQUIRE(encoded.has_value());
    auto decoded = decode(*encoded, &message);
    REQUIRE(decoded.has_value());
    CHECK(samples::same(*decoded, message));
    kinds.insert(message.index());
  }
  CHECK(kinds.size() == std::variant_size_v<Message>);
}

std::uint16_t kind_of(const bytes& encoded) { return base::load_le<std::uint16_t>(&encoded[4]); }

errc code_of(const to_agent& message) {
  auto encoded = encode(message);
  return encoded.has_value() ? errc::ok : encoded.error().code();
}

submit a_call(std::size_t argument_count) {
  submit made;
  made.what.arguments.resize(argument_count);
  return made;
}

TEST_CASE("every message arrives with every field as it was sent") {
  check_round_trip(samples::to_agents());
  check_round_trip(samples::to_sessions());
}

TEST_CASE("a comparison of messages sees each field") {
  auto all = samples::to_agents();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < all.size(); ++j) CHECK(samples::same(all[i], all[j]) == (i == j));
  call changed = samples::whole_call();
  changed.options.calls_max ^= 1;
  CHECK_FALSE(samples::same(changed, samples::whole_call()));
}

TEST_CASE("a message is decoded at any alignment") {
  auto encoded = *encode(to_session(execute{samples::whole_call(), samples::objects()}));
  for (std::size_t shift = 0; shift < 16; ++shift) {
    auto moved = std::make_unique<std::byte[]>(encoded.size() + shift);
    std::memcpy(moved.get() + shift, encoded.data(), encoded.size());
    auto decoded = decode_to_session({moved.get() + shift, encoded.size()});
    REQUIRE(decoded.has_value());
    CHECK(samples::same(*decoded, to_session(execute{samples::whole_call(), samples::objects()})));
  }
}

TEST_CASE("ids lie at multiples of eight whatever is before them") {
  bytes image(8);
  base::store_le(image.data(), samples::id(1).node);
  for (std::size_t size = 0; size < 16; ++size) {
    CAPTURE(size);
    bytes encoded = *encode(to_agent(fulfil{{}, {bytes(size), {samples::id(1)}}}));
    auto found = std::search(encoded.begin(), encoded.end(), image.begin(), image.end());
    REQUIRE(found != encoded.end());
    CHECK((found - encoded.begin()) % 8 == 0);
  }
}

TEST_CASE("kinds keep their numbers") {
  CHECK(kind_of(*encode(to_agent(hello{}))) == 1);
  CHECK(kind_of(*encode(to_agent(submit{}))) == 9);
  CHECK(kind_of(*encode(to_agent(done{}))) == 13);
  CHECK(kind_of(*encode(to_agent(bye{}))) == 18);
  CHECK(kind_of(*encode(to_session(welcome{}))) == 129);
  CHECK(kind_of(*encode(to_session(execute{}))) == 137);
  CHECK(kind_of(*encode(to_session(drain{}))) == 142);
}

TEST_CASE("a newer version and an unknown kind are unsupported and say so") {
  bytes encoded = *encode(to_agent(samples::to_agents()[0]));
  bytes newer = encoded;
  newer[3] = std::byte{format_version + 1};
  auto decoded = decode_to_agent(newer);
  REQUIRE_FALSE(decoded.has_value());
  CHECK(decoded.error() == error(errc::unsupported, error_layer::wire));
  CHECK(decoded.error().message() ==
        "a message in format 2, this program knows 1: build both from one version");

  for (int kind : {0, 24, 128, 129, 147, 65535}) {
    CAPTURE(kind);
    base::store_le(&encoded[4], static_cast<std::uint16_t>(kind));
    decoded = decode_to_agent(encoded);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error() == error(errc::unsupported, error_layer::wire));
    CHECK(decoded.error().message() == "a message of unknown kind " + std::to_string(kind) +
                                           ": build both programs from one version");
  }
  bytes other_way = *encode(to_session(drain{}));
  CHECK(decode_to_agent(other_way).error() == errc::unsupported);
}

TEST_CASE("an error code of a newer version keeps its number") {
  auto sent = error(static_cast<errc>(65535), static_cast<error_layer>(65535), -2147483647 - 1);
  auto decoded = decode_to_session(*encode(to_session(sealed{samples::id(1), sent})));
  REQUIRE(decoded.has_value());
  CHECK(std::get<sealed>(*decoded).why == sent);
}

TEST_CASE("what is exactly at a limit passes and one more is too large") {
  auto named = [](std::size_t size) { return hello{0, 0, std::string(size, 'x'), false}; };
  auto listed = [](std::size_t size) { return unpin{std::vector<object_id>(size)}; };
  auto inlined = [](std::size_t size) { return fulfil{{}, {bytes(size), {}}}; };
  auto in_environment = [](std::size_t count, std::size_t size) {
    submit made;
    made.what.options.environment.assign(count, std::string(size, '='));
    return made;
  };
  const to_agent at_limit[] = {named(wire::limits::name_bytes_max),
                               listed(wire::limits::ids_max),
                               inlined(wire::limits::inline_bytes_max),
                               a_call(wire::limits::arguments_max),
                               in_environment(wire::limits::environment_max, 1),
                               in_environment(1, wire::limits::environment_bytes_max)};
  for (const to_agent& message : at_limit) {
    auto encoded = encode(message);
    REQUIRE(encoded.has_value());
    auto decoded = decode_to_agent(*encoded);
    REQUIRE(decoded.has_value());
    CHECK(samples::same(*decoded, message));
  }
  CHECK(code_of(named(wire::limits::name_bytes_max + 1)) == errc::too_large);
  CHECK(code_of(listed(wire::limits::ids_max + 1)) == errc::too_large);
  CHECK(code_of(inlined(wire::limits::inline_bytes_max + 1)) == errc::too_large);
  CHECK(code_of(a_call(wire::limits::arguments_max + 1)) == errc::too_large);
  CHECK(code_of(in_environment(wire::limits::environment_max + 1, 1)) == errc::too_large);
  CHECK(code_of(in_environment(1, wire::limits::environment_bytes_max + 1)) == errc::too_large);
}

TEST_CASE("a message past the limit of all its parts together is too large") {
  submit made = a_call(17);
  for (auto& argument : made.what.arguments)
    argument.inline_value.resize(wire::limits::inline_bytes_max);
  auto encoded = encode(to_agent(made));
  REQUIRE_FALSE(encoded.has_value());
  CHECK(encoded.error() == error(errc::too_large, error_layer::wire));
  made.what.arguments.resize(15);
  CHECK(encode(to_agent(made)).has_value());
}

TEST_CASE("an error names the message and the field") {
  auto encoded = encode(to_agent(a_call(wire::limits::arguments_max + 1)));
  CHECK(encoded.error().message() == "message 'submit', field 'arguments': past its limit");
}

TEST_CASE("a message that contradicts itself is not encoded") {
  submit by_ref_of_nothing = a_call(1), both = a_call(1), unnamed, negative, forever, no_kind;
  by_ref_of_nothing.what.arguments[0].by_ref = true;
  both.what.arguments[0] = {samples::id(1), false, samples::blob(1), {}};
  unnamed.what.options.needs = {{"", 1}};
  negative.what.options.needs = {{"cpu", -1}};
  forever.what.options.retries = -2;
  no_kind.what.kind = static_cast<call_kind>(3);
  for (const submit& message : {by_ref_of_nothing, both, unnamed, negative, forever, no_kind})
    CHECK(code_of(message) == errc::invalid_argument);
  CHECK(code_of(unlease{{1, ~std::uint64_t{0}, 1}}) == errc::invalid_argument);

  const value empty{bytes{}, {}};
  for (const sealed& message :
       {sealed{{}, {}, true, samples::stored_value()},
        sealed{{}, {}, true, samples::failed_value()},
        sealed{{}, {}, false, samples::inline_value()},
        sealed{{}, {}, false, {bytes{}, {samples::id(1)}}},
        sealed{{}, {}, false, samples::stored_value()}, sealed{{}, errc::cancelled, true, empty}}) {
    auto encoded = encode(to_session(message));
    REQUIRE_FALSE(encoded.has_value());
    CHECK(encoded.error() == errc::invalid_argument);
  }
}

TEST_CASE("texts of an error that are cut at their limit still arrive") {
  error long_one(errc::user_error, error_layer::user,
                 {.message = std::string(5000, 'm'), .type = {}, .function = {}, .cause = {}});
  auto decoded = decode_to_agent(*encode(to_agent(fulfil{samples::id(1), {long_one, {}}})));
  REQUIRE(decoded.has_value());
  CHECK(std::get<error>(std::get<fulfil>(*decoded).made.body).message() ==
        std::string(beamlet::limits::error_text_bytes_max, 'm'));
}
}  // namespace
