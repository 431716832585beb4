// SPDX-License-Identifier: Apache-2.0
#include "node/child.hpp"

#include <atomic>
#include <string_view>
#include <utility>

#include "node/link_error.hpp"
#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

constexpr std::string_view worker_argument = "--beamlet-child=worker";
constexpr int child_socket_number = 3;

std::atomic<bool> child_entry{false};

}  // namespace

std::optional<child_role> child_role_of(int argc, char** argv) {
  // The first only: a program's own arguments are the program's.
  if (argc == 2 && argv[1] == worker_argument) return child_role::worker;
  return std::nullopt;
}

result<std::unique_ptr<socket_agent_link>> connect_child(agent_messages& receiver) {
  ports::descriptor given(child_socket_number);
  // The copy is not for programs that this one starts.
  BEAMLET_TRY(auto own, ports::duplicate(given.number()));
  BEAMLET_TRY(auto socket, ports::local_socket::adopt(std::move(own), link_limits));
  BEAMLET_TRY(auto peer, socket.peer());
  if (peer.user != ports::current_user()) {
    return link_error(errc::permission, "descriptor 3 is a socket of another user");
  }
  return socket_agent_link::make(std::move(socket), receiver);
}

void mark_child_entry() noexcept { child_entry.store(true, std::memory_order_relaxed); }
bool child_entry_exists() noexcept { return child_entry.load(std::memory_order_relaxed); }

result<child_process> spawn_child(child_role, const std::string& program,
                                  ports::spawn_options options) {
  if (!child_entry_exists()) {
    return link_error(errc::unsupported,
                      "the program's main does not begin with beamlet::run_child(argc, argv), so "
                      "it cannot be started as a worker process");
  }
  BEAMLET_TRY(auto ends, ports::local_socket::make_pair(link_limits));
  options.path.clear();
  options.arguments = {program, std::string(worker_argument)};
  options.descriptors = {{.number = ends.second.number(), .as = child_socket_number}};
  BEAMLET_TRY(auto process, ports::process::spawn(options));
  return child_process{.process = std::move(process), .socket = std::move(ends.first)};
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
