// SPDX-License-Identifier: Apache-2.0
#include "wire/encoding.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <string>
#include <utility>
#include <variant>

#include "beamlet/base/bytes.hpp"
#include "beamlet/base/codec_core.hpp"
#include "wire/flat.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {
namespace {
// "BML", the version; kind of message (u16), 0 (u16). 8 bytes keep what follows aligned.
constexpr std::array<std::byte, 3> magic = {std::byte{'B'}, std::byte{'M'}, std::byte{'L'}};
constexpr std::size_t header_bytes = 8;

// What most messages fit into, so that they allocate once.
constexpr std::size_t usual_message_bytes = 512;

// A message's kind is its place in the variant, counted from here.
template <class Message>
constexpr std::uint16_t first_kind = std::same_as<Message, to_agent> ? 1 : 129;
static_assert(std::variant_size_v<to_agent> <= 128, "kinds of one direction end at the other's");

error message_error(errc code, std::string what) {
  return error(code, error_layer::wire,
               {.message = std::move(what), .type = {}, .function = {}, .cause = {}});
}

error fault_error(const flat_fault& fault, const table_layout& layout) {
  std::string what = "message '";
  what.append(layout.name, layout.name_bytes).append("'");
  if (*fault.field != '\0') what.append(", field '").append(fault.field).append("'");
  return message_error(fault.code, what.append(": ").append(fault.what));
}

// One kind of message, for code that knows it only by its number.
template <class Message>
struct alternative {
  const table_layout* layout;
  const void* (*get)(const Message&);
  result<Message> (*make)();
};
template <class Message, std::size_t... I>
constexpr std::array<alternative<Message>, sizeof...(I)> make_alternatives(
    std::index_sequence<I...>) {
  return {alternative<Message>{
      &layout_of<std::variant_alternative_t<I, Message>>,
      [](const Message& message) -> const void* { return std::get_if<I>(&message); },
      [] { return result<Message>(std::in_place, std::in_place_index<I>); }}...};
}
template <class Message>
constexpr auto alternatives =
    make_alternatives<Message>(std::make_index_sequence<std::variant_size_v<Message>>());

template <class Message>
result<bytes> encode_message(const Message& message) {
  return beamlet::detail::call_guarded([&]() -> result<bytes> {
    const alternative<Message>& what = alternatives<Message>[message.index()];
    bytes out;
    out.reserve(usual_message_bytes);
    out.assign(magic.begin(), magic.end());
    out.push_back(std::byte{format_version});
    out.resize(header_bytes);
    base::store_le(&out[4], static_cast<std::uint16_t>(first_kind<Message> + message.index()));
    const flat_fault fault = write_flat(out, what.get(message), *what.layout);
    if (fault.code != errc::ok) return fault_error(fault, *what.layout);
    if (out.size() > limits::message_bytes_max)
      return fault_error({errc::too_large, "", "past the limit of a message"}, *what.layout);
    return out;
  });
}

// The kind of message, of which the rest is the body.
result<std::uint16_t> decode_header(std::span<const std::byte> encoded) {
  if (encoded.size() > limits::message_bytes_max)
    return message_error(errc::malformed, "a message past its limit");
  if (encoded.size() < header_bytes || !std::equal(magic.begin(), magic.end(), encoded.begin()))
    return message_error(errc::malformed, "no message of Beamlet's");
  auto version = std::to_integer<unsigned>(encoded[3]);
  if (version > format_version)
    return message_error(errc::unsupported, "a message in format " + std::to_string(version) +
                                                ", this program knows " +
                                                std::to_string(format_version) +
                                                ": build both from one version");
  if (version != format_version || base::load_le<std::uint16_t>(&encoded[6]) != 0)
    return message_error(errc::malformed, "no message of Beamlet's");
  return base::load_le<std::uint16_t>(&encoded[4]);
}

template <class Message>
result<Message> decode_message(std::span<const std::byte> encoded) {
  return beamlet::detail::call_guarded([&]() -> result<Message> {
    auto kind = decode_header(encoded);
    if (!kind.has_value()) return std::move(kind).error();
    const std::size_t index = std::size_t{*kind} - first_kind<Message>;
    if (index >= alternatives<Message>.size())
      return message_error(errc::unsupported, "a message of unknown kind " + std::to_string(*kind) +
                                                  ": build both programs from one version");
    const alternative<Message>& what = alternatives<Message>[index];
    result<Message> message = what.make();
    const flat_fault fault = read_flat(encoded.subspan(header_bytes),
                                       const_cast<void*>(what.get(*message)), *what.layout);
    if (fault.code != errc::ok) return fault_error(fault, *what.layout);
    return message;
  });
}
}  // namespace

result<bytes> encode(const to_agent& message) { return encode_message(message); }
result<bytes> encode(const to_session& message) { return encode_message(message); }

result<to_agent> decode_to_agent(std::span<const std::byte> encoded) {
  return decode_message<to_agent>(encoded);
}
result<to_session> decode_to_session(std::span<const std::byte> encoded) {
  return decode_message<to_session>(encoded);
}

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
