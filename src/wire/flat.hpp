// SPDX-License-Identifier: Apache-2.0
#pragma once

// FlatBuffers, as much as our tables need. A table is the distance back to its vtable (i32), then
// its fields. A vtable is u16s: its own size, the table's, and per field id the place in the table,
// 0 for a field left out, which has its default. Numbers, ids and ranges lie in the table; of all
// else a distance forward to it (u32) does. A text or vector begins with its length (u32).

#include <cstddef>
#include <span>

#include "beamlet/base/error.hpp"
#include "wire/fields.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace wire {

/// Why a message was not written or read. Plain words, so that success costs nothing.
struct flat_fault {
  errc code = errc::ok;
  const char* field = "";
  const char* what = "";
};

/// Appends the value at `from`, which is of the layout's type, as a buffer that begins at the end
/// of `out`. After a fault what was appended is worthless.
flat_fault write_flat(bytes& out, const void* from, const table_layout& layout);

/// Copies a buffer that anybody may have made, at any alignment, into `to`, which is of the
/// layout's type and has its defaults. There is no separate verification that a read could forget:
/// every part is checked as it is read. After a fault `to` is worthless.
flat_fault read_flat(std::span<const std::byte> buffer, void* to, const table_layout& layout);

}  // namespace wire
}  // namespace BEAMLET_ABI
}  // namespace beamlet
