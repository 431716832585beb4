// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/color_avx2.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_AVX2 __attribute__((target("avx2")))

constexpr char color_none = -1;  // a byte of a shuffle that becomes 0

BEAMLET_AVX2 inline __m128i color_load(const std::uint8_t* from) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
BEAMLET_AVX2 inline void color_store(std::uint8_t* to, const __m128i& x) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
}

// 16 pixels: three vectors of shorts, each half of which has 8 pixels, as bytes in turn.
struct three_interleaved {
  __m256i first, rest_first, last, rest_last;
  BEAMLET_AVX2 three_interleaved() noexcept
      : first(_mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, color_none, 1, 9, color_none, 2, 10,
                                                        color_none, 3, 11, color_none, 4, 12,
                                                        color_none, 5))),
        rest_first(_mm256_broadcastsi128_si256(_mm_setr_epi8(
            13, color_none, 6, 14, color_none, 7, 15, color_none, color_none, color_none,
            color_none, color_none, color_none, color_none, color_none, color_none))),
        last(_mm256_broadcastsi128_si256(_mm_setr_epi8(
            color_none, color_none, 0, color_none, color_none, 1, color_none, color_none, 2,
            color_none, color_none, 3, color_none, color_none, 4, color_none))),
        rest_last(_mm256_broadcastsi128_si256(_mm_setr_epi8(
            color_none, 5, color_none, color_none, 6, color_none, color_none, 7, color_none,
            color_none, color_none, color_none, color_none, color_none, color_none, color_none))) {}
  BEAMLET_AVX2 void store(const __m256i& a, const __m256i& b, const __m256i& c,
                          std::uint8_t* to) const noexcept {
    const __m256i two = _mm256_packus_epi16(a, b), one = _mm256_packus_epi16(c, c);
    const __m256i begin =
        _mm256_or_si256(_mm256_shuffle_epi8(two, first), _mm256_shuffle_epi8(one, last));
    const __m256i end =
        _mm256_or_si256(_mm256_shuffle_epi8(two, rest_first), _mm256_shuffle_epi8(one, rest_last));
    color_store(to, _mm256_castsi256_si128(begin));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 16), _mm256_castsi256_si128(end));
    color_store(to + 24, _mm256_extracti128_si256(begin, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 40), _mm256_extracti128_si256(end, 1));
  }
};

BEAMLET_AVX2 inline __m256i color_shorts(std::int32_t value) noexcept {
  return _mm256_set1_epi16(static_cast<short>(value));
}

struct yuv_vectors {
  __m256i black, luma, red_v, green_u, green_v, blue_u, half;
  BEAMLET_AVX2 explicit yuv_vectors(const yuv_factors& f) noexcept
      : black(color_shorts(f.luma_first)),
        luma(color_shorts(f.luma)),
        red_v(color_shorts(f.red_v)),
        green_u(color_shorts(f.green_u)),
        green_v(color_shorts(f.green_v)),
        blue_u(color_shorts(f.blue_u)),
        half(color_shorts(32)) {}
  /// `u` and `v` in the upper bytes, less 128. Sums that 16 bits do not hold are white either way.
  BEAMLET_AVX2 void convert(const __m256i& y, const __m256i& u, const __m256i& v, __m256i& red,
                            __m256i& green, __m256i& blue) const noexcept {
    const __m256i light =
        _mm256_mulhrs_epi16(_mm256_slli_epi16(_mm256_sub_epi16(y, black), 7), luma);
    const __m256i shifted = _mm256_adds_epi16(light, half);
    red = _mm256_srai_epi16(_mm256_adds_epi16(shifted, _mm256_mulhrs_epi16(v, red_v)), 6);
    blue = _mm256_srai_epi16(_mm256_adds_epi16(shifted, _mm256_mulhrs_epi16(u, blue_u)), 6);
    const __m256i less =
        _mm256_add_epi16(_mm256_mulhrs_epi16(u, green_u), _mm256_mulhrs_epi16(v, green_v));
    green = _mm256_srai_epi16(_mm256_subs_epi16(shifted, less), 6);
  }
};

// Every fifth pixel's beginning: 16 bytes are read and written, of which 15 are its own.
BEAMLET_AVX2 std::int64_t color_row_shuffled(const std::uint8_t* in, std::int64_t in_pixel,
                                             std::int64_t width, const __m128i& order,
                                             std::uint8_t* out) noexcept {
  std::int64_t i = 0;
  for (; 3 * i + 16 <= 3 * width && in_pixel * i + 16 <= in_pixel * width; i += 5)
    color_store(out + 3 * i, _mm_shuffle_epi8(color_load(in + in_pixel * i), order));
  return i;
}

BEAMLET_AVX2 inline __m256i pair_of_shorts(std::int32_t low, std::int32_t high) noexcept {
  return _mm256_set1_epi32(high * 65536 + low);
}

