// SPDX-License-Identifier: Apache-2.0
#pragma once

// CRC32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of iSCSI, ext4 and our spill
// files.

#include <cstddef>
#include <cstdint>
#include <span>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

/// The checksum of what gave `seed` followed by `bytes`; 0 begins.
///
/// Thread: any.   Cost: eight table look-ups for eight bytes; no allocation.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
