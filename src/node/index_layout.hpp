// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the index of an agent and the pin page of a session look like in shared memory, and the one
// protocol between them. It lets a session read an object that it knows without a message.
//
// The index is written by the agent alone and mapped read-only by sessions. An entry says where an
// object lies, or what it is where it is small. Its version is odd while it says something.
//
// A pin page is written by one session and by the agent. To pin, the session finds the entry, puts
// number and version into a free slot and looks at the version again: where it is the same, the
// object is pinned. The agent makes the version even before it uses an object's memory for anything
// else, and then looks through all pages. All four steps are sequentially consistent: either the
// session sees that the version has changed, or the agent sees the slot. What the agent finds it
// turns into a pin of its own books, and marks the slot as owed. To unpin, the session empties the
// slot; where it was marked it says `unpin` as for any other pin. So a pin is counted in one place
// at any time, however the two meet.
//
// A page is hostile: the agent compares what is in it and follows nothing. False pins are pins of
// that session, which may keep memory of the store busy, as it can by asking for them.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "beamlet/base/id.hpp"
#include "node/siphash.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

using shared_word = std::atomic<std::uint64_t>;
static_assert(shared_word::is_always_lock_free, "only such words work between processes");
/// Of the four steps above.
inline constexpr auto in_one_order = std::memory_order_seq_cst;

inline constexpr std::uint32_t index_entries = 2048;
inline constexpr std::uint32_t index_ways = 4;  ///< entries in which one object may be
/// Values up to this lie in the entry itself. Nobody pins them: they are copied.
inline constexpr std::size_t index_value_bytes_max = 64;
/// Objects that a session pins at a time without asking: few, as the agent looks at all of them.
inline constexpr std::uint32_t pin_slots = 63;

struct index_entry {
  shared_word version;
  shared_word node, process, sequence, proof;
  shared_word segment;  ///< 0: the value is here
  shared_word offset, size;
  std::array<shared_word, index_value_bytes_max / sizeof(std::uint64_t)> value;
};
static_assert(sizeof(index_entry) == 128);
using shared_index = std::array<index_entry, index_entries>;

struct pin_page {
  shared_word ended;  ///< by the agent: it looks at this page no more
  std::array<shared_word, pin_slots> slots;
};

/// What a slot holds, never 0; with `pin_owed` once the agent has turned it into a pin of its own.
inline constexpr std::uint64_t pin_owed = 1;
constexpr std::uint64_t pin_word(std::uint32_t entry, std::uint64_t version) noexcept {
  return (version * index_entries + entry) << 1;
}

/// An object's name in the index. Everybody on the box can read that, so it has no guard in it: who
/// does not know the id cannot tell it from the proof.
struct index_key {
  std::uint64_t node, process, sequence, proof;

  explicit index_key(const object_id& id) noexcept
      : node(id.node),
        process((std::uint64_t{id.boot} << 32) | id.session),
        sequence(id.sequence),
        proof(siphash({node ^ process, sequence}, id.guard)) {}
  /// The first of `index_ways` entries.
  std::uint32_t first_entry() const noexcept {
    return static_cast<std::uint32_t>(proof % (index_entries / index_ways)) * index_ways;
  }
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
