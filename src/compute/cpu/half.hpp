// SPDX-License-Identifier: Apache-2.0
#pragma once

// Half precision (IEEE 754 binary16) in memory, as bits.

#include <bit>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Exact. Without branches, so that loops over it become vectors.
inline float float_of_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t rest = (half & 0x7fffu) << 13;
  // As a float of an exponent too small by 112; the product with 2^112 makes it right, subnormal
  // halves included. Infinities and NaN get the exponent's upper bits back.
  const float scaled = std::bit_cast<float>(rest) * 0x1p112f;
  const std::uint32_t special = (half & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | special | sign);
}

/// To the nearest, halves to the even one; what is too large becomes an infinity.
inline std::uint16_t half_of_float(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  // Normal: the exponent less 112, and the mantissa's 13 lower bits rounded away. Subnormal: the
  // sum with 0.5 lets the addition of floats do the rounding.
  const std::uint32_t normal = magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u);
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const std::uint32_t finite = magnitude < 0x38800000u ? small : normal >> 13;
  const std::uint32_t large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  return static_cast<std::uint16_t>(sign | (magnitude < 0x477ff000u ? finite : large));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
