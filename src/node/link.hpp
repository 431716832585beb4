// SPDX-License-Identifier: Apache-2.0
#pragma once

// How messages travel between an agent and one of its sessions: by a Unix socket between processes,
// or as they are within one process. Either way in order, and each side sees when the other is
// gone.

#include <cstdint>
#include <memory>
#include <string>

#include "beamlet/base/result.hpp"
#include "ports/descriptor.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// The agent's end. Thread: the agent's.
class session_link {
 public:
  virtual ~session_link() = default;

  /// Sends, or queues within the link's bound. `segment`: the descriptor that goes with a
  /// `new_segment`, else -1; it stays the caller's.
  ///
  /// Blocks: no.   Errors: closed, queue_full (the session does not read: it has to be ended),
  /// exhausted (descriptors).
  virtual result<void> send(wire::to_session message, int segment = -1) = 0;

  /// Ends the connection. Nothing arrives any more after it.
  virtual void close() = 0;
};

/// What a link tells its agent. Thread: the agent's.
class link_events {
 public:
  /// In the order sent. Malformed input is told as `on_closed` with the reason.
  virtual void on_message(std::uint32_t session, wire::to_agent message) = 0;
  /// The session's end is closed, or cannot be read any more; once. The link may be destroyed in
  /// it. `why`: errc::closed for an orderly end.
  virtual void on_closed(std::uint32_t session, const error& why) = 0;

 protected:
  ~link_events() = default;
};

/// The session's end.
class agent_link {
 public:
  virtual ~agent_link() = default;

  /// Sends, or queues within the link's bound.
  ///
  /// Thread: any.   Blocks: no.
  /// Errors: agent_lost (it is gone), queue_full, too_large, no_memory.
  virtual result<void> send(wire::to_agent message) = 0;

  /// Ends the connection from this side, for want of memory: nothing is sent any more, and the
  /// thread that reads will tell `on_lost`, not inside this call.
  ///
  /// Thread: any.   Blocks: no.   Needs no memory.
  virtual void give_up() = 0;

  /// Reads what has come and hands it to the receiver, on this thread; waits for something until
  /// the time has passed, or less: the caller looks at its clock and asks again. For who would
  /// otherwise wait for a message that only its own thread reads. One within one process has
  /// nothing to read, and returns at once: there the agent's thread hands over.
  ///
  /// Thread: any, one at a time inside.   Blocks: up to `timeout_ns`.
  /// Returns whether something was handed over.
  virtual bool pump(std::uint64_t timeout_ns) = 0;

  /// Whether this thread is the one that would read next: it must pump instead of waiting.
  virtual bool read_by_this_thread() const = 0;
};

/// What a link tells its session, from the thread that reads. Must not block.
class agent_messages {
 public:
  /// `segment`: comes with `new_segment`.
  virtual void on_message(wire::to_session message, ports::descriptor segment) = 0;
  /// The agent is gone; once, and nothing comes after it.
  virtual void on_lost(const error& why) = 0;

 protected:
  ~agent_messages() = default;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
