// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/color_vbmi.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_VBMI \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx2,fma")))

using vbmi_bytes = std::array<std::uint8_t, 64>;

BEAMLET_VBMI inline __m512i color_load_64(const std::uint8_t* from) noexcept {
  return _mm512_loadu_si512(from);
}
BEAMLET_VBMI inline __m512i color_load_64(const vbmi_bytes& from) noexcept {
  return _mm512_loadu_si512(from.data());
}
BEAMLET_VBMI inline void color_store_64(std::uint8_t* to, const __m512i& x) noexcept {
  _mm512_storeu_si512(to, x);
}
BEAMLET_VBMI inline __m512i color_shorts_64(std::int32_t value) noexcept {
  return _mm512_set1_epi16(static_cast<short>(value));
}

// g++ 12 says of the intrinsics without a mask that they read what nobody set.
BEAMLET_VBMI inline __m512i color_shuffle_64(const __m512i& from, const __m512i& x) noexcept {
  return _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, from, x);
}
typedef std::uint32_t color_uints __attribute__((vector_size(64)));

// Where the bytes of 64 pixels of three come from: of the first channel, of the second (+ 64: the
// second vector of a shuffle of two), and of the third, whose bits of `third` are set.
struct vbmi_threes {
  vbmi_bytes from[3];
  std::uint64_t third[3];
};
// `is_packed`: as _mm512_packus_epi16 leaves even pixels and odd ones.
constexpr vbmi_threes vbmi_threes_of(bool is_packed) {
  vbmi_threes made{};
  for (unsigned i = 0; i < 192; ++i) {
    const unsigned pixel = i / 3, channel = i % 3;
    const unsigned at = is_packed ? pixel / 16 * 16 + pixel % 16 / 2 + pixel % 2 * 8 : pixel;
    made.from[i / 64][i % 64] = static_cast<std::uint8_t>(at + (channel == 1 ? 64 : 0));
    if (channel == 2) made.third[i / 64] |= std::uint64_t{1} << i % 64;
  }
  return made;
}
constexpr vbmi_threes vbmi_in_order = vbmi_threes_of(false), vbmi_packed = vbmi_threes_of(true);

// Every second byte of 128.
constexpr vbmi_bytes vbmi_evens = [] {
  vbmi_bytes made{};
  for (unsigned i = 0; i < 64; ++i) made[i] = static_cast<std::uint8_t>(2 * i);
  return made;
}();

// 16 pixels, a byte of each integer without one; bytes of which it is the third one's as well: what
// is there is multiplied by 0.
constexpr vbmi_bytes vbmi_fours = [] {
  vbmi_bytes made{};
  for (unsigned i = 0; i < 64; ++i)
    made[i] = static_cast<std::uint8_t>(i / 4 * 3 + std::min(i % 4, 2u));
  return made;
}();
// Byte k of integer j is pixel 16 k + j.
constexpr vbmi_bytes vbmi_turned = [] {
  vbmi_bytes made{};
  for (unsigned i = 0; i < 64; ++i) made[i] = static_cast<std::uint8_t>(i % 16 * 4 + i / 16);
  return made;
}();

struct yuv_vectors_64 {
  __m512i black, luma, red_v, green_u, green_v, blue_u, half, sign, light, high;
  BEAMLET_VBMI explicit yuv_vectors_64(const yuv_factors& f) noexcept
      : black(color_shorts_64(f.luma_first * 128)),
        luma(color_shorts_64(f.luma)),
        red_v(color_shorts_64(f.red_v)),
        green_u(color_shorts_64(f.green_u)),
        green_v(color_shorts_64(f.green_v)),
        blue_u(color_shorts_64(f.blue_u)),
        half(color_shorts_64(32)),
        sign(color_shorts_64(-32768)),
        light(color_shorts_64(0x7f80)),
        high(color_shorts_64(0xff00)) {}

  // Of pixels' luma times 128 what all colours have in common.
  BEAMLET_VBMI __m512i shifted(const __m512i& y) const noexcept {
    const __m512i above = _mm512_sub_epi16(_mm512_and_si512(y, light), black);
    return _mm512_adds_epi16(_mm512_mulhrs_epi16(above, luma), half);
  }
  BEAMLET_VBMI static __m512i bytes(const __m512i& even, const __m512i& odd) noexcept {
    return _mm512_packus_epi16(_mm512_srai_epi16(even, 6), _mm512_srai_epi16(odd, 6));
  }
  /// Even pixels and odd ones share their differences, so these are multiplied once. Sums that 16
  /// bits do not hold are white either way.
  BEAMLET_VBMI void convert(const __m512i& y, const __m512i& uv, __m512i& red, __m512i& green,
                            __m512i& blue) const noexcept {
    const __m512i even = shifted(_mm512_slli_epi16(y, 7)), odd = shifted(_mm512_srli_epi16(y, 1));
    const __m512i u = _mm512_xor_si512(_mm512_slli_epi16(uv, 8), sign);
    const __m512i v = _mm512_ternarylogic_epi32(uv, high, sign, 0x6a);  // (uv & high) ^ sign
    const __m512i more_red = _mm512_mulhrs_epi16(v, red_v),
                  more_blue = _mm512_mulhrs_epi16(u, blue_u),
                  less_green = _mm512_add_epi16(_mm512_mulhrs_epi16(u, green_u),
                                                _mm512_mulhrs_epi16(v, green_v));
    red = bytes(_mm512_adds_epi16(even, more_red), _mm512_adds_epi16(odd, more_red));
    green = bytes(_mm512_subs_epi16(even, less_green), _mm512_subs_epi16(odd, less_green));
    blue = bytes(_mm512_adds_epi16(even, more_blue), _mm512_adds_epi16(odd, more_blue));
  }
};

