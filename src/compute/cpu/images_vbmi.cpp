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

// Passes: two bytes of each row or four. g++ 12 says of the shuffle without a mask that it reads
// what nobody set.
template <int Rows, int Passes, bool Wide>
BEAMLET_VBMI void sum_some_windows(const image_windows& w, const std::uint8_t* const* rows,
                                   std::int64_t count, std::uint8_t* to) noexcept {
  const __m512i half = _mm512_set1_epi16(static_cast<short>(w.divisor / 2)),
                factor = _mm512_set1_epi16(static_cast<short>(w.factor)),
                order = _mm512_loadu_si512(w.order);
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(w.shift));
  const std::int64_t bytes = w.pair_bytes;
  for (std::size_t v = 0; count > 0; ++v, count -= bytes, to += bytes) {
    __m512i made[2];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const image_windows::half& use = w.all[w.kind_of[v]].halves[h];
      __m512i sum = half;
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
        const std::uint8_t* from = rows[r] + w.first[v][h];
        const __m512i x = _mm512_loadu_si512(from);
#pragma GCC unroll 2
        for (int p = 0; p < Passes; ++p) {
          const __m512i at = _mm512_loadu_si512(use.at[p]);
          const __m512i taps = Wide ? _mm512_permutex2var_epi8(x, at, _mm512_loadu_si512(from + 64))
                                    : _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, at, x);
          sum = _mm512_add_epi16(
              sum, _mm512_maddubs_epi16(taps, _mm512_loadu_si512(use.weight_of_row[r][p])));
        }
      }
      made[h] = _mm512_srl_epi16(_mm512_mulhi_epu16(sum, factor), shift);
    }
    const __m512i packed = _mm512_packus_epi16(made[0], made[1]);
    store_bytes(to, _mm512_maskz_permutexvar_epi8(~std::uint64_t{0}, order, packed), bytes, count);
  }
}

template <int Rows>
void sum_rows_of_windows(const image_windows& w, const std::uint8_t* const* rows,
                         std::int64_t count, std::uint8_t* to) noexcept {
  if (w.passes == 2) sum_some_windows<Rows, 2, true>(w, rows, count, to);
  else if (w.is_wide) sum_some_windows<Rows, 1, true>(w, rows, count, to);
  else sum_some_windows<Rows, 1, false>(w, rows, count, to);
}

}  // namespace

BEAMLET_VBMI void weigh_windows_vbmi(image_windows& w, const std::uint16_t* weights,
                                     std::size_t rows) noexcept {
  for (std::size_t i = 0; i < 2 * w.kinds; ++i) {
    image_windows::half& use = w.all[i / 2].halves[i % 2];
    for (std::size_t p = 0; p < w.passes; ++p) {
      const __m512i x = _mm512_loadu_si512(use.weight[p]);
      // Two bytes at once, as neither's product reaches the other.
      for (std::size_t r = 0; r < rows; ++r)
        _mm512_storeu_si512(
            use.weight_of_row[r][p],
            _mm512_mullo_epi16(x, _mm512_set1_epi16(static_cast<short>(weights[r]))));
    }
  }
}

void sum_windows_vbmi(const image_windows& w, const std::uint8_t* const* rows,
                      std::size_t row_count, std::int64_t count, std::uint8_t* to) noexcept {
  static constexpr decltype(&sum_rows_of_windows<1>) all[4] = {
      sum_rows_of_windows<1>, sum_rows_of_windows<2>, sum_rows_of_windows<3>,
      sum_rows_of_windows<4>};
  all[row_count - 1](w, rows, count, to);
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
