// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions of N floats at a time, without branches and calls. Within a few units in the last
// place, unless a function says otherwise.

#include <cstdint>
#include <limits>

#include "beamlet/config.hpp"
#include "compute/cpu/vectors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {
namespace vectored {

template <int N>
BEAMLET_IN_LOOPS floats<N> power_of_two(const ints<N>& n) {
  return floats_of_bits((n + 127) << 23);
}

template <int N>
BEAMLET_IN_LOOPS floats<N> absolute(const floats<N>& x) {
  return floats_of_bits(bits_of(x) & 0x7fffffff);
}
/// `x` with the sign of `of`.   REQUIRES: x is not negative.
template <int N>
BEAMLET_IN_LOOPS floats<N> with_sign(const floats<N>& x, const floats<N>& of) {
  return floats_of_bits(bits_of(x) | (bits_of(of) & std::numeric_limits<std::int32_t>::min()));
}

/// The second where neither is less, or one is NaN: as the instructions of x86 do it.
template <int N>
BEAMLET_IN_LOOPS floats<N> smaller(const floats<N>& a, const floats<N>& b) {
  return select(a < b, a, b);
}
template <int N>
BEAMLET_IN_LOOPS floats<N> larger(const floats<N>& a, const floats<N>& b) {
  return select(a > b, a, b);
}

/// Newton's method for 1 / sqrt(x), from the well known guess: vectors have no name for the
/// processor's own instruction.
template <int N>
BEAMLET_IN_LOOPS floats<N> square_root(const floats<N>& x) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  const ints<N> is_subnormal = x < 1.17549435e-38f;
  const floats<N> v = select(is_subnormal, x * 16777216.0f, x), half = v * 0.5f;
  floats<N> y = floats_of_bits(ints<N>(0x5f375a86) - (bits_of(v) >> 1));
  for (int i = 0; i < 2; ++i) y = y * (1.5f - half * y * y);
  const floats<N> root = v * y, scaled = root - (root * root - v) * y * 0.5f;
  const floats<N> better = select(is_subnormal, scaled * (1.0f / 4096), scaled);
  const floats<N> at_ends = select<float, N>(x < 0.0f, not_a_number, x);
  return select<float, N>((x > 0.0f) & (x < infinity), better, at_ends);
}

/// Cephes' expf: x = n log 2 + r, and a polynomial of r. `power` becomes n.
template <int N>
BEAMLET_IN_LOOPS floats<N> exp_of_rest(const floats<N>& x, ints<N>& power) {
  const floats<N> round = 12582912.0f;  // 1.5 * 2^23: the sum's lower bits are the integer
  const floats<N> shifted = x * 1.44269504f + round, n = shifted - round;
  const floats<N> r = x - n * 0.693359375f - n * -2.12194440e-4f;
  floats<N> y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  power = bits_of(shifted) - bits_of(round);
  return y * r * r + r + 1.0f;
}
/// 2^n in two factors, for results that are subnormal or infinite.
template <int N>
BEAMLET_IN_LOOPS floats<N> exp(const floats<N>& x) {
  ints<N> power;
  const floats<N> in_range = smaller<N>(89.0f, larger<N>(-104.0f, x));  // NaN stays
  const floats<N> y = exp_of_rest(in_range, power);
  const ints<N> half = power >> 1;
  return y * power_of_two(half) * power_of_two(power - half);
}
/// REQUIRES: x <= 0, or NaN. 0 where the result would be subnormal: there the factor 2^-127 is 0.
template <int N>
BEAMLET_IN_LOOPS floats<N> exp_up_to_1(const floats<N>& x) {
  ints<N> power;
  const floats<N> in_range = larger<N>(-88.03f, x);
  const floats<N> y = exp_of_rest(in_range, power);
  return y * power_of_two(power);
}

/// Cephes' logf.
template <int N>
BEAMLET_IN_LOOPS floats<N> log(const floats<N>& x) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  const ints<N> is_subnormal = x < 1.17549435e-38f;
  const ints<N> bits = bits_of(select(is_subnormal, x * 8388608.0f, x));
  // The mantissa between sqrt(1/2) and sqrt(2).
  const ints<N> shifted = bits - 0x3f3504f3;
  const floats<N> m = floats_of_bits((shifted & 0x7fffff) + 0x3f3504f3) - 1.0f;
  const floats<N> n = as_floats((shifted >> 23) - (is_subnormal & 23));
  const floats<N> z = m * m;
  floats<N> y = 7.0376836292e-2f;
  y = y * m - 1.1514610310e-1f;
  y = y * m + 1.1676998740e-1f;
  y = y * m - 1.2420140846e-1f;
  y = y * m + 1.4249322787e-1f;
  y = y * m - 1.6668057665e-1f;
  y = y * m + 2.0000714765e-1f;
  y = y * m - 2.4999993993e-1f;
  y = y * m + 3.3333331174e-1f;
  y = y * m * z + n * -2.12194440e-4f - 0.5f * z;
  const floats<N> finite = m + y + n * 0.693359375f;
  const floats<N> positive = select<float, N>(x < infinity, finite, x);  // infinity, NaN
  const floats<N> at_ends = select<float, N>(x == 0.0f, -infinity, not_a_number);
  return select<float, N>((x > 0.0f) | is_nan(x), positive, at_ends);
}

