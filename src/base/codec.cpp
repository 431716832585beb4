// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/codec.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
// The reader's own bound: a peer that sends more than a writer would is not believed.
std::string decode_error_text(reader& in) {
  std::size_t size = in.count();
  if (size > limits::error_text_bytes_max) in.fail();
  return std::string(base::text_of(in.bytes(in.ok() ? size : 0)));
}
}  // namespace

void writer::bytes(std::span<const std::byte> source) {
  if (!reserve(source.size())) return;
  out_.insert(out_.end(), source.begin(), source.end());
}

void codec<error>::encode(writer& out, const error& e) {
  detail::encode_value(out, e.code());
  detail::encode_value(out, e.layer());
  out.number(e.system());
  const error_detail* texts = e.detail();
  out.number(std::uint8_t{texts != nullptr});
  if (texts == nullptr) return;
  for (const std::string* text : {&texts->message, &texts->type, &texts->function, &texts->cause})
    detail::encode_value(out, *text);
}

result<error> codec<error>::decode(reader& in) {
  auto code = static_cast<errc>(in.number<std::uint16_t>());
  auto layer = static_cast<error_layer>(in.number<std::uint16_t>());
  auto system = in.number<std::int32_t>();
  auto has_detail = detail::decode_value<bool>(in);
  if (!in.ok() || !*has_detail) return result<error>(std::in_place, code, layer, system);
  error_detail texts;
  for (std::string* text : {&texts.message, &texts.type, &texts.function, &texts.cause})
    *text = decode_error_text(in);
  return result<error>(std::in_place, code, layer, std::move(texts), system);
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
