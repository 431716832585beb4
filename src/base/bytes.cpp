// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/bytes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {
namespace {
int hex_digit_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}
}  // namespace

void append_hex(std::string& out, std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  out.reserve(out.size() + 2 * bytes.size());
  for (std::byte b : bytes) {
    out.push_back(digits[std::to_integer<unsigned>(b) >> 4]);
    out.push_back(digits[std::to_integer<unsigned>(b) & 15]);
  }
}

bool parse_hex(std::string_view digits, std::span<std::byte> out) noexcept {
  if (digits.size() % 2 != 0 || digits.size() / 2 != out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    int high = hex_digit_value(digits[2 * i]);
    int low = hex_digit_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
