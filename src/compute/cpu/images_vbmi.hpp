// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of images of bytes with 64 bytes a vector and shuffles of single bytes, where
// has_byte_shuffles().

#include <cstddef>
#include <cstdint>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Bytes of a row that are others of another row: vector after vector of `bytes` of them, each from
/// within 128 that begin at first[vector].
struct image_picks {
  static constexpr std::size_t vectors_max = 128;
  std::int64_t bytes = 0;
  std::int64_t first[vectors_max];
  std::uint8_t at[vectors_max][64];  ///< from there on; of bytes that are not written anything
};

#if BEAMLET_X86_64
void pick_bytes_vbmi(const image_picks& picks, const std::uint8_t* row, std::int64_t count,
                     std::uint8_t* to) noexcept;
#endif

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
