// SPDX-License-Identifier: Apache-2.0
#include "compute/cpu/images_vbmi.hpp"

#if BEAMLET_X86_64
#include <immintrin.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

#define BEAMLET_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

// `count` > 0 bytes at most. Stores by a mask take much longer, so only a row's last ones are such.
BEAMLET_VBMI inline void store_first_of_64(std::uint8_t* to, const __m512i& x,
                                           std::int64_t count) noexcept {
  if (count >= 64) _mm512_storeu_si512(to, x);
  else _mm512_mask_storeu_epi8(to, (std::uint64_t{1} << count) - 1, x);
}

}  // namespace

BEAMLET_VBMI void pick_bytes_vbmi(const image_picks& picks, const std::uint8_t* row,
                                  std::int64_t count, std::uint8_t* to) noexcept {
  const std::int64_t bytes = picks.bytes;
  for (std::size_t v = 0; count > 0; ++v, count -= bytes, to += bytes) {
    const std::uint8_t* from = row + picks.first[v];
    const __m512i x = _mm512_permutex2var_epi8(
        _mm512_loadu_si512(from), _mm512_loadu_si512(picks.at[v]), _mm512_loadu_si512(from + 64));
    store_first_of_64(to, x, count);
  }
}

#undef BEAMLET_VBMI

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
