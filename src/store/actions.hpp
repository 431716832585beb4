// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the store asks of its driver: everything that needs memory, a disk or a session. Carried out
// in order. Those marked "answer" are answered by the named function of `store`, at once or later.

#include <cstdint>
#include <variant>
#include <vector>

#include "beamlet/base/error.hpp"
#include "beamlet/base/id.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace store {

using session_id = std::uint32_t;
using segment_id = std::uint32_t;
using file_id = std::uint32_t;
using wire::extent;

/// The session that the store's own segments belong to: pulls and restores are written there by the
/// agent itself. Sessions of clients count from 1.
inline constexpr session_id shared = 0;

/// Memory, or a file where memory is exhausted.
enum class backing : std::uint8_t { memory, file };

/// Make a segment, all of it allocated, and give it to `owner` for writing before any extent of it.
/// Answer: segment_made, segment_refused.
struct make_segment {
  segment_id segment = 0;
  session_id owner = shared;
  std::uint64_t size = 0;
  backing kind = backing::memory;
  bool whole = false;  ///< for one object of its owner's, sealed with it
};
/// Nothing of it is in use any more: have it unmapped everywhere, then give it back to the system.
/// Answer: segment_ended.
struct end_segment {
  segment_id segment = 0;
};
/// One object of a batch: its bytes are read from `where`, its record is written at `offset`.
struct spill_entry {
  object_id id;
  extent where;
  std::uint64_t offset = 0;
};
/// Write a new file of records (spill_record.hpp). Answer: spill_written.
struct write_spill {
  file_id file = 0;
  std::vector<spill_entry> entries;
};
/// Read a record into `where` and check it. Answer: restored, with errc::malformed when the file is
/// short, gone or damaged.
struct read_spill {
  file_id file = 0;
  spill_entry entry;
};
/// No record of it is needed any more. No answer: what cannot be removed is swept at the next
/// start.
struct remove_spill {
  file_id file = 0;
};
/// The answer to `lease` or, for session `shared`, to `reserve`.
struct granted {
  session_id session = shared;
  std::uint64_t ticket = 0;
  extent where;
};
/// The answer to `pin_all`: in the order of the request, one pin each.
struct pinned {
  session_id session = shared;
  std::uint64_t ticket = 0;
  std::vector<extent> where;
};
/// The answer to any request that could not be granted.
struct failed {
  session_id session = shared;
  std::uint64_t ticket = 0;
  error why;
};
/// An object in a live lease of `session` is gone: the session may use the range again.
struct returned {
  session_id session = shared;
  extent where;
};
/// A copy left memory and nothing of it is on disk: the directory forgets this location.
struct evicted {
  object_id id;
};
/// The only copy here was damaged: the object is forgotten and has to be made again.
struct lost {
  object_id id;
  error why;
};
/// Somebody waits for memory: unpin, or unlease, so many bytes if you can.
struct pressure {
  session_id session = shared;
  std::uint64_t size = 0;
};

using action = std::variant<make_segment, end_segment, write_spill, read_spill, remove_spill,
                            granted, pinned, failed, returned, evicted, lost, pressure>;

}  // namespace store
}  // namespace BEAMLET_ABI
}  // namespace beamlet
