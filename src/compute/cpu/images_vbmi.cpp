// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/images_vbmi.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

#include <cstring>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

// `bytes` are 64 or 32; of a row's last vector `count` > 0, if they are fewer.
BEAMLET_VBMI inline void store_bytes(std::uint8_t* to, const __m512i& x, std::int64_t bytes,
                                     std::int64_t count) noexcept {
  if (count < bytes) _mm512_mask_storeu_epi8(to, (std::uint64_t{1} << count) - 1, x);
  else if (bytes == 64) _mm512_storeu_si512(to, x);
  else std::memcpy(to, &x, 32);
}

// image_division for shorts.
struct vbmi_division {
  __m512i half, factor, rounded;
  __m128i shift;
  bool is_rounded;
};
BEAMLET_VBMI inline vbmi_division vbmi_division_of(const image_division& by) noexcept {
  return {_mm512_set1_epi16(static_cast<short>(by.divisor / 2)),
          _mm512_set1_epi16(static_cast<short>(by.factor)),
          _mm512_set1_epi16(static_cast<short>(by.rounded)),
          _mm_cvtsi32_si128(static_cast<int>(by.shift)), by.rounded != 0};
}
BEAMLET_VBMI inline __m512i divided(const __m512i& sum, const vbmi_division& by) noexcept {
  if (by.is_rounded) [[likely]]
    return _mm512_mulhrs_epi16(sum, by.rounded);
  return _mm512_srl_epi16(_mm512_mulhi_epu16(_mm512_add_epi16(sum, by.half), by.factor), by.shift);
}

// A row's bytes; g++ 12 says of the shuffle without a mask that it reads what nobody set.
template <bool Wide>
BEAMLET_VBMI inline __m512i window_taps_of(const std::uint8_t* from,
                                           const std::uint8_t* at) noexcept {
  const __m512i places = _mm512_loadu_si512(at), x = _mm512_loadu_si512(from);
  return Wide ? _mm512_permutex2var_epi8(x, places, _mm512_loadu_si512(from + 64))
              : _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, places, x);
}

// Passes: two bytes of each row or four. Targets are made of the same rows with other weights, so
// that they are shuffled once.
template <int Rows, int Targets, int Passes, bool Wide>
BEAMLET_VBMI void sum_some_windows(const image_windows& w, const std::uint8_t* const* rows,
                                   std::size_t weight, std::int64_t count,
                                   std::uint8_t* to) noexcept {
  const vbmi_division by = vbmi_division_of(w.divide);
  const std::int64_t bytes = w.pair_bytes, next = count;
  const std::uint8_t* from[Rows];  // a store of bytes may change what lies in memory
  for (int r = 0; r < Rows; ++r) from[r] = rows[r];
  const __m512i order = _mm512_loadu_si512(w.order);
  for (std::size_t v = 0; count > 0; ++v, count -= bytes, to += bytes) {
    __m512i made[Targets][2];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const image_windows::half& use = w.all[w.kind_of[v]].halves[h];
      const std::uint8_t* weights = use.weight_of_row + 128 * weight;
      const std::int64_t first = w.first[v][h];
      __m512i sums[Targets];
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
        for (int p = 0; p < Passes; ++p) {
          const __m512i taps = window_taps_of<Wide>(from[r] + first, use.at[p]);
#pragma GCC unroll 2
          for (int t = 0; t < Targets; ++t) {
            const __m512i x = _mm512_maddubs_epi16(
                taps, _mm512_loadu_si512(weights + 128 * (t * Rows + r) + 64 * p));
            sums[t] = r + p == 0 ? x : _mm512_add_epi16(sums[t], x);
          }
        }
      }
#pragma GCC unroll 2
      for (int t = 0; t < Targets; ++t) made[t][h] = divided(sums[t], by);
    }
#pragma GCC unroll 2
    for (int t = 0; t < Targets; ++t)
      store_bytes(to + t * next, _mm512_permutex2var_epi8(made[t][0], order, made[t][1]), bytes,
                  count);
  }
}

template <int Rows, int Targets>
void sum_rows_of_windows(const image_windows& w, const std::uint8_t* const* rows,
                         std::size_t weight, std::int64_t count, std::uint8_t* to) noexcept {
  if (w.passes == 2) sum_some_windows<Rows, Targets, 2, true>(w, rows, weight, count, to);
  else if (w.is_wide) sum_some_windows<Rows, Targets, 1, true>(w, rows, weight, count, to);
  else sum_some_windows<Rows, Targets, 1, false>(w, rows, weight, count, to);
}

}  // namespace

BEAMLET_VBMI void weigh_windows_vbmi(image_windows& w, const std::uint16_t* weights,
                                     std::size_t first, std::size_t count) noexcept {
  for (std::size_t i = 0; i < 2 * w.kinds; ++i) {
    image_windows::half& use = w.all[i / 2].halves[i % 2];
    for (std::size_t p = 0; p < w.passes; ++p) {
      const __m512i x = _mm512_loadu_si512(use.weight[p]);
      // Two bytes at once, as neither's product reaches the other.
      for (std::size_t r = 0; r < count; ++r)
        _mm512_storeu_si512(
            use.weight_of_row + 128 * (first + r) + 64 * p,
            _mm512_mullo_epi16(x, _mm512_set1_epi16(static_cast<short>(weights[r]))));
    }
  }
}

void sum_windows_vbmi(const image_windows& w, const std::uint8_t* const* rows,
                      std::size_t row_count, std::size_t target_count, std::size_t weight,
                      std::int64_t count, std::uint8_t* to) noexcept {
  static constexpr decltype(&sum_rows_of_windows<1, 1>) all[4] = {
      sum_rows_of_windows<1, 1>, sum_rows_of_windows<2, 1>, sum_rows_of_windows<3, 1>,
      sum_rows_of_windows<4, 1>};
  if (target_count == 2) return sum_rows_of_windows<2, 2>(w, rows, weight, count, to);
  all[row_count - 1](w, rows, weight, count, to);
}

BEAMLET_VBMI void pick_bytes_vbmi(const image_picks& picks, const std::uint8_t* row,
                                  std::int64_t count, std::uint8_t* to) noexcept {
  const std::int64_t bytes = picks.bytes;
  for (std::size_t v = 0; count > 0; ++v, count -= bytes, to += bytes) {
    const std::uint8_t* from = row + picks.first[v];
    const __m512i x = _mm512_permutex2var_epi8(
        _mm512_loadu_si512(from), _mm512_loadu_si512(picks.at[v]), _mm512_loadu_si512(from + 64));
    store_bytes(to, x, bytes, count);
  }
}

#undef BEAMLET_VBMI

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
