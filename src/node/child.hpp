// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a program finds out that it was started by an agent: by an argument that the agent gives, and
// a socket as descriptor 3. Both ends of that are here.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "beamlet/base/codec.hpp"
#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "node/socket_link.hpp"
#include "ports/local_socket.hpp"
#include "ports/processes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What a process that runs this program again is for. A worker process ends when its agent is gone
/// (`agent_messages::on_lost`), whatever it does then: nobody would know of it. The others are of
/// box.hpp: `box` starts the `agent` of a box, which then is nobody's child, and ends. `probe`
/// looks for devices (device_probe.hpp).
enum class child_role : std::uint8_t { worker, box, agent, probe };

/// What the arguments of `main` say; none: the program was started by somebody else.
///
/// Thread: any.   Blocks: no.
std::optional<child_role> child_role_of(int argc, char** argv);

/// Takes descriptor 3, the connection to who started this process. What this process starts in turn
/// does not get it.
///
/// REQUIRES: child_role_of() says that this is a child; called once.
/// Errors: invalid_argument (somebody else gave such arguments: 3 is no socket), permission (one of
/// another user), exhausted.
result<ports::local_socket> child_socket();

/// Of a worker process: speaks to the agent through it.   Errors: as child_socket().
result<std::unique_ptr<socket_agent_link>> connect_child(agent_messages& receiver);

/// Says that `main` looks for a role before it does anything else: only then may an agent start
/// this program again, because otherwise all of the program would run.
///
/// Thread: any.
void mark_child_entry() noexcept;
bool child_entry_exists() noexcept;

struct child_process {
  ports::process process;
  ports::local_socket socket;  ///< to be made a socket_session_link
};

/// Starts this program again as `role`, or the one that `options.path` names and that is known to
/// have an entry, with the changes and limits in `options`; `program` is its argv[0].
///
/// Thread: any.   Blocks: about a millisecond (process::spawn()).
/// Errors: unsupported (no child entry, or no /proc), and those of process::spawn().
result<child_process> spawn_child(child_role role, const std::string& program,
                                  ports::spawn_options options);

/// The same with a descriptor 3 that is there already, which stays the caller's.
result<ports::process> spawn_child(child_role role, const std::string& program,
                                   ports::spawn_options options, int socket);

/// The first frame that comes.
///
/// Blocks: until then.   Errors: timeout, closed (the other process has ended), malformed.
result<std::vector<std::byte>> receive_frame(ports::local_socket& from, base::time_ns timeout_ns);

/// Sends a value, which is far smaller than what a socket takes at once, as one frame.
///
/// Blocks: no.   Errors: too_large, closed.
template <class T>
result<void> send_whole(ports::local_socket& to, const T& what) {
  BEAMLET_TRY(auto bytes, encode_to(what));
  BEAMLET_TRY_VOID(to.send(bytes));
  if (to.unsent_bytes() == 0) return {};
  return error(errc::too_large, error_layer::node);
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