/// x P(x^2) / Q(x^2), both fitted for the least relative error: one division, and no exp. Where x
/// is cut off the quotient is larger than 1, so that what follows is exactly 1.
template <int N>
BEAMLET_IN_LOOPS floats<N> tanh(const floats<N>& x) {
  const floats<N> size = smaller<N>(9.8f, absolute(x)), s = size * size;
  floats<N> p = 1.331981209e-8f;
  p = p * s + 2.058411569e-5f;
  p = p * s + 3.494078149e-3f;
  p = p * s + 1.337975669e-1f;
  p = p * s + 1.0f;
  floats<N> q = 7.762351027e-7f;
  q = q * s + 3.283160411e-4f;
  q = q * s + 2.587124507e-2f;
  q = q * s + 4.671307213e-1f;
  q = q * s + 1.0f;
  return with_sign(smaller<N>(1.0f, size * p / q), x);
}

/// As tanh.
template <int N>
BEAMLET_IN_LOOPS floats<N> erf(const floats<N>& x) {
  const floats<N> size = smaller<N>(4.1f, absolute(x)), s = size * size;
  floats<N> p = 2.116924031e-6f;
  p = p * s + 2.858043207e-4f;
  p = p * s + 3.660824288e-3f;
  p = p * s + 5.244162873e-2f;
  p = p * s + 1.875376475e-1f;
  p = p * s + 1.128379152f;
  floats<N> q = 3.882737846e-5f;
  q = q * s + 1.14308744e-3f;
  q = q * s + 1.475864921e-2f;
  q = q * s + 1.129887555e-1f;
  q = q * s + 4.995338091e-1f;
  q = q * s + 1.0f;
  return with_sign(smaller<N>(1.0f, size * p / q), x);
}

/// Up to this size sin and cos are within 2.3 units in the last place; past it they mean nothing.
inline constexpr float turns_size_max = 12864;

/// The sine of a size, plus a quarter of a turn `of_cosine`: size = h pi + r, h whole (of_cosine:
/// and a half), and a polynomial of r, fitted for the least relative error. h has 13 bits and the
/// parts of pi 11, but for the last: their products are exact, with and without fused multiply-add.
template <bool of_cosine, int N>
BEAMLET_IN_LOOPS floats<N> sine_of_turns(const floats<N>& size, ints<N>& half_turns) {
  const floats<N> round = 12582912.0f;  // as in exp_of_rest
  floats<N> turns = size * 0.318309886f;
  if constexpr (of_cosine) turns = turns + 0.5f;
  const floats<N> shifted = turns + round;
  floats<N> h = shifted - round;
  if constexpr (of_cosine) h = h - 0.5f;
  half_turns = bits_of(shifted);
  const floats<N> near = size - h * 3.140625f - h * 9.67502594e-4f;
  const floats<N> r = near - h * 1.50990672e-7f - h * 5.12668813e-12f, s = r * r;
  floats<N> y = 2.605551451e-6f;
  y = y * s - 1.980950487e-4f;
  y = y * s + 8.333064994e-3f;
  y = y * s - 1.666665951e-1f;
  return y * (s * r) + r;
}
/// REQUIRES: |x| <= turns_size_max, or NaN.
template <int N>
BEAMLET_IN_LOOPS floats<N> sin(const floats<N>& x) {
  ints<N> half_turns;
  const floats<N> y = sine_of_turns<false>(absolute(x), half_turns);
  return floats_of_bits(bits_of(y) ^ (half_turns << 31) ^
                        (bits_of(x) & std::numeric_limits<std::int32_t>::min()));
}
/// As sin. Exactly 1 next to 0, where x has digits that r has not.
template <int N>
BEAMLET_IN_LOOPS floats<N> cos(const floats<N>& x) {
  ints<N> half_turns;
  const floats<N> size = absolute(x), y = sine_of_turns<true>(size, half_turns);
  return select<float, N>(size < 2.44140625e-4f, 1.0f,
                          floats_of_bits(bits_of(y) ^ (half_turns << 31)));
}

/// Halves to the even number, and numbers too large to have a fraction as they are.
template <int N>
BEAMLET_IN_LOOPS floats<N> round(const floats<N>& x) {
  const floats<N> size = absolute(x);
  const floats<N> whole = (size + 8388608.0f) - 8388608.0f;
  return select(size < 8388608.0f, with_sign(whole, x), x);
}

template <int N>
BEAMLET_IN_LOOPS floats<N> floor(const floats<N>& x) {
  const floats<N> whole = round(x);
  return select<float, N>(whole > x, whole - 1.0f, whole);
}

template <int N>
BEAMLET_IN_LOOPS floats<N> ceil(const floats<N>& x) {
  const floats<N> whole = round(x);
  return with_sign(absolute(select<float, N>(whole < x, whole + 1.0f, whole)), x);
}

}  // namespace vectored
}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
