// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`. To go on where another call ended, pass
/// its result as `before`. Finds accidents, not attackers.
///
/// Thread: any.   Blocks: no.   Cost: about one nanosecond per byte; no allocation.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
