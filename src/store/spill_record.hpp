// SPDX-License-Identifier: Apache-2.0
#pragma once

// How an object lies in a spill file: a head of 64 bytes, then the payload, then zeros up to the
// next multiple of 64. A file is records one after another, and nothing else.
//
//   0 magic "BLSP"   4 CRC32C of bytes 8 to 63 and the payload   8 payload bytes   16 object id
//   (32) 48 zeros
//
// The store plans where records lie; whoever owns the files (the agent, the simulator) reads and
// writes them, on any thread, through these functions.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "beamlet/base/id.hpp"
#include "beamlet/base/result.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

inline constexpr std::uint64_t spill_head_bytes = 64;

/// What a record takes in its file, padding included.
constexpr std::uint64_t spill_record_bytes(std::uint64_t payload) noexcept {
  return spill_head_bytes + (payload + 63) / 64 * 64;
}

/// The head to be written before `payload`.
///
/// Thread: any.   Cost: one pass over the payload; no allocation.
std::array<std::byte, spill_head_bytes> make_spill_head(const object_id& id,
                                                        std::span<const std::byte> payload);

/// Whether a head and the payload read after it are those of `id`, unharmed.
///
/// Thread: any.   Cost: one pass over the payload.
/// Errors: malformed, with the sentence that says what differs.
result<void> check_spill_record(const object_id& id, std::span<const std::byte> head,
                                std::span<const std::byte> payload);

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
