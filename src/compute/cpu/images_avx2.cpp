// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/images_avx2.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

#include <cstring>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_AVX2 __attribute__((target("avx2")))

BEAMLET_AVX2 inline __m128i load_16_bytes(const void* from) noexcept {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

BEAMLET_AVX2 inline __m128i load_8_bytes(const void* from) noexcept {
  return _mm_loadl_epi64(static_cast<const __m128i*>(from));
}

// Two times eight bytes in each half: what four pixels' first ones point to.
BEAMLET_AVX2 inline __m256i load_four_pixels(const std::uint8_t* row,
                                             const std::int64_t* first) noexcept {
  const __m128i low =
      _mm_unpacklo_epi64(load_8_bytes(row + first[0]), load_8_bytes(row + first[1]));
  const __m128i high =
      _mm_unpacklo_epi64(load_8_bytes(row + first[2]), load_8_bytes(row + first[3]));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// Two of the four pixels: what `bytes` picks of each row's.
BEAMLET_AVX2 inline __m256i blend_two(const __m256i& above, const __m256i& below,
                                      const __m256i& bytes, const __m256i& down,
                                      const __m256i& weights) noexcept {
  const __m256i p = _mm256_slli_epi16(_mm256_shuffle_epi8(above, bytes), 7);
  const __m256i q = _mm256_slli_epi16(_mm256_shuffle_epi8(below, bytes), 7);
  const __m256i v = _mm256_add_epi16(p, _mm256_mulhrs_epi16(_mm256_sub_epi16(q, p), down));
  const __m256i half = _mm256_set1_epi32(1 << 20);
  return _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(v, weights), half), 21);
}

}  // namespace

BEAMLET_AVX2 std::int64_t blend_pixels_avx2(const image_blend& b, std::int64_t count) noexcept {
  // Bytes (first, next) of each channel as shorts, of the even pixels and of the odd ones.
  alignas(16) std::int8_t even_bytes[16], packed_bytes[16];
  std::memset(even_bytes, -1, sizeof even_bytes);
  std::memset(packed_bytes, -1, sizeof packed_bytes);
  const int channels = static_cast<int>(b.channels);
  for (int c = 0; c < channels; ++c) {
    even_bytes[4 * c] = static_cast<std::int8_t>(c);
    even_bytes[4 * c + 2] = static_cast<std::int8_t>(channels + c);
    packed_bytes[c] = static_cast<std::int8_t>(c);
    packed_bytes[channels + c] = static_cast<std::int8_t>(4 + c);
  }
  const __m256i even = _mm256_broadcastsi128_si256(load_16_bytes(even_bytes));
  const __m256i odd = _mm256_or_si256(even, _mm256_set1_epi16(8));
  const __m256i packed = _mm256_broadcastsi128_si256(load_16_bytes(packed_bytes));
  const __m256i even_weights = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
  const __m256i odd_weights = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
  const __m256i down = _mm256_set1_epi16(static_cast<short>(b.down));
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i above = load_four_pixels(b.above, b.first + i);
    const __m256i below = load_four_pixels(b.below, b.first + i);
    const __m256i weights = _mm256_broadcastsi128_si256(load_16_bytes(b.weight + i));
    const __m256i shorts = _mm256_packs_epi32(
        blend_two(above, below, even, down, _mm256_permutevar8x32_epi32(weights, even_weights)),
        blend_two(above, below, odd, down, _mm256_permutevar8x32_epi32(weights, odd_weights)));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(shorts, shorts), packed);
    std::uint8_t* to = b.to + i * b.channels;
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 2 * b.channels),
                     _mm256_extracti128_si256(bytes, 1));
  }
  return i;
}

BEAMLET_AVX2 std::int64_t add_rows_avx2(const std::uint8_t* const* rows,
                                        const std::uint16_t* weights, int row_count, bool is_first,
                                        std::int64_t elements, std::uint16_t* sums) noexcept {
  bool is_plain = true;
  for (int k = 0; k < row_count; ++k) is_plain = is_plain && weights[k] == 1;
  std::int64_t i = 0;
  for (; i + 16 <= elements; i += 16) {
    auto* at = reinterpret_cast<__m256i*>(sums + i);
    __m256i sum = is_first ? _mm256_setzero_si256() : _mm256_loadu_si256(at);
    for (int k = 0; k < row_count; ++k) {
      const __m256i x = _mm256_cvtepu8_epi16(load_16_bytes(rows[k] + i));
      const __m256i w = _mm256_set1_epi16(static_cast<short>(weights[k]));
      sum = _mm256_add_epi16(sum, is_plain ? x : _mm256_mullo_epi16(x, w));
    }
    _mm256_storeu_si256(at, sum);
  }
  return i;
}

BEAMLET_AVX2 void mean_pixels_avx2(const image_means& m, std::int64_t first, std::int64_t end,
                                   std::uint8_t* to) noexcept {
  // As doubles in resize_area.cpp: fewer than 24 bits are enough here.
  const __m128 factor = _mm_set1_ps(1.0f / static_cast<float>(m.divisor));
  const __m128i half = _mm_set1_epi32(static_cast<int>(m.divisor / 2));
  const __m128 more = _mm_set1_ps(0.5f);
  const std::uint16_t* sums = m.sums + first * m.in / m.out * m.channels;
  std::int64_t have = m.out - first * m.in % m.out;  // units left of the source pixel
  for (std::int64_t i = first; i < end; ++i, to += m.channels) {
    __m128i sum = half;
    if (m.out == 1) {
      for (std::int64_t k = 0; k < m.in; ++k, sums += m.channels)
        sum = _mm_add_epi32(sum, _mm_cvtepu16_epi32(load_8_bytes(sums)));
    } else {
      for (std::int64_t need = m.in; need > 0;) {
        const std::int64_t take = have < need ? have : need;
        const __m128i x = _mm_cvtepu16_epi32(load_8_bytes(sums));
        sum = _mm_add_epi32(sum, _mm_mullo_epi32(x, _mm_set1_epi32(static_cast<int>(take))));
        need -= take;
        have -= take;
        if (have != 0) continue;
        have = m.out;
        sums += m.channels;
      }
    }
    const __m128 mean = _mm_mul_ps(_mm_add_ps(_mm_cvtepi32_ps(sum), more), factor);
    const __m128i shorts = _mm_packus_epi32(_mm_cvttps_epi32(mean), _mm_setzero_si128());
    const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(shorts, shorts));
    std::memcpy(to, &bytes, sizeof bytes);
  }
}

#undef BEAMLET_AVX2

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
