// SPDX-License-Identifier: Apache-2.0
#pragma once

// How cells meet the world beyond the process. `sched` declares it, later layers implement it: the agent's, the
// cluster's, Ray's; in the tests one that publishes everything. An engine never blocks and never waits: it seals
// cells, so that get, wait and countdowns exist once.

#include <beamlet/base/error.hpp>
#include <beamlet/base/id.hpp>
#include <beamlet/sched/cell.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// A task or a call to an actor that leaves this process: the registered function and its encoded arguments. Refs
/// among them are written as ids and listed.
struct exported_call {
  const void* function = nullptr;    // key in the registry
  std::vector<std::byte> arguments;
  std::vector<object_id> contained;
  actor_core* actor = nullptr;       // null: any node may run it
  std::uint64_t caller = 0;
};

/// Makes a cell of one type from outside, and turns bytes into its value.
struct cell_maker {
  cell* (*make)(scheduler& home);             // pending, one reference; null: no memory
  bool (*decode)(cell& into, void* reader);   // constructs the value; does not seal
};

class engine {
 public:
  /// Gives the cell an id under which others find it. Idempotent; a pending cell is sealed outside later.
  virtual object_id publish(cell& x) = 0;
  /// A ref came in: the cell for its id, counted; pending until the bytes are here. Null: no memory or unknown.
  virtual cell* adopt(const object_id& id, const cell_maker& maker) = 0;
  /// Runs a claimed cell elsewhere; seals it and releases the queue's reference in the end.
  virtual void submit(cell& claimed, exported_call call) = 0;
  virtual void cancel(cell& x, bool force) = 0;
  /// The process's last reference to a published cell has gone.
  virtual void forget(outside* record) = 0;

 protected:
  ~engine() = default;
};

/// The writer's and reader's context while arguments and results are encoded: refs find the engine through it.
struct codec_context {
  scheduler* home = nullptr;
  engine* outside = nullptr;
  std::vector<object_id> contained;
};

/// Offers a ready cell to the engine. True: it has gone.
bool leave_through_engine(context& here, cell& x) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
