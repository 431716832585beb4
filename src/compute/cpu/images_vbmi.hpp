// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of images of bytes with 64 bytes a vector and shuffles of single bytes, where
// has_byte_shuffles().

#include <cstddef>
#include <cstdint>

#include "beamlet/config.hpp"
#include "compute/cpu/images_avx2.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Bytes of a row that are others of another row: vector after vector of 64 or 32 of them, each
/// from within 128 that begin at first[vector].
struct image_picks {
  static constexpr std::size_t vectors_max = 64;
  std::int64_t bytes = 0;
  std::int64_t first[vectors_max];
  alignas(64)
      std::uint8_t at[vectors_max][64];  ///< from there on; of bytes that are not written anything
};

/// Sums of up to four pixels of each of up to four rows, times whole numbers. Of a row are made
/// pairs of vectors of 32 or 16 bytes each; one is made of 64 bytes that begin at first[pair], of
/// 128 where `is_wide`. Pairs whose shuffles and weights are the same are of one kind.
struct image_windows {
  static constexpr std::size_t pairs_max = 512, kinds_max = 24;
  struct alignas(64) half {
    std::uint8_t at[2][64];      ///< two bytes for each sum; and two more
    std::uint8_t weight[2][64];  ///< of each along the row
    /// Times a row's, 128 bytes for one row after the other: below 128, as are their sums.
    std::uint8_t weight_of_row[4 * 128];
  };
  struct kind {
    half halves[2];
  };
  std::int64_t pair_bytes = 0;  ///< of what is made
  std::size_t kinds = 0, passes = 1;
  bool is_wide = false;
  image_division divide;
  std::int32_t first[pairs_max][2];
  std::uint8_t kind_of[pairs_max];
  std::uint8_t order[64];  ///< where the pair's bytes lie among the lower ones of both's shorts
  kind all[kinds_max];
};

#if BEAMLET_X86_64
/// Weights of the source rows, which are kept as those from `first` on; four at most.
void weigh_windows_vbmi(image_windows& windows, const std::uint16_t* weights, std::size_t first,
                        std::size_t count) noexcept;
/// A target row of `count` bytes; or two, one behind the other, that are made of the same two
/// source rows. Their weights are those from `weight` on, one target's after the other's.
void sum_windows_vbmi(const image_windows& windows, const std::uint8_t* const* rows,
                      std::size_t row_count, std::size_t target_count, std::size_t weight,
                      std::int64_t count, std::uint8_t* to) noexcept;
void pick_bytes_vbmi(const image_picks& picks, const std::uint8_t* row, std::int64_t count,
                     std::uint8_t* to) noexcept;
#endif

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
