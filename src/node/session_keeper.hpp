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
  static void drop(void* keeper);
  static void drop_all(std::vector<arrived>& values) {
    for (arrived& each : std::exchange(values, {})) each.bytes.drop(each.bytes.keeper);
  }
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
