// SPDX-License-Identifier: Apache-2.0
#include "store/crc32c.hpp"

#include <array>

#include "beamlet/base/bytes.hpp"
#include "ports/processor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

namespace {
// Slicing by eight (M. Kounavis, F. Berry, 2005): crc_tables[k][b] is the checksum of byte b
// followed by k zero bytes.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b)
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff];
  return tables;
}();

std::uint32_t add_byte(std::uint32_t crc, std::byte next) noexcept {
  return (crc >> 8) ^ crc_tables[0][(crc ^ static_cast<std::uint32_t>(next)) & 0xff];
}
}  // namespace

std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  std::uint32_t crc = ~seed;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = base::load_le<std::uint64_t>(at) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= crc_tables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; left > 0; --left, ++at) crc = add_byte(crc, *at);
  return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  const std::size_t words = bytes.size() / 8;
  std::uint32_t crc = ~seed;
  if (!ports::crc32c_words(crc, bytes.data(), words)) return crc32c_by_tables(bytes, seed);
  for (std::byte last : bytes.subspan(words * 8)) crc = add_byte(crc, last);
  return ~crc;
}

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
