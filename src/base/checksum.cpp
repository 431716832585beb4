// SPDX-License-Identifier: Apache-2.0
// Slicing by four: M. Kounavis, F. Berry, "A Systematic Approach to Building High Performance
// Software-based CRC Generators", ISCC 2005. Four tables are 4 KiB, eight would not pay for their
// size here.
#include "beamlet/base/checksum.hpp"

#include <array>

#include "beamlet/base/bytes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {
namespace {
using crc_tables = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr crc_tables make_crc_tables() noexcept {
  constexpr std::uint32_t castagnoli_reflected = 0x82f63b78;
  crc_tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? castagnoli_reflected : 0);
    tables[0][i] = crc;
  }
  for (std::size_t i = 0; i < 256; ++i)
    for (std::size_t t = 1; t < tables.size(); ++t)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
  return tables;
}

constexpr crc_tables crc_table = make_crc_tables();
}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  for (; bytes.size() >= 4; bytes = bytes.subspan(4)) {
    crc ^= load_le<std::uint32_t>(bytes.data());
    crc = crc_table[3][crc & 0xff] ^ crc_table[2][(crc >> 8) & 0xff] ^
          crc_table[1][(crc >> 16) & 0xff] ^ crc_table[0][crc >> 24];
  }
  for (std::byte b : bytes)
    crc = (crc >> 8) ^ crc_table[0][(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff];
  return ~crc;
}

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
