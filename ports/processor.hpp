// SPDX-License-Identifier: Apache-2.0
#pragma once

// What this processor can do beyond what every one of its kind can.

#include <cstddef>
#include <cstdint>

#include <string>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Goes on with the CRC32C (as it is in between, not inverted) over so many times eight bytes, in
/// any alignment, with an instruction for it: SSE 4.2 on x86-64, the extension of ARMv8 on 64-bit
/// ARM. False: there is none, and nothing was done.   Thread: any.   Cost: three cycles a word.
bool crc32c_words(std::uint32_t& crc, const std::byte* at, std::size_t words) noexcept;

/// What it calls itself, for people; "processor" where that is not known.   Blocks: reads a file of
/// the kernel.
std::string processor_name();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
