// SPDX-License-Identifier: Apache-2.0
#pragma once

// How large a store may get, and how it stands at a moment.

#include <cstdint>

#include "beamlet/base/time.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

struct options {
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;    ///< of all segments in memory
  std::uint64_t fallback_bytes = 0;                       ///< of all segments in files; 0: none
  std::uint64_t spill_bytes = 0;                          ///< of all spill files; 0: no spilling
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;  ///< of one, unless a request is larger
  /// Kept from sessions' segments, so that a restore or a pull always has where to go.
  std::uint64_t shared_bytes = std::uint64_t{128} << 20;

  /// Strict mode: objects of so many bytes and more have a segment of their own, which can be
  /// sealed with its content; 0: off.
  std::uint64_t whole_from_bytes = 0;

  std::uint64_t session_lease_bytes = ~std::uint64_t{0};   ///< leased by one, not yet published
  std::uint64_t session_pinned_bytes = ~std::uint64_t{0};  ///< of the objects that one pins
  std::uint32_t session_leases = 4096;                     ///< live ones of one session
  std::uint32_t session_requests = 4096;                   ///< waiting ones of one session
  std::uint32_t session_pins = 1 << 20;                    ///< of one session, repeated ones too
  std::uint32_t objects = 1 << 22;                         ///< in all: each costs some 250 bytes

  std::uint64_t spill_batch_bytes_min = 8 << 20;   ///< in the background; a blocked request's may
  std::uint64_t spill_batch_bytes_max = 32 << 20;  ///< be smaller
  std::uint32_t spill_batch_objects = 2000;
  /// The longest that a request without a deadline waits: nothing waits without end.
  base::time_ns wait_ns_max = 600'000'000'000;
};

/// Bytes, unless it says otherwise. Every figure is exact at any time.
struct usage {
  std::uint64_t memory = 0;       ///< segments in memory, from asking for them to their end
  std::uint64_t files = 0;        ///< segments in files
  std::uint64_t free = 0;         ///< pages of live segments that may be given out
  std::uint64_t quarantined = 0;  ///< segments of sessions that ended and may still run
  std::uint64_t leased = 0;       ///< live leases
  std::uint64_t published = 0;    ///< objects in memory, also those in leases
  std::uint64_t pinned = 0;       ///< of those, pinned or about to be; each object once
  std::uint64_t evictable = 0;    ///< of those, what can go at once
  std::uint64_t spilled = 0;      ///< objects on disk, also those in memory as well
  std::uint64_t spill_files = 0;  ///< spill files, with records that nobody needs any more
  std::uint64_t spilling = 0;     ///< of those files, what is being written now
  std::uint64_t objects = 0;      ///< how many
  std::uint64_t waiting = 0;      ///< how many requests
  friend bool operator==(const usage&, const usage&) = default;
};

struct session_usage {
  std::uint64_t segments = 0;                        ///< bytes of the segments it may write
  std::uint64_t leased = 0;                          ///< bytes of its live leases
  std::uint64_t unpublished = 0;                     ///< of those, what holds no object
  std::uint64_t pinned = 0;                          ///< bytes of the objects it pins, each once
  std::uint64_t pins = 0, leases = 0, requests = 0;  ///< how many
  friend bool operator==(const session_usage&, const session_usage&) = default;
};

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
