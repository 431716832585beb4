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

// The same where two pixels are in 16 bytes.
BEAMLET_AVX2 inline __m256i load_two_pairs(const std::uint8_t* row,
                                           const std::int64_t* first) noexcept {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_16_bytes(row + first[0])),
                                 load_16_bytes(row + first[2]), 1);
}

// Where bytes of four pixels of four each, (0, 1) and (2, 3), lie without those that they have not.
BEAMLET_AVX2 inline __m256i packed_bytes_of(int channels) noexcept {
  std::int8_t made[16];
  std::memset(made, -1, sizeof made);
  for (int c = 0; c < channels; ++c) {
    made[c] = static_cast<std::int8_t>(c);
    made[channels + c] = static_cast<std::int8_t>(4 + c);
  }
  return _mm256_broadcastsi128_si256(load_16_bytes(made));
}
// Integers of the even pixels and of the odd ones as bytes; 8 + 2 channels are written.
BEAMLET_AVX2 inline void store_four_pixels(const __m256i& even, const __m256i& odd,
                                           const __m256i& packed, std::int64_t channels,
                                           std::uint8_t* to) noexcept {
  const __m256i shorts = _mm256_packs_epi32(even, odd);
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(shorts, shorts), packed);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 2 * channels),
                   _mm256_extracti128_si256(bytes, 1));
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

namespace {

template <bool InPairs>
BEAMLET_AVX2 std::int64_t blend_pixels_of(const image_blend& b, std::int64_t count) noexcept {
  // Bytes (first, next) of each channel as shorts, of the even pixels and of the odd ones.
  alignas(16) std::int8_t even_bytes[16];
  std::memset(even_bytes, -1, sizeof even_bytes);
  const int channels = static_cast<int>(b.channels);
  for (int c = 0; c < channels; ++c) {
    even_bytes[std::ptrdiff_t{4} * c] = static_cast<std::int8_t>(c);
    even_bytes[std::ptrdiff_t{4} * c + 2] = static_cast<std::int8_t>(channels + c);
  }
  const __m256i even = _mm256_broadcastsi128_si256(load_16_bytes(even_bytes));
  __m256i odd = _mm256_or_si256(even, _mm256_set1_epi16(8));
  const __m256i packed = packed_bytes_of(channels);
  const __m256i even_weights = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
  const __m256i odd_weights = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
  const __m256i down = _mm256_set1_epi16(static_cast<short>(b.down));
  // Not by way of `b`, which a store of bytes may change as far as the compiler knows.
  const std::uint8_t *above_row = b.above, *below_row = b.below;
  const std::int64_t* first = b.first;
  const std::uint32_t* weight = b.weight;
  const std::int8_t* odd_bytes = b.odd_bytes;
  std::uint8_t* to = b.to;
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4, to += std::ptrdiff_t{4} * channels) {
    __m256i above, below;
    if constexpr (InPairs) {
      above = load_two_pairs(above_row, first + i);
      below = load_two_pairs(below_row, first + i);
      odd = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd_bytes + 8 * i));
    } else {
      above = load_four_pixels(above_row, first + i);
      below = load_four_pixels(below_row, first + i);
    }
    const __m256i weights = _mm256_broadcastsi128_si256(load_16_bytes(weight + i));
    store_four_pixels(
        blend_two(above, below, even, down, _mm256_permutevar8x32_epi32(weights, even_weights)),
        blend_two(above, below, odd, down, _mm256_permutevar8x32_epi32(weights, odd_weights)),
        packed, channels, to);
  }
  return i;
}

}  // namespace

std::int64_t blend_pixels_avx2(const image_blend& b, std::int64_t count) noexcept {
  return b.odd_bytes != nullptr ? blend_pixels_of<true>(b, count)
                                : blend_pixels_of<false>(b, count);
}

namespace {

template <int Rows>
BEAMLET_AVX2 std::int64_t add_some_rows(const std::uint8_t* const* rows,
                                        const std::uint16_t* weights, bool is_first,
                                        std::int64_t elements, std::uint16_t* sums) noexcept {
  __m256i w[Rows];
  bool is_plain = true;
  for (int k = 0; k < Rows; ++k) {
    w[k] = _mm256_set1_epi16(static_cast<short>(weights[k]));
    is_plain = is_plain && weights[k] == 1;
  }
  std::int64_t i = 0;
  for (; i + 16 <= elements; i += 16) {
    auto* at = reinterpret_cast<__m256i*>(sums + i);
    __m256i sum = is_first ? _mm256_setzero_si256() : _mm256_loadu_si256(at);
#pragma GCC unroll 4
    for (int k = 0; k < Rows; ++k) {
      const __m256i x = _mm256_cvtepu8_epi16(load_16_bytes(rows[k] + i));
      sum = _mm256_add_epi16(sum, is_plain ? x : _mm256_mullo_epi16(x, w[k]));
    }
    _mm256_storeu_si256(at, sum);
  }
  return i;
}

}  // namespace

