// SPDX-License-Identifier: Apache-2.0
#pragma once

// Seeded random numbers: the same seed gives the same sequence on every machine. Not for secrets.

#include <bit>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// One step of splitmix64 (S. Vigna, https://prng.di.unimi.it/splitmix64.c, public domain): spreads
/// a seed.
constexpr std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  std::uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// xoshiro256** (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2021;
/// https://prng.di.unimi.it/xoshiro256starstar.c, public domain).
///
/// Thread: one at a time.
class rng {
 public:
  explicit constexpr rng(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = splitmix64(seed);
  }

  constexpr std::uint64_t next() noexcept {
    std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Uniform below `bound` but for a bias under bound / 2^32 (D. Lemire's multiplication, without
  /// its rejection step). REQUIRES: bound > 0.
  constexpr std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

 private:
  std::uint64_t state_[4];
};

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
