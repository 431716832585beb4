// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/config.hpp>

#include <cstddef>
#include <cstdint>

/// Every limit of the library that is not an option, with its reason.
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace limits {

/// An error crosses the wire; its texts must not carry a heap dump there.
inline constexpr std::size_t error_text_bytes_max = 1024;

/// What one value may take when it is encoded; a runaway or cyclic value must not eat the box.
inline constexpr std::size_t encoded_bytes_max = std::size_t{1} << (sizeof(void*) > 4 ? 34 : 30);

/// Containers within containers that a codec follows: a level costs stack, and hostile bytes choose
/// the depth.
inline constexpr unsigned codec_depth_max = 64;

/// Different resources that one node counts. A ledger holds an entry for each and never allocates.
inline constexpr std::size_t resources_max = 128;

/// A resource's name travels with every task that asks for it.
inline constexpr std::size_t resource_name_bytes_max = 64;

/// The most of one resource, in whole units: 256 TiB of memory, counted in bytes. In fixed point
/// two of them still add up in 64 bits.
inline constexpr std::int64_t resource_units_max = std::int64_t{1} << 48;

}  // namespace limits
}  // namespace BEAMLET_ABI
}  // namespace beamlet
