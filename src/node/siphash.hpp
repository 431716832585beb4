// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// SipHash-2-4 of one word (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF",
/// 2012): who has some results cannot tell the next one, nor what one was made of.
inline std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::uint64_t word) {
  std::uint64_t a = key[0] ^ 0x736f6d6570736575u, b = key[1] ^ 0x646f72616e646f6du;
  std::uint64_t c = key[0] ^ 0x6c7967656e657261u, d = key[1] ^ 0x7465646279746573u;
  auto rounds = [&](int count) {
    while (count-- > 0) {
      a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
      c += d, d = std::rotl(d, 16) ^ c;
      a += d, d = std::rotl(d, 21) ^ a;
      c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
    }
  };
  for (std::uint64_t part : {word, std::uint64_t{8} << 56}) {
    d ^= part;
    rounds(2);
    a ^= part;
  }
  c ^= 0xff;
  rounds(4);
  return a ^ b ^ c ^ d;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
