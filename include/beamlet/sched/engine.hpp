// SPDX-License-Identifier: Apache-2.0
#pragma once

// How cells meet the world beyond the process. `sched` declares it, later layers implement it: the
// agent's, the cluster's, Ray's; in the tests one that publishes everything. An engine does not
// block unless a function says so: it seals cells, so that get, wait and countdowns exist once.

#include <beamlet/base/error.hpp>
#include <beamlet/base/id.hpp>
#include <beamlet/base/ledger.hpp>
#include <beamlet/base/result.hpp>
#include <beamlet/sched/cell.hpp>
#include <beamlet/sched/extra.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct actor_type;

/// A task or a call to an actor that leaves this process: the registered function and its encoded
/// arguments. Refs among them are written as ids and listed. Its options are the cell's.
struct exported_call {
  const void* function = nullptr;  // key in the registry
  std::vector<std::byte> arguments;
  std::span<const std::byte> borrowed;  // instead, where they came in and lie in somebody's memory
  std::vector<object_id> contained;     // refs inside values, and those given as they are
  std::vector<object_id> awaited;       // objects that the function gets the values of
  actor_core* actor = nullptr;          // null: any node may run it
  std::uint64_t caller = 0;
  error why;  // it stays because an argument could not be encoded; errc::ok: for another reason
};

/// Makes a cell of one type: pending, one reference. Null: no memory.
using cell_maker = cell* (*)(scheduler& home) noexcept;

/// Everything beyond this process. Any thread; where an actor's mailbox is full and its policy is
/// `block`, `submit` may wait as a local call would.
class engine {
 public:
  /// Gives the cell an id under which others find it. Idempotent; a pending cell is sealed outside
  /// later. Null: no memory.
  virtual object_id publish(cell& x) = 0;
  /// A ref came in: the cell for its id, counted; pending until the bytes are here. Null: no memory
  /// or unknown.
  virtual cell* adopt(scheduler& home, const object_id& id, cell_maker make) = 0;
  /// A value was made in this process and nobody has seen it: the engine may take it as bytes.
  /// Returns the state to seal it with, `value` or `bytes`.
  virtual std::uintptr_t keep(cell& x) = 0;
  /// Runs a claimed task, or a call to an actor, elsewhere; ends it with `come_back`.
  virtual void submit(cell& x, exported_call call) = 0;
  /// `x` was cancelled here: what runs elsewhere for it is to end; by force: with its process.
  virtual void cancel(cell& x, bool force, bool recursive) = 0;
  /// `idle` of what was borrowed goes back; then, unless it is empty, `wanted` is borrowed as a
  /// whole: sched::lent() or not_lent() comes later.
  virtual void borrow(std::span<const quantity> idle, std::span<const quantity> wanted) {
    (void)idle, (void)wanted;
  }
  /// The same, waiting for it; the caller counts it.   Blocks: a short time.
  /// Errors: timeout (others use it), infeasible, agent_lost.
  virtual result<void> borrow_now(std::span<const quantity> wanted);
  /// A call that came in begins to wait, so that others may have its cpu, or goes on. Idempotent.
  virtual void lend_cpu(cell& x, bool lent) { (void)x, (void)lent; }
  /// A running function asks whether it was cancelled: where its thread is also the one that reads,
  /// it looks now for what has come.
  virtual void look() {}
  /// The process's last reference to a published cell has gone.
  virtual void forget(outside* record) = 0;
  /// The bytes of a cell that was sealed as `bytes` without them, because they are large and
  /// elsewhere. Its first reader asks.   Blocks: until they are here.
  virtual result<held_bytes> fetch(cell& x) = 0;
  /// False on the thread that reads what comes in, while it tells of it: a listener that may fetch
  /// or publish fires later.
  virtual bool may_wait_here() const { return true; }
  /// The id under which others find an actor.
  /// Errors: unsupported (it lives in this process), and why it has ended.
  virtual result<object_id> publish_actor(actor_core& a);
  /// A handle came in: one more of the actor that is known here, or of a new core.
  /// Errors: no_memory, stopped; unsupported where handles do not travel.
  virtual result<actor_core*> adopt_actor(scheduler& home, const object_id& id,
                                          const actor_type& type);
  /// Takes a name for an actor that is `away` and about to be made.   Blocks: until the agent
  /// answers. Errors: already_exists, those of the agent; unsupported where names do not leave the
  /// process.
  virtual result<void> name_actor(actor_core& a, std::string_view space, std::string_view name);
  /// A handle of who has the name elsewhere; null: nobody.   Blocks: until the agent answers.
  virtual result<actor_core*> find_actor(scheduler& home, std::string_view space,
                                         std::string_view name, const actor_type& type);
  /// An actor that is `away` ends, or is not used from here any more.
  virtual void leave_actor(actor_core& a, bool kill) { (void)a, (void)kill; }
  /// The runtime ends: what is still elsewhere comes back at once, as errc::stopped.
  virtual void cancel_all() = 0;
  /// The runtime has no thread any more, and its port closes after this. Nothing else is asked.
  virtual void end() = 0;

 protected:
  ~engine() = default;
};

/// The writer's and reader's context while arguments and results are encoded: refs find the engine
/// through it. `contained` are the ids that were written. `held`: what is read, as a whole; a value
/// that keeps it takes it from there.
struct codec_context {
  scheduler* home = nullptr;
  engine* outside = nullptr;
  std::vector<object_id> contained, awaited;
  held_bytes* held = nullptr;
};

/// Offers a ready cell, or a message on its way into the mailbox, to the engine. True: it has gone.
bool leave_through_engine(context& here, cell& x) noexcept;
/// The same for a task that is to be tried again; false: it runs here. One for a worker process
/// leaves or fails.
bool leave_again(context& here, cell& claimed) noexcept;
/// The end of a call that left, with its result as bytes or its error; a failed one is tried again
/// if its options say so. Releases the queue's reference.
void come_back(cell& x, held_bytes result) noexcept;
void come_back(cell& x, error why) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
