// SPDX-License-Identifier: Apache-2.0
#pragma once

// What goes into and comes out of `node_state`. The agent is the only one who knows both this and
// the store, sockets and processes; it carries out the actions of a step in their order before it
// makes the next one, and tells their outcome as events.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// A node in one of its lives: after a restart it is another one.
struct node_id {
  std::uint64_t node = 0;
  std::uint32_t boot = 0;
  friend auto operator<=>(const node_id&, const node_id&) = default;
};

// -- events

/// A session said hello. Numbers of sessions are not used again within one boot epoch.
struct session_opened {
  std::uint32_t session = 0;
  std::uint64_t functions_hash = 0;  ///< only calls from programs with the same hash come here
  std::uint32_t slots = 0;           ///< calls it runs at a time; 0: it only submits
  std::uint64_t pool = 0;            ///< of a worker process: what `need_worker` said; else 0
};

/// In the order in which the session sent them. `hello lease unlease unpin mapped unmapped bye` are
/// the agent's own business; here they do nothing.
struct session_said {
  std::uint32_t session = 0;
  wire::to_agent what;
};

/// Its connection is closed. `signal` and `how` say what ended the process, as far as is known.
struct session_ended {
  std::uint32_t session = 0;
  std::int32_t signal = 0;
  std::string how;  ///< empty, or a sentence such as "the memory limit was reached"
  /// It was ended on behalf of `memory_short`, of which `how` tells all.
  bool out_of_memory = false;
};

/// The process is really gone: nobody writes to its memory any more.
struct session_gone {
  std::uint32_t session = 0;
};

/// A worker process that `need_worker` asked for does not come.
struct worker_failed {
  std::uint64_t pool = 0;
  error why;
};

/// The answer to `adopt`.
struct adopted {
  object_id id;
  error why;  ///< errc::ok, or what is wrong with the range
};

/// The answer to `pin_set`: a place for each object asked for, in that order, or an error.
struct pinned {
  std::uint64_t key = 0;
  std::uint32_t session = 0;
  std::vector<object_id> objects;
  std::vector<wire::extent> places;
  error why;
  object_id lost;  ///< with errc::object_lost: which
};

/// The store finds that it no longer has a sealed object's bytes.
struct object_lost {
  object_id id;
};

/// Time has passed (`set_timer`).
struct tick {};

/// The box has next to no memory left: one worker process is to end, and those without a call.
struct memory_short {};

using event = std::variant<session_opened, session_said, session_ended, session_gone, worker_failed,
                           adopted, pinned, object_lost, tick, memory_short>;

// -- actions

struct send {
  std::uint32_t session = 0;
  wire::to_session what;
};

/// To the store: seal this range, which must lie in a lease of the session. Answer: `adopted`.
struct adopt {
  std::uint32_t session = 0;
  object_id id;
  wire::extent where;
};

/// To the store: nobody wants what the session made there; the range is its own again.
struct discard {
  std::uint32_t session = 0;
  wire::extent where;
};

/// To the store: pin all of them for this session, or none. Answer: `pinned`, once.
struct pin_set {
  std::uint64_t key = 0;
  std::uint32_t session = 0;
  std::vector<object_id> objects;
  std::uint8_t urgency = 0;
  std::uint64_t deadline_ns = ~std::uint64_t{0};
};

/// To the store: forget this `pin_set` if it still waits there. If it was answered meanwhile, the
/// answer is met by `unpin`.
struct cancel_pins {
  std::uint64_t key = 0;
};

/// To the store: give back the pins of an answer that came too late.
struct unpin {
  std::uint32_t session = 0;
  std::vector<object_id> objects;
};

/// To the store: nobody holds it. Its memory goes when its pins have gone.
struct drop {
  object_id id;
};

/// The same of an inline value: whoever shows it may stop.
struct forget {
  object_id id;
};

/// To the store: take back all that the session had leased and not published, and its pins.
struct reclaim {
  std::uint32_t session = 0;
};

/// Start a worker process; it opens a session with this pool, or `worker_failed` says why not.
struct need_worker {
  std::uint64_t pool = 0;
  std::uint64_t functions_hash = 0;
  std::vector<std::string> environment;
  std::uint64_t memory_max = 0, cpu_ms_max = 0;
};

/// End the worker process behind this session by force.
struct kill_worker {
  std::uint32_t session = 0;
  bool for_memory = false;  ///< the answer to `memory_short`
};

/// Step a `tick` at this time at the latest. Replaces the earlier one.
struct set_timer {
  std::uint64_t at_ns = 0;
};

using action = std::variant<send, adopt, discard, pin_set, cancel_pins, unpin, drop, reclaim,
                            need_worker, kill_worker, set_timer, forget>;
using actions = std::vector<action>;

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
