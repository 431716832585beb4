// SPDX-License-Identifier: Apache-2.0
#pragma once

// The agent of a private runtime, or of a box: a thread with a port of its own that runs an `agent`
// and gives it what it has not: connections, and worker processes of this program.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "node/agent.hpp"
#include "node/link.hpp"
#include "ports/local_socket.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

struct agent_thread_options {
  agent_options agent;              ///< `life` and `node` are filled in where they are empty
  std::string program = "beamlet";  ///< argv[0] of worker processes
  /// How long a worker process may go on when it has been asked to end, or its connection has
  /// ended; then it is killed.
  base::time_ns worker_end_ns = 5'000'000'000;
  /// Without a program's session for so long the agent ends by itself, as by stop(); before the
  /// first one it waits for `first_session_ns` at least.
  base::time_ns idle_end_ns = base::never_ns;
  base::time_ns first_session_ns = 10'000'000'000;
  /// For tests: what the watch reads instead of the system's.
  std::function<ports::memory_use()> memory = {};
  std::function<void()> on_end = {};  ///< the last call on the agent's thread, however it ends
};

/// Lifetime: what connect() gave may outlive it. In a fork it must only be destroyed.
class agent_thread {
 public:
  /// Thread: any.   Blocks: no.   Errors: exhausted (threads, descriptors), no_memory.
  static result<std::unique_ptr<agent_thread>> start(agent_thread_options options);
  ~agent_thread();
  agent_thread(const agent_thread&) = delete;
  agent_thread& operator=(const agent_thread&) = delete;

  /// A session of this process. `receiver` is called on the agent's thread, until what is returned
  /// is destroyed (local_channel::ends).
  ///
  /// Thread: any.   Blocks: no.   Errors: stopped, agent_lost (it ran out of memory).
  result<std::unique_ptr<agent_link>> connect(agent_messages& receiver);

  /// From now on other programs of this user may connect at `folder`/`name`, until stop().
  ///
  /// Thread: any.   Blocks: for file operations.
  /// Errors: those of ports::local_listener::listen(), as connect().
  /// Limits: who connects is turned away where its end could not be seen (kernels before 5.3).
  result<void> listen(const std::string& folder, const std::string& name);

  /// Runs `what` on the agent's thread, in a later turn; it must return soon. Destroyed without
  /// having run where the agent ends first.
  ///
  /// Thread: any.   Blocks: no.   Errors: as connect().
  result<void> post(std::function<void(agent&)> what);

  /// Asks all sessions to end, waits for the worker processes up to `worker_end_ns`, kills those
  /// that are left, and ends the thread. Sessions that still are connected are told that the agent
  /// is lost. No process and no descriptor is left. Again: nothing happens.
  ///
  /// Thread: any but the agent's, one at a time.   Blocks: yes.
  void stop();

 private:
  class driver;
  explicit agent_thread(std::unique_ptr<driver> driver);

  std::unique_ptr<driver> driver_;
  ports::thread thread_;
  std::uint32_t generation_;
};

/// A connection to an agent that listens at `path`; and the session's end of one, read by who
/// waits.
///
/// Thread: any.   Blocks: no.
/// Errors: connection_refused, busy (ports::local_socket::connect()), permission (another user
/// listens there), exhausted.
result<ports::local_socket> connect_socket_to_box(const std::string& path);
result<std::unique_ptr<agent_link>> connect_to_box(const std::string& path,
                                                   agent_messages& receiver);

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
