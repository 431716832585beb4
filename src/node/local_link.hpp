// SPDX-License-Identifier: Apache-2.0
#pragma once

// A connection between an agent and a session of the same process. Messages go as they are: to the
// agent through a queue that its thread empties, to the session by a direct call from that thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "node/link.hpp"
#include "ports/port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What the agent's thread has not taken yet: so many messages, and so many bytes of inline values.
inline constexpr std::size_t local_queue_messages_max = std::size_t{1} << 16;
inline constexpr std::size_t local_queue_bytes_max = std::size_t{64} << 20;

/// What both ends share. The ends keep it; the driver of the agent keeps it to call hand_over().
class local_channel {
 public:
  struct ends;
  /// `port` is the agent's: woken when there is something for hand_over().
  ///
  /// Thread: any.   Blocks: no.
  /// Lifetime: `receiver` until the session's end is destroyed; `port` until the agent's end is.
  static ends make(ports::port& port, agent_messages& receiver);

  /// Hands what the session has sent to `events`, and that it is gone. False when one of the ends
  /// is gone, and nothing will come any more.
  ///
  /// Thread: the agent's.   Blocks: no.   Cost: a load where nothing was sent; else one lock.
  bool hand_over(link_events& events, std::uint32_t session);
  /// Whether the session's end was destroyed.   Thread: any.
  bool session_gone() const;

  // -- of the ends (see link.hpp)
  result<void> to_agent(wire::to_agent message);
  result<void> to_session(wire::to_session message, int segment);
  void agent_leaves();
  void session_leaves();
  void session_gives_up();

  local_channel(ports::port& port, agent_messages& receiver) : port_(port), receiver_(receiver) {}

 private:
  ports::port& port_;
  agent_messages& receiver_;

  mutable std::mutex lock_;  // of the queue, and held while the port is woken: it lives that long
  std::vector<wire::to_agent> queue_;
  std::size_t queue_bytes_ = 0;
  bool agent_gone_ = false, session_gone_ = false, given_up_ = false;
  std::atomic<bool> waiting_{false};  // there is something for hand_over()

  // Held in a call of the receiver, so that the session can be destroyed after its end is; taken
  // again by a session that lets go of its end in such a call.
  std::recursive_mutex calling_;
  bool deaf_ = false;
  std::vector<wire::to_agent> taken_;  // of hand_over(), for its memory
};

/// `session_end` may be destroyed on any thread, in a call of its receiver too: it waits for a call
/// that runs on another thread, so not under a lock that the receiver takes.
struct local_channel::ends {
  std::shared_ptr<local_channel> channel;
  std::unique_ptr<session_link> agent_end;
  std::unique_ptr<agent_link> session_end;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
