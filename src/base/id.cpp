// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/id.hpp"

#include <array>

#include "beamlet/base/bytes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
// Big-endian, so that the text sorts as the ids do.
template <class T>
void put_id_field(std::byte*& at, T value) noexcept {
  for (std::size_t shift = sizeof(T); shift-- > 0;)
    *at++ = static_cast<std::byte>(value >> (8 * shift));
}

template <class T>
T take_id_field(const std::byte*& at) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>((value << 8) | std::to_integer<T>(*at++));
  return value;
}

constexpr std::size_t object_id_bytes = 32;
static_assert(sizeof(object_id) == object_id_bytes);
}  // namespace

std::string object_id::to_string() const {
  std::array<std::byte, object_id_bytes> bytes;
  std::byte* at = bytes.data();
  put_id_field(at, node);
  put_id_field(at, boot);
  put_id_field(at, session);
  put_id_field(at, sequence);
  put_id_field(at, guard);
  std::string text;
  base::append_hex(text, bytes);
  return text;
}

result<object_id> object_id::parse(std::string_view text) {
  std::array<std::byte, object_id_bytes> bytes;
  if (!base::parse_hex(text, bytes)) return error(errc::malformed, error_layer::base);
  const std::byte* at = bytes.data();
  object_id id;
  id.node = take_id_field<std::uint64_t>(at);
  id.boot = take_id_field<std::uint32_t>(at);
  id.session = take_id_field<std::uint32_t>(at);
  id.sequence = take_id_field<std::uint64_t>(at);
  id.guard = take_id_field<std::uint64_t>(at);
  return id;
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
