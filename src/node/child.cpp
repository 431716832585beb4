// SPDX-License-Identifier: Apache-2.0
#include "node/child.hpp"

#include <atomic>
#include <iterator>
#include <string_view>
#include <utility>

#include "node/link_error.hpp"
#include "ports/descriptor.hpp"
#include "ports/doorbell.hpp"
#include "ports/uv/uv_port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

constexpr std::string_view role_argument = "--beamlet-child=";
constexpr std::string_view role_names[] = {"worker", "box", "agent",
                                           "probe"};  // in the order of child_role
constexpr int child_socket_number = 3;

std::atomic<bool> child_entry{false};

}  // namespace

std::optional<child_role> child_role_of(int argc, char** argv) {
  // The first only: a program's own arguments are the program's.
  if (argc != 2 || !std::string_view(argv[1]).starts_with(role_argument)) return std::nullopt;
  std::string_view name = std::string_view(argv[1]).substr(role_argument.size());
  for (std::size_t i = 0; i < std::size(role_names); ++i) {
    if (name == role_names[i]) return static_cast<child_role>(i);
  }
  return std::nullopt;
}

result<ports::local_socket> child_socket() {
  ports::descriptor given(child_socket_number);
  // The copy is not for programs that this one starts.
  BEAMLET_TRY(auto own, ports::duplicate(given.number()));
  BEAMLET_TRY(auto socket, ports::local_socket::adopt(std::move(own), link_limits));
  BEAMLET_TRY(auto peer, socket.peer());
  if (peer.user != ports::current_user()) {
    return link_error(errc::permission, "descriptor 3 is a socket of another user");
  }
  return socket;
}

result<std::unique_ptr<socket_agent_link>> connect_child(agent_messages& receiver) {
  BEAMLET_TRY(auto socket, child_socket());
  return socket_agent_link::make(std::move(socket), receiver);
}

void mark_child_entry() noexcept { child_entry.store(true, std::memory_order_relaxed); }
bool child_entry_exists() noexcept { return child_entry.load(std::memory_order_relaxed); }

result<ports::process> spawn_child(child_role role, const std::string& program,
                                   ports::spawn_options options, int socket) {
  if (options.path.empty() && !child_entry_exists()) {
    return link_error(errc::unsupported,
                      "the program's main does not begin with beamlet::run_child(argc, argv), so "
                      "it cannot be started again, as a worker process or as a box's agent");
  }
  std::string argument(role_argument);
  options.arguments = {program, argument.append(role_names[static_cast<std::size_t>(role)])};
  options.descriptors = {{.number = socket, .as = child_socket_number}};
  return ports::process::spawn(options);
}

result<child_process> spawn_child(child_role role, const std::string& program,
                                  ports::spawn_options options) {
  BEAMLET_TRY(auto ends, ports::local_socket::make_pair(link_limits));
  BEAMLET_TRY(auto process, spawn_child(role, program, std::move(options), ends.second.number()));
  return child_process{.process = std::move(process), .socket = std::move(ends.first)};
}

result<std::vector<std::byte>> receive_frame(ports::local_socket& from, base::time_ns timeout_ns) {
  BEAMLET_TRY(auto bell, ports::doorbell::make());
  BEAMLET_TRY(auto clock, ports::make_uv_port());
  const base::time_ns start = clock->now_ns();
  for (;;) {
    BEAMLET_TRY_VOID(from.fill());
    BEAMLET_TRY(auto frame, from.next());
    if (frame) return std::vector<std::byte>(frame->bytes.begin(), frame->bytes.end());
    base::time_ns passed = clock->now_ns() - start;
    if (passed >= timeout_ns) return link_error(errc::timeout, "the other process did not answer");
    ports::wait_ready(from.number(), ports::ready_to_read, bell, timeout_ns - passed);
  }
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
