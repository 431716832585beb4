// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "node/session_books.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What stands behind `arrived::bytes.keeper`: the pin, the counts, and the books they are in.
struct session_keeper {
  std::shared_ptr<session_books> books;
  object_id id;
  std::vector<object_id> contained;
  std::vector<std::byte> bytes;
  std::optional<wire::extent> pinned;
  std::uint32_t slot = 0;  ///< of the session's pin page; 0: the agent was asked for the pin

  /// Thread: any, without the lock of the books.
  static void drop(void* keeper) noexcept;
  static void drop_all(std::vector<arrived>& values) noexcept {
    for (arrived& each : std::exchange(values, {})) each.bytes.drop(each.bytes.keeper);
  }
};

/// Values on their way to who takes them: what is left is dropped.
struct values_in_hand {
  std::vector<arrived> all;

  values_in_hand() = default;
  values_in_hand(const values_in_hand&) = delete;
  values_in_hand& operator=(const values_in_hand&) = delete;
  ~values_in_hand() { session_keeper::drop_all(all); }
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
