// SPDX-License-Identifier: Apache-2.0
#pragma once

// The memory behind the store's segments: made, mapped here, sealed once its writer has mapped it,
// and which sessions still map it. Sends nothing: the agent tells sessions what is said here.

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "ports/shared_memory.hpp"
#include "store/actions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Thread: the agent's.
class segments {
 public:
  /// `file_folder`: where segments in files are made; empty: nowhere.
  explicit segments(std::string file_folder) : file_folder_(std::move(file_folder)) {}

  /// Makes the memory and maps it writable here, as long as that is possible: once it is sealed
  /// not even the agent could, and a restore may have to write there when its session has ended.
  /// Not what is `whole`: that is mapped when it is closed, for reading.
  ///
  /// Blocks: while the system finds the pages, about 0.5 s per GiB.
  /// Errors: as ports::create_shared_memory and map_shared_memory; unsupported (no folder).
  result<void> make(const store::make_segment& wanted);

  /// A part of a segment, as it is mapped here; empty where there is none. The bytes of a session's
  /// segment may change while they are read.
  std::span<std::byte> bytes(const store::extent& where);

  /// The descriptor to send with `new_segment`; it stays ours. To be called once it is known that
  /// the session does not have the segment (has()); from then on it has.
  struct handle {
    int descriptor = -1;
    std::uint64_t bytes = 0;
    bool whole = false;
  };
  handle give_to_writer(store::segment_id segment);
  handle give_to_reader(store::segment_id segment, store::session_id reader);
  bool has(store::segment_id segment, store::session_id session) const;

  /// The session says that it has mapped it. Nothing for what is not its own.
  /// Errors: as ports::seal_against_writers.
  result<void> mapped(store::segment_id segment, store::session_id session);
  /// The session publishes the object that a whole segment is for: from now on nobody can change
  /// it. Nothing for others, and for what is not its own.
  /// Errors: busy (somebody maps it writable), and others of ports::seal_content().
  result<void> close(store::segment_id segment, store::session_id session);
  /// Whether others may see it: nobody can map it writable any more.
  bool is_sealed(store::segment_id segment) const;

  /// The segment is no longer used. Returns who has to be told; they have until `unmap_by_ns`.
  std::vector<store::session_id> begin_end(store::segment_id segment, base::time_ns unmap_by_ns);
  /// The session no longer maps it. Unknown: nothing.
  void unmapped(store::segment_id segment, store::session_id session);
  /// The session has ended: it maps nothing any more, as far as we care.
  void forget(store::session_id session);
  /// Its process is gone: its segments are the agent's own.
  void inherit(store::session_id session);
  /// Frees those whose end has begun and that nobody maps; their numbers, each once.
  std::vector<store::segment_id> take_ended();
  /// Sessions that should have unmapped something by now; they have until `again_ns` then.
  std::set<store::session_id> take_late(base::time_ns now_ns, base::time_ns again_ns);
  base::time_ns next_ns() const;

  std::uint64_t bytes_of(store::backing kind) const;

 private:
  struct segment {
    ports::shared_memory memory;
    ports::mapped_memory map;
    store::session_id owner = store::shared;
    store::backing kind = store::backing::memory;
    bool whole = false;
    bool sealed = false;
    bool ending = false;
    base::time_ns unmap_by_ns = base::never_ns;
    std::set<store::session_id> mapped_by;
  };
  const segment* find(store::segment_id id) const;

  std::string file_folder_;
  std::map<store::segment_id, segment> all_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
