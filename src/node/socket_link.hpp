// SPDX-License-Identifier: Apache-2.0
#pragma once

// A connection between an agent and a session of another process: encoded messages as the frames of
// a Unix socket. Neither end trusts the other.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "node/link.hpp"
#include "ports/doorbell.hpp"
#include "ports/local_socket.hpp"
#include "ports/port.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What either end takes and queues: the largest message, and room for one more behind it.
inline constexpr ports::socket_limits link_limits{
    .frame_bytes_max = wire::limits::message_bytes_max,
    .queue_bytes_max = 2 * wire::limits::message_bytes_max};

/// The agent's end. Thread: the port's loop thread.
///
/// Lifetime: may be destroyed in a call of its `link_events`; the port must outlive it.
class socket_session_link final : public session_link {
 public:
  /// `socket` was made with link_limits.
  socket_session_link(ports::port& port, ports::local_socket socket)
      : port_(port), socket_(std::move(socket)) {}
  ~socket_session_link() override;

  /// From now on `events` is told, in turns of the port, what arrives from `session`.
  ///
  /// Blocks: no.   Errors: exhausted, no_memory; nothing will be told then.
  /// Lifetime: `events` must live until close() or the destructor.
  result<void> start(link_events& events, std::uint32_t session);

  /// Cost: one system call where nothing is queued.
  /// Errors: also too_large and invalid_argument (wire::encode()).
  result<void> send(wire::to_session message, int segment) override;
  void close() override;

 private:
  static void on_ready(void* user, unsigned events);
  void flush();
  void read();
  void lose(const error& why);
  error read_frames(const bool& gone);
  error read_all_frames(const bool& gone);

  ports::port& port_;
  ports::local_socket socket_;
  std::unique_ptr<ports::watch> watch_;
  link_events* events_ = nullptr;
  std::uint32_t session_ = 0;
  bool closed_ = false;
  bool writing_ = false;  // the watch asks for it
  bool* gone_ = nullptr;  // of a read that runs: it must not touch a link that was destroyed in it
};

/// The session's end. While it is attached to a port, the port's loop thread reads; else who pumps.
///
/// Lifetime: destroyed detached, or on the loop thread; with nobody inside pump() or send(), and
/// not in a call of its `agent_messages`.
class socket_agent_link final : public agent_link {
 public:
  /// `socket` was made with link_limits. `receiver` must outlive the link.
  ///
  /// Thread: any.   Blocks: no.   Errors: exhausted (descriptors).
  static result<std::unique_ptr<socket_agent_link>> make(ports::local_socket socket,
                                                         agent_messages& receiver);
  ~socket_agent_link() override { detach(); }

  /// From now on the port's turns read. `port` must outlive the link, or detach() comes first.
  ///
  /// REQUIRES: not attached, nobody inside pump(); the loop thread, or no thread turns the port yet
  /// (the caller counts as its thread until one does).
  /// Blocks: no.   Errors: exhausted, no_memory, unsupported (a simulation); it is not attached
  /// then.
  result<void> attach(ports::port& port);
  /// REQUIRES: the loop thread, or none turns the port any more; not in a call of the receiver.
  void detach();

  /// Cost: one system call where nothing is queued; the encoding is outside the lock.
  /// Errors: also invalid_argument (wire::encode()).
  /// Limits: what the agent has not taken, up to link_limits, is sent by the thread that reads.
  result<void> send(wire::to_agent message) override;
  void give_up() override { socket_.shut_down(); }
  /// Must not be called from the receiver. Several that pump at once would take each other's
  /// messages while they wait.
  bool pump(std::uint64_t timeout_ns) override;
  bool read_by_this_thread() const override;

 private:
  socket_agent_link(ports::local_socket socket, ports::doorbell bell, agent_messages& receiver);
  static void on_socket(void* user, unsigned events);
  static void on_bell(void* user, unsigned events);
  unsigned wanted();
  bool serve(unsigned events);
  bool read();
  error read_frames(bool& any);

  const int looks_before_sleep_;
  ports::local_socket socket_;
  ports::doorbell bell_;  // there is something queued that the thread which reads does not know of
  agent_messages& receiver_;
  std::mutex sending_;  // the sending half of the socket
  std::mutex reading_;  // its other half, and `lost_`
  bool lost_ = false;
  std::atomic<std::uint64_t> loop_thread_{0};  // 0: not attached
  std::unique_ptr<ports::watch> watch_, bell_watch_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
