// SPDX-License-Identifier: Apache-2.0
#pragma once

// What `node_state` remembers of sessions, waits, tasks and actors. Next to no behaviour.

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/event.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

struct session {
  std::uint64_t functions_hash = 0;
  std::uint32_t slots = 0;
  std::uint64_t pool = 0;     ///< 0: a program's, not a worker process
  std::uint32_t program = 0;  ///< its session: itself, or for whom the worker process ran last
  std::uint32_t depth = 0;    ///< of the calls that it submits
  bool draining = false;      ///< gets no new calls
  bool killed = false;
  std::uint32_t calls = 0;          ///< run so far
  std::uint64_t idle_since_ns = 0;  ///< of a worker process without a call
  std::uint64_t begun = 0;          ///< when it was given its last call, in counts
  std::set<object_id> running;      ///< tasks and creations given to it: these take slots
  std::set<object_id> serving;      ///< calls given to actors that live there
  std::set<object_id> actors;       ///< that live there
  std::set<object_id> submitted;    ///< calls of its own that have not ended
  std::map<std::uint64_t, std::uint64_t> tickets;  ///< its requires: ticket to the wait's key
  struct loan {
    std::int64_t amount = 0, recalled = 0;
  };
  std::map<std::uint32_t, loan> borrowed;  ///< for what runs in it, by resource
  std::size_t borrows = 0;                 ///< asked for, not answered
};

/// A `borrow` that waits until all of it is there.
struct borrow_request {
  std::uint32_t session = 0;
  std::uint64_t ticket = 0;
  std::vector<quantity> needs;
};

/// A `require`, or the arguments of a call: a set that waits to be sealed, then to be pinned.
struct wait {
  object_id task;             ///< null: a `require`
  std::uint32_t session = 0;  ///< who required, or where the call is to run
  std::uint64_t ticket = 0;
  std::vector<object_id> objects;
  std::size_t missing = 0;
  std::uint8_t urgency = 0;
  std::uint64_t deadline_ns = ~std::uint64_t{0};
  bool pinning = false;
};

/// Tasks that may take each other's place: same urgency, same program, same workers, same needs.
struct work_class {
  std::uint8_t urgency = 0;
  std::uint32_t program = 0;
  std::uint32_t depth = 0;  ///< of a program's own 0, of those that such a call submits 1, ...
  std::uint64_t pool = 0;
  std::uint64_t functions_hash = 0;
  std::vector<std::pair<std::uint32_t, std::int64_t>> needs;
  friend auto operator<=>(const work_class&, const work_class&) = default;
};

/// What a program has of the box.
struct share {
  std::size_t running = 0;   ///< its tasks and creations that have a cpu, or are about to
  std::uint64_t served = 0;  ///< when the last of them began
};

struct task {
  enum class state : std::uint8_t {
    waiting,  ///< for its arguments
    resting,  ///< until it may be tried again
    queued,   ///< for resources, or its turn at the actor
    granted,  ///< has them, waits for a worker process
    pinning,  ///< has a session; its arguments are being pinned for it
    running,
  };
  wire::call what;
  state at = state::waiting;
  std::uint32_t submitter = 0;
  std::uint64_t functions_hash = 0;
  std::int32_t retries_left = 0;  ///< -1: no end
  bool cancelled = false;         ///< while it ran: no more attempts
  std::uint64_t rests_until_ns = 0;
  std::uint32_t session = 0;   ///< pinning, running
  std::uint64_t wait_key = 0;  ///< until it runs
  std::uint64_t order = 0;     ///< in the queue of its class
  work_class kind;
  std::vector<quantity> needs;
  bool has_needs = false;        ///< taken from the ledger
  bool lent = false;             ///< ... but its cpu: it waits
  std::set<object_id> children;  ///< submitted by it, not ended
};

/// One caller's calls to one actor that were not delivered yet, by sequence.
struct caller {
  struct turn {
    object_id task;  ///< null: those from here until `until` ended before their turn
    std::uint64_t until = 0;
  };
  std::uint64_t next = 0;  ///< all below were delivered once
  bool busy = false;       ///< the first one is being pinned
  std::map<std::uint64_t, turn> held;
};

using caller_key = std::pair<std::uint32_t, std::uint64_t>;  ///< session, number there

struct actor {
  enum class state : std::uint8_t { creating, alive, ended };
  state at = state::creating;
  wire::call creation;
  std::uint32_t submitter = 0;
  std::uint64_t functions_hash = 0;
  std::int32_t restarts_left = 0;  ///< -1: no end
  bool holds_arguments = false;    ///< for a restart
  bool ending = false;             ///< takes no more calls
  std::uint32_t session = 0;       ///< alive: where
  work_class kind;                 ///< of the creation
  std::vector<quantity> needs;     ///< of the creation
  std::vector<quantity> taken;     ///< alive: kept for life
  std::map<caller_key, caller> callers;
  std::set<object_id> calls;  ///< not ended
  std::size_t given = 0;      ///< of them, in its process or about to be
  std::size_t lent = 0;       ///< of those, that wait and need no cpu
  std::int64_t cpu = 0;       ///< taken for those that run
  std::uint64_t turn = 0;     ///< it waits for a cpu since; 0: it does not
  caller_key last_given;      ///< whose
  error why;                  ///< it ended
};

/// Worker processes that may run each other's calls.
struct pool {
  need_worker what;
  std::size_t starting = 0;
  std::vector<object_id> granted;  ///< tasks that wait for one, the oldest first
};

/// Every object that a call holds until it ends: arguments, and refs inside inline ones.
template <class Fn>
void for_each_held(const wire::call& c, Fn&& fn) {
  for (const wire::argument& argument : c.arguments) {
    if (!argument.object.is_null()) fn(argument.object);
    for (const object_id& inner : argument.contained) fn(inner);
  }
}

/// What makes two pools one.
struct pool_key {
  std::uint64_t functions_hash = 0;
  std::vector<std::string> environment;
  std::uint64_t memory_max = 0, cpu_ms_max = 0;
  friend auto operator<=>(const pool_key&, const pool_key&) = default;
};

inline pool_key key_of_pool(std::uint64_t functions_hash, const wire::call_options& o) {
  return {functions_hash, o.environment, o.memory_max, o.cpu_ms_max};
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
