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
/// Thread: any.   Cost: where the processor has an instruction for it (x86-64 and 64-bit ARM, seen
/// at run time) three cycles for eight bytes, else eight table look-ups; no allocation.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

/// The same, without the instruction.
std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