std::int64_t add_rows_avx2(const std::uint8_t* const* rows, const std::uint16_t* weights,
                           int row_count, bool is_first, std::int64_t elements,
                           std::uint16_t* sums) noexcept {
  switch (row_count) {
    case 1: return add_some_rows<1>(rows, weights, is_first, elements, sums);
    case 2: return add_some_rows<2>(rows, weights, is_first, elements, sums);
    case 3: return add_some_rows<3>(rows, weights, is_first, elements, sums);
    default: return add_some_rows<4>(rows, weights, is_first, elements, sums);
  }
}

namespace {

// Sums of one target pixel after another.
struct sum_of_columns {
  const std::uint16_t* at;
  std::int64_t channels, in, out, have;  // units left of the source pixel

  sum_of_columns(const image_means& m, std::int64_t first) noexcept
      : at(m.sums + first * m.in / m.out * m.channels),
        channels(m.channels),
        in(m.in),
        out(m.out),
        have(m.out - first * m.in % m.out) {}
  BEAMLET_AVX2 inline __m128i next() noexcept {
    __m128i sum = _mm_setzero_si128();
    if (out == 1) {
      for (std::int64_t k = 0; k < in; ++k, at += channels)
        sum = _mm_add_epi32(sum, _mm_cvtepu16_epi32(load_8_bytes(at)));
      return sum;
    }
    for (std::int64_t need = in; need > 0;) {
      const std::int64_t take = have < need ? have : need;
      const __m128i x = _mm_cvtepu16_epi32(load_8_bytes(at));
      sum = _mm_add_epi32(sum, _mm_mullo_epi32(x, _mm_set1_epi32(static_cast<int>(take))));
      need -= take;
      have -= take;
      if (have != 0) continue;
      have = out;
      at += channels;
    }
    return sum;
  }
};

}  // namespace

BEAMLET_AVX2 void mean_pixels_avx2(const image_means& m, std::int64_t first, std::int64_t end,
                                   std::uint8_t* to) noexcept {
  // As doubles in resize_area.cpp: fewer than 24 bits are enough here.
  const __m256 factor = _mm256_set1_ps(1.0f / static_cast<float>(m.divisor));
  const std::uint32_t half = m.divisor / 2;
  const __m256 more = _mm256_set1_ps(static_cast<float>(half) + 0.5f);
  const std::int64_t channels = m.channels;
  const __m256i packed = packed_bytes_of(static_cast<int>(channels));
  sum_of_columns sums(m, first);
  for (std::int64_t i = first; i < end; i += 4, to += 4 * channels) {
    __m128i four[4] = {};
    for (std::int64_t k = 0; k < 4 && i + k < end; ++k) four[k] = sums.next();
    const __m256 even = _mm256_cvtepi32_ps(_mm256_set_m128i(four[2], four[0])),
                 odd = _mm256_cvtepi32_ps(_mm256_set_m128i(four[3], four[1]));
    store_four_pixels(_mm256_cvttps_epi32(_mm256_mul_ps(_mm256_add_ps(even, more), factor)),
                      _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_add_ps(odd, more), factor)), packed,
                      channels, to);
  }
}

namespace {

BEAMLET_AVX2 inline __m256i load_32_bytes(const void* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

BEAMLET_AVX2 inline __m256i load_two(const std::uint8_t* low, const std::uint8_t* high) noexcept {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_16_bytes(low)), load_16_bytes(high),
                                 1);
}
BEAMLET_AVX2 inline void store_two(const __m256i& x, std::uint16_t* to,
                                   std::int64_t apart) noexcept {
  if (apart == 8) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(x));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + apart), _mm256_extracti128_si256(x, 1));
}

// `Whole`: lanes have 8 elements.
template <int Passes, bool Whole>
BEAMLET_AVX2 void sum_some_taps(const image_taps& t, const std::uint8_t* row, std::int64_t begin,
                                std::int64_t first, std::int64_t end, std::uint16_t* to) noexcept {
  const std::int64_t pairs = t.lanes / 2, apart = Whole ? 8 : t.lane_elements, step = t.step,
                     next = 2 * t.channels;
  std::int64_t pair = first % pairs;
  row += first / pairs * step - begin;
  while (first < end) {
    const std::int64_t some = end - first < pairs - pair ? end - first : pairs - pair;
    const std::int32_t* at = t.first + 2 * pair;
    const image_taps::pair* use = t.pairs + pair * Passes;
    for (std::int64_t i = 0; i < some; ++i, at += 2, use += Passes) {
      __m256i sum{};
#pragma GCC unroll 2
      for (int k = 0; k < Passes; ++k) {
        const std::int64_t left = at[0] + k * next, right = at[1] + k * next;
        const __m256i x = _mm256_maddubs_epi16(
            _mm256_shuffle_epi8(load_two(row + left, row + right), load_32_bytes(use[k].at)),
            load_32_bytes(use[k].weight));
        sum = k == 0 ? x : _mm256_add_epi16(sum, x);
      }
      store_two(sum, to, apart);
      to += 2 * apart;
    }
    first += some;
    pair = 0;
    row += step;
  }
}