struct gray_vectors {
  __m256i first_bytes, third_bytes, first_two, third;
  // Four pixels from `at`, and four that come eight behind them, as integers.
  BEAMLET_AVX2 __m256i eight(const std::uint8_t* at) const noexcept {
    const __m256i x =
        _mm256_inserti128_si256(_mm256_castsi128_si256(color_load(at)), color_load(at + 24), 1);
    const __m256i sum =
        _mm256_add_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(x, first_bytes), first_two),
                         _mm256_madd_epi16(_mm256_shuffle_epi8(x, third_bytes), third));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(16384)), 15);
  }
};

BEAMLET_AVX2 std::int64_t color_row_to_gray(const cpu_convert_color& how, const std::uint8_t* in,
                                            std::uint8_t* out) noexcept {
  gray_vectors all;
  all.first_two = pair_of_shorts(how.is_bgr ? how.gray.blue : how.gray.red, how.gray.green);
  all.third = pair_of_shorts(how.is_bgr ? how.gray.red : how.gray.blue, 0);
  all.first_bytes = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, color_none, 1, color_none, 3, color_none, 4, color_none, 6, color_none, 7,
                    color_none, 9, color_none, 10, color_none));
  all.third_bytes = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(2, color_none, color_none, color_none, 5, color_none, color_none, color_none, 8,
                    color_none, color_none, color_none, 11, color_none, color_none, color_none));
  std::int64_t i = 0;
  for (; 3 * i + 52 <= 3 * how.width; i += 16) {
    const __m256i shorts = _mm256_packus_epi32(all.eight(in + 3 * i), all.eight(in + 3 * i + 12));
    const __m256i bytes = _mm256_packus_epi16(shorts, shorts);
    color_store(out + i, _mm256_castsi256_si128(_mm256_permute4x64_epi64(bytes, 8)));
  }
  return i;
}

}  // namespace

BEAMLET_AVX2 std::int64_t color_row_yuv_avx2(const cpu_convert_color& how,
                                             const yuv_row& row) noexcept {
  const yuv_vectors convert(how.yuv);
  const three_interleaved order;
  const __m256i sign = _mm256_set1_epi16(-32768);
  const __m256i low_bytes = _mm256_set1_epi16(0xff);
  const bool is_nv12 = how.what == color_change::nv12;
  // Where each pixel's differences are in 16 bytes, of which both halves have a copy or their own.
  const __m256i u_bytes =
      is_nv12 ? _mm256_setr_epi8(color_none, 0, color_none, 0, color_none, 2, color_none, 2,
                                 color_none, 4, color_none, 4, color_none, 6, color_none, 6,
                                 color_none, 8, color_none, 8, color_none, 10, color_none, 10,
                                 color_none, 12, color_none, 12, color_none, 14, color_none, 14)
              : _mm256_broadcastsi128_si256(
                    _mm_setr_epi8(color_none, 1, color_none, 1, color_none, 5, color_none, 5,
                                  color_none, 9, color_none, 9, color_none, 13, color_none, 13));
  const __m256i v_bytes =
      _mm256_add_epi8(u_bytes, _mm256_set1_epi16(static_cast<short>(is_nv12 ? 0x100 : 0x200)));
  std::int64_t i = 0;
  for (; i + 16 <= row.width; i += 16) {
    __m256i y, differences;
    if (is_nv12) {
      y = _mm256_cvtepu8_epi16(color_load(row.y + i));
      differences = _mm256_broadcastsi128_si256(color_load(row.uv + i));
    } else {
      differences = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.y + 2 * i));
      y = _mm256_and_si256(differences, low_bytes);
    }
    const __m256i u = _mm256_xor_si256(_mm256_shuffle_epi8(differences, u_bytes), sign);
    const __m256i v = _mm256_xor_si256(_mm256_shuffle_epi8(differences, v_bytes), sign);
    __m256i red, green, blue;
    convert.convert(y, u, v, red, green, blue);
    if (how.is_bgr != 0) order.store(blue, green, red, row.to + 3 * i);
    else order.store(red, green, blue, row.to + 3 * i);
  }
  return i;
}

BEAMLET_AVX2 std::int64_t color_row_plain_avx2(const cpu_convert_color& how, const std::uint8_t* in,
                                               std::uint8_t* out) noexcept {
  if (how.what == color_change::to_gray) return color_row_to_gray(how, in, out);
  if (how.what == color_change::from_gray)
    return color_row_shuffled(
        in, 1, how.width, _mm_setr_epi8(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, color_none),
        out);
  return color_row_shuffled(
      in, 3, how.width, _mm_setr_epi8(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, color_none),
      out);
}

#undef BEAMLET_AVX2

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
