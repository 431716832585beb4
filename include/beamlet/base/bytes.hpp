// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes: numbers in little-endian order at any address, and hexadecimal text.

#include <beamlet/config.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// The unsigned integer of `Bytes` bytes.
template <std::size_t Bytes>
using unsigned_of = std::conditional_t<
    Bytes == 1, std::uint8_t,
    std::conditional_t<Bytes == 2, std::uint16_t,
                       std::conditional_t<Bytes == 4, std::uint32_t, std::uint64_t>>>;

namespace detail {
template <std::unsigned_integral U>
constexpr U swap_unless_little(U value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  U swapped = 0;
  for (std::size_t i = 0; i < sizeof(U); ++i, value = static_cast<U>(value >> 8))
    swapped = static_cast<U>((swapped << 8) | (value & 0xff));
  return swapped;
}
}  // namespace detail

/// Reads a number of 1, 2, 4 or 8 bytes from `from`, little-endian, at any alignment.
///
/// REQUIRES: sizeof(T) readable bytes.
template <class T>
requires std::is_arithmetic_v<T> T load_le(const void* from)
noexcept {
  unsigned_of<sizeof(T)> bits;
  std::memcpy(&bits, from, sizeof bits);
  return std::bit_cast<T>(detail::swap_unless_little(bits));
}

/// Writes a number to `to`, little-endian, at any alignment. REQUIRES: sizeof(T) writable bytes.
template <class T>
requires std::is_arithmetic_v<T>
void store_le(void* to, T value) noexcept {
  auto bits = detail::swap_unless_little(std::bit_cast<unsigned_of<sizeof(T)>>(value));
  std::memcpy(to, &bits, sizeof bits);
}

inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// REQUIRES: the bytes outlive the view.
inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Appends two lower-case digits for each byte.
void append_hex(std::string& out, std::span<const std::byte> bytes);

/// Fills `out` from exactly twice as many digits of either case. False, with `out` unspecified,
/// when the length differs or a character is no digit.
[[nodiscard]] bool parse_hex(std::string_view digits, std::span<std::byte> out) noexcept;

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