// 32 bytes from element i on.
template <int Rows>
BEAMLET_AVX2 inline __m256i short_sums_of_rows(const image_sums& s, const __m256i* w,
                                               std::int64_t i) noexcept {
  const __m256i factor = _mm256_set1_epi16(static_cast<short>(s.divide.factor)),
                rounded = _mm256_set1_epi16(static_cast<short>(s.divide.rounded)),
                half = _mm256_set1_epi16(static_cast<short>(s.divide.divisor / 2));
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(s.divide.shift));
  __m256i made[2];
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    __m256i sum = _mm256_mullo_epi16(load_32_bytes(s.rows[0] + i + 16 * h), w[0]);
#pragma GCC unroll 4
    for (int k = 1; k < Rows; ++k)
      sum = _mm256_add_epi16(sum, _mm256_mullo_epi16(load_32_bytes(s.rows[k] + i + 16 * h), w[k]));
    made[h] =
        s.divide.rounded != 0
            ? _mm256_mulhrs_epi16(sum, rounded)
            : _mm256_srl_epi16(_mm256_mulhi_epu16(_mm256_add_epi16(sum, half), factor), shift);
  }
  return _mm256_packus_epi16(made[0], made[1]);
}

// The same by way of floats, as in mean_pixels_avx2.
template <int Rows>
BEAMLET_AVX2 inline __m256i long_sums_of_rows(const image_sums& s, const __m256i* w,
                                              std::int64_t i) noexcept {
  const __m256 factor = _mm256_set1_ps(1.0f / static_cast<float>(s.divide.divisor));
  const __m256 more = _mm256_set1_ps(static_cast<float>(s.divide.divisor / 2) + 0.5f);
  __m256i made[4];
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part) {
    __m256i sum{};
#pragma GCC unroll 2
    for (int k = 0; k < Rows; k += 2) {
      const __m256i a = load_32_bytes(s.rows[k] + i + part / 2 * 16);
      const __m256i b =
          k + 1 < Rows ? load_32_bytes(s.rows[k + 1] + i + part / 2 * 16) : _mm256_setzero_si256();
      const __m256i both =
          part % 2 == 0 ? _mm256_unpacklo_epi16(a, b) : _mm256_unpackhi_epi16(a, b);
      const __m256i by = k + 1 < Rows ? _mm256_unpacklo_epi16(w[k], w[k + 1]) : w[k];
      const __m256i product = _mm256_madd_epi16(both, by);
      sum = k == 0 ? product : _mm256_add_epi32(sum, product);
    }
    made[part] =
        _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_add_ps(_mm256_cvtepi32_ps(sum), more), factor));
  }
  return _mm256_packus_epi16(_mm256_packs_epi32(made[0], made[1]),
                             _mm256_packs_epi32(made[2], made[3]));
}

template <int Rows, bool IsShort>
BEAMLET_AVX2 void sum_some_rows(const image_sums& from, std::int64_t elements,
                                std::uint8_t* to) noexcept {
  const image_sums s = from;  // a store of bytes may change what lies in memory
  __m256i w[Rows];
  for (int k = 0; k < Rows; ++k) w[k] = _mm256_set1_epi16(static_cast<short>(s.weights[k]));
  for (std::int64_t i = 0; i < elements; i += 32) {
    const __m256i bytes = _mm256_permute4x64_epi64(
        IsShort ? short_sums_of_rows<Rows>(s, w, i) : long_sums_of_rows<Rows>(s, w, i), 0xd8);
    if (i + 32 <= elements) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), bytes);
    } else {
      std::uint8_t end[32];
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(end), bytes);
      std::memcpy(to + i, end, static_cast<std::size_t>(elements - i));
    }
  }
}

}  // namespace

void sum_taps_avx2(const image_taps& t, const std::uint8_t* row, std::int64_t begin,
                   std::int64_t first, std::int64_t end, std::uint16_t* to) noexcept {
  static constexpr decltype(sum_taps_avx2)* all[2][2] = {
      {sum_some_taps<1, false>, sum_some_taps<1, true>},
      {sum_some_taps<2, false>, sum_some_taps<2, true>}};
  all[t.passes - 1][t.lane_elements == 8](t, row, begin, first, end, to);
}

void sum_rows_avx2(const image_sums& s, std::int64_t elements, std::uint8_t* to) noexcept {
  static constexpr decltype(sum_rows_avx2)* all[4][2] = {
      {sum_some_rows<1, false>, sum_some_rows<1, true>},
      {sum_some_rows<2, false>, sum_some_rows<2, true>},
      {sum_some_rows<3, false>, sum_some_rows<3, true>},
      {sum_some_rows<4, false>, sum_some_rows<4, true>}};
  all[s.count - 1][s.divide.factor != 0](s, elements, to);
}

#undef BEAMLET_AVX2

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
