// SPDX-License-Identifier: Apache-2.0
#pragma once

// Named boxes: one agent per name and user, at which any program of the user may attach. It listens
// at a socket of the box's name in a folder of the user's. Where none does, a program starts one as
// a process that is nobody's child: it starts itself again as `child_role::box`, which starts the
// `child_role::agent` and ends. Of several that start one at once the listener's lock lets one
// through; the other agents end at once, and all programs attach to the one that is there.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/codec_containers.hpp"
#include "beamlet/base/codec_fields.hpp"
#include "beamlet/base/codec_std.hpp"
#include "beamlet/base/log.hpp"
#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "node/agent.hpp"
#include "node/agent_limits.hpp"
#include "node/child.hpp"
#include "node/link.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

inline constexpr std::size_t box_name_bytes_max = 64;
/// One of the strangers that share a box builds in, and pins, one part of so many of its memory at
/// a time: what a program that leaks holds leaves as much for the others.
inline constexpr std::uint64_t box_session_share = 2;
/// How long an agent that a program started waits for its first session, at least.
inline constexpr base::time_ns first_session_wait_ns = 10'000'000'000;

/// What the agent of a box is to be. It travels between processes of one program only.
struct box_order {
  std::string folder, name;
  std::vector<std::pair<std::string, double>> resources;  ///< beside its processors
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;    ///< of the objects
  std::string spill_folder;                               ///< empty: none
  std::uint64_t spill_bytes = 0;
  std::uint32_t workers_max = 64;
  /// Without a session for so long it ends; base::never_ns: it stays.
  std::uint64_t idle_ns = base::never_ns;
  double memory_usage_threshold = memory_usage_threshold_default;  ///< agent_options'
  /// store::options', of each session; 0: the part of `memory_bytes` that box_session_share says.
  std::uint64_t session_lease_bytes = 0, session_pinned_bytes = 0;
  bool strict_objects = false;
  BEAMLET_FIELDS(folder, name, resources, memory_bytes, spill_folder, spill_bytes, workers_max,
                 idle_ns, memory_usage_threshold, session_lease_bytes, session_pinned_bytes,
                 strict_objects);
};

/// The agent that keeps to the limits in `order`, of a box or of one program.
agent_options agent_options_of(const box_order& order);

/// Where the sockets of this user's boxes are: $BEAMLET_RUNTIME_DIR, else $XDG_RUNTIME_DIR/beamlet,
/// else a folder in /tmp that has the user's number in its name.
///
/// REQUIRES: no thread changes the environment meanwhile.   Thread: any.
std::string box_folder();

/// Where the agent of a box that a program started has its log; it goes on in the same file each
/// time. `beamlet status` shows it.
std::string box_log_path(const std::string& folder, const std::string& name);

/// Letters, digits, '-', '_' and '.', and no name that a file of another box could have.
///
/// Errors: invalid_argument.
result<void> check_box_name(const std::string& name);

/// The names in `folder` at which somebody listens, or did until it died; none where it cannot be
/// read.
std::vector<std::string> boxes_in(const std::string& folder);

/// A session's end of a connection to the agent of the box `name`, read by a thread of its own.
///
/// Thread: any.   Blocks: no.
/// Errors: connection_refused (there is no such box), busy, permission (another user listens
/// there), invalid_argument (the path is too long), exhausted.
result<std::unique_ptr<agent_link>> attach_to_box(const std::string& folder,
                                                  const std::string& name,
                                                  agent_messages& receiver);

/// Starts an agent for the box; when it has returned somebody listens, or is about to.
///
/// Thread: any.   Blocks: until it listens, or the time has passed.
/// Errors: unsupported (no child entry), timeout, and why the agent could not begin: permission
/// (the folder), invalid_argument, exhausted, not_found.
result<void> start_box(const box_order& order, base::time_ns timeout_ns);

/// Is the agent of the box until SIGTERM or SIGINT comes, or `order.idle_ns` has passed; then its
/// sessions are asked to end. `ready` is called when it listens; `log` gets its warnings. Without
/// one it keeps a log file of its own: when it began and ended, sessions, ends of processes.
///
/// REQUIRES: the process has one thread, and no other purpose.
/// Blocks: yes.   Errors: as start_box(), already_exists, busy (local_listener::listen()).
result<void> run_box(const box_order& order, const std::function<void()>& ready,
                     const log_sink& log = {});

/// What main becomes in one of the two roles. Returns the exit code.
int run_box_child(child_role role);

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