// The last vector of a row begins where 64 pixels are left, at an even one: it makes some pixels a
// second time.
constexpr std::int64_t vbmi_last_of(std::int64_t width) { return (width - 64) & -2; }

// Sums of bytes times factors of 2^15 and less, which are 256 times a signed byte and another one.
struct gray_vectors_64 {
  __m512i high, low, half;
  BEAMLET_VBMI explicit gray_vectors_64(const std::int32_t (&factors)[3]) noexcept
      : half(_mm512_set1_epi32(16384 / 256)) {
    std::uint32_t high_bytes = 0, low_bytes = 0;
    for (int k = 0; k < 3; ++k) {
      const std::int32_t upper = (factors[k] + 128) >> 8;
      high_bytes |= static_cast<std::uint32_t>(upper & 0xff) << 8 * k;
      low_bytes |= static_cast<std::uint32_t>((factors[k] - upper * 256) & 0xff) << 8 * k;
    }
    high = _mm512_set1_epi32(static_cast<int>(high_bytes));
    low = _mm512_set1_epi32(static_cast<int>(low_bytes));
  }
  BEAMLET_VBMI color_uints sums(const std::uint8_t* from, const __m512i& order) const noexcept {
    const __m512i x = color_shuffle_64(order, color_load_64(from));
    const auto upper = (color_uints)_mm512_dpbusd_epi32(half, x, high);
    return (color_uints)_mm512_dpbusd_epi32((__m512i)(upper << 8), x, low);
  }
};

BEAMLET_VBMI std::int64_t color_row_to_gray_vbmi(const cpu_convert_color& how,
                                                 const std::uint8_t* in,
                                                 std::uint8_t* out) noexcept {
  const std::int32_t first = how.is_bgr != 0 ? how.gray.blue : how.gray.red;
  const gray_vectors_64 all({first, how.gray.green, 32768 - first - how.gray.green});
  const __m512i fours = color_load_64(vbmi_fours),
                // The last 48 bytes are loaded with those before.
      fours_behind = _mm512_add_epi8(fours, _mm512_set1_epi8(16)),
                turned = color_load_64(vbmi_turned);
  const std::int64_t last = vbmi_last_of(how.width);
  for (std::int64_t i = 0;; i = std::min(i + 64, last)) {
    const std::uint8_t* from = in + 3 * i;
    // Bits 15 to 22 of each, as bytes 0 to 3 of the result: 0xd8 takes the second's where the
    // third has a bit, else the first's.
    const auto a = (__m512i)(all.sums(from, fours) >> 15),
               b = (__m512i)(all.sums(from + 48, fours) >> 7),
               c = (__m512i)(all.sums(from + 96, fours) << 1),
               d = (__m512i)(all.sums(from + 128, fours_behind) << 9);
    const __m512i ab = _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi32(0xff00), 0xd8),
                  cd = _mm512_ternarylogic_epi32(c, d, _mm512_set1_epi32(-0x1000000), 0xd8);
    const __m512i bytes = _mm512_ternarylogic_epi32(ab, cd, _mm512_set1_epi32(-0x10000), 0xd8);
    color_store_64(out + i, color_shuffle_64(turned, bytes));
    if (i == last) return last + 64;
  }
}

}  // namespace

BEAMLET_VBMI std::int64_t color_row_yuv_vbmi(const cpu_convert_color& how,
                                             const yuv_row& row) noexcept {
  if (row.width < 64) return 0;
  const yuv_vectors_64 convert(how.yuv);
  const __m512i evens = color_load_64(vbmi_evens);
  const __m512i odds = _mm512_or_si512(evens, _mm512_set1_epi8(1));
  const __m512i from[3] = {color_load_64(vbmi_packed.from[0]), color_load_64(vbmi_packed.from[1]),
                           color_load_64(vbmi_packed.from[2])};
  const std::int64_t last = vbmi_last_of(row.width);
  const bool is_nv12 = how.what == color_change::nv12, is_bgr = how.is_bgr != 0;
  for (std::int64_t i = 0;; i = std::min(i + 64, last)) {
    __m512i y, uv;
    if (is_nv12) {
      y = color_load_64(row.y + i);
      uv = color_load_64(row.uv + i);
    } else {
      const __m512i a = color_load_64(row.y + 2 * i), b = color_load_64(row.y + 2 * i + 64);
      y = _mm512_permutex2var_epi8(a, evens, b);
      uv = _mm512_permutex2var_epi8(a, odds, b);
    }
    __m512i red, green, blue;
    convert.convert(y, uv, red, green, blue);
    if (is_bgr) std::swap(red, blue);
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      const __m512i two = _mm512_permutex2var_epi8(red, from[k], green);
      color_store_64(row.to + 3 * i + 64 * k,
                     _mm512_mask_permutexvar_epi8(two, vbmi_packed.third[k], from[k], blue));
    }
    if (i == last) return last + 64;
  }
}

BEAMLET_VBMI std::int64_t color_row_gray_vbmi(const cpu_convert_color& how, const std::uint8_t* in,
                                              std::uint8_t* out) noexcept {
  if (how.width < 64) return 0;
  if (how.what == color_change::to_gray) return color_row_to_gray_vbmi(how, in, out);
  const std::int64_t last = vbmi_last_of(how.width);
  const __m512i from[3] = {color_load_64(vbmi_in_order.from[0]),
                           color_load_64(vbmi_in_order.from[1]),
                           color_load_64(vbmi_in_order.from[2])};
  for (std::int64_t i = 0;; i = std::min(i + 64, last)) {
    const __m512i x = color_load_64(in + i);
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) color_store_64(out + 3 * i + 64 * k, color_shuffle_64(from[k], x));
    if (i == last) return last + 64;
  }
}

#undef BEAMLET_VBMI

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
