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

}  // namespace limits
}  // namespace BEAMLET_ABI
}  // namespace beamlet
