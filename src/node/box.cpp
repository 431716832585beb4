// SPDX-License-Identifier: Apache-2.0
#include "node/box.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "beamlet/version.hpp"
#include "node/agent_thread.hpp"
#include "node/box_log.hpp"
#include "node/link_error.hpp"
#include "node/reading_link.hpp"
#include "ports/end_signals.hpp"
#include "ports/threads.hpp"
#include "ports/uv/uv_port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

constexpr char agent_program[] = "beamlet-agent";

// What an agent says when it has begun, or could not.
struct box_answer {
  std::uint16_t code = 0;
  std::string message;
  BEAMLET_FIELDS(code, message);
};

void send_answer(ports::local_socket& to, const error& why) {
  box_answer answer{.code = static_cast<std::uint16_t>(why.code()),
                    .message = std::string(why.message())};
  (void)send_whole(to, answer);  // where nobody waits any more there is nobody to tell
}

// What is said of no session is a share, as the programs are strangers to each other.
agent_thread_options options_of(const box_order& order) {
  agent_thread_options made;
  made.agent = agent_options_of(order);
  made.agent.cpus = ports::usable_cpus();
  const std::uint64_t share = order.memory_bytes / box_session_share;
  if (order.session_lease_bytes == 0) made.agent.store.session_lease_bytes = share;
  if (order.session_pinned_bytes == 0) made.agent.store.session_pinned_bytes = share;
  made.idle_end_ns = order.idle_ns;
  made.on_end = ports::send_end_signal;
  return made;
}

std::string beginning_of(const box_order& order) {
  return "the agent of the box '" + order.name + "' begins: process " +
         std::to_string(ports::process_id()) + ", beamlet " +
         std::to_string(BEAMLET_VERSION_MAJOR) + '.' + std::to_string(BEAMLET_VERSION_MINOR) + '.' +
         std::to_string(BEAMLET_VERSION_PATCH) + ", " + std::to_string(ports::usable_cpus()) +
         " processors, " + std::to_string(order.memory_bytes >> 20) + " MiB of objects, at most " +
         std::to_string(order.workers_max) + " worker processes";
}

// The process in between: it ends as soon as the agent runs, which then has no parent to wait for
// it.
int start_agent() {
  auto socket = child_socket();
  if (!socket.has_value()) return 1;
  ports::spawn_options apart;
  apart.detached = true;
  auto agent = spawn_child(child_role::agent, agent_program, std::move(apart), socket->number());
  if (agent.has_value()) agent->leave();
  else send_answer(*socket, agent.error());
  return agent.has_value() ? 0 : 1;
}

int be_agent() {
  std::optional<ports::local_socket> starter;
  if (auto socket = child_socket(); socket.has_value()) starter = *std::move(socket);
  else return 1;
  auto bytes = receive_frame(*starter, first_session_wait_ns);
  if (!bytes.has_value()) return 1;
  auto order = decode_from<box_order>(*bytes);
  if (!order.has_value()) return 1;
  // The folder of who started it is nobody's any more: it must not be kept in use, and may go.
  (void)ports::enter_folder("/");
  auto ran = run_box(*order, [&starter] {
    send_answer(*starter, {});
    starter.reset();
  });
  if (starter) send_answer(*starter, ran.error());
  return ran.has_value() ? 0 : 1;
}

}  // namespace

agent_options agent_options_of(const box_order& order) {
  agent_options made;
  made.resources = order.resources;
  made.store.memory_bytes = order.memory_bytes;
  made.store.shared_bytes = order.memory_bytes / 8;
  made.store.segment_bytes = std::min(made.store.segment_bytes, order.memory_bytes / 8);
  if (order.session_lease_bytes != 0) made.store.session_lease_bytes = order.session_lease_bytes;
  if (order.session_pinned_bytes != 0) made.store.session_pinned_bytes = order.session_pinned_bytes;
  if (!order.spill_folder.empty()) made.store.spill_bytes = order.spill_bytes;
  made.spill_folder = order.spill_folder;
  made.limits.workers_max = order.workers_max;
  if (order.strict_objects) made.store.whole_from_bytes = strict_from_bytes;
  made.memory_usage_threshold = order.memory_usage_threshold;
  return made;
}

std::string box_folder() {
  const char* own = std::getenv("BEAMLET_RUNTIME_DIR");
  if (own != nullptr && *own != '\0') return own;
  const char* users = std::getenv("XDG_RUNTIME_DIR");
  if (users != nullptr && *users != '\0') return std::string(users) + "/beamlet";
  return "/tmp/beamlet-" + std::to_string(ports::current_user());
}

std::string box_log_path(const std::string& folder, const std::string& name) {
  return folder + '/' + name + ".log";
}

result<void> check_box_name(const std::string& name) {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!name.empty() && name.size() <= box_name_bytes_max && name.front() != '.' &&
      !name.ends_with(".lock") && !name.ends_with(".log") && !name.ends_with(".log.1") &&
      std::all_of(name.begin(), name.end(), fits)) {
    return {};
  }
  return link_error(errc::invalid_argument,
                    "a box cannot be called '" + name.substr(0, box_name_bytes_max) +
                        "': its name has 1 to " + std::to_string(box_name_bytes_max) +
                        " letters, digits, '-', '_' and '.', does not begin with '.' and does not "
                        "end with '.lock', '.log' or '.log.1'");
}

std::vector<std::string> boxes_in(const std::string& folder) {
  auto names = ports::socket_names(folder);
  return names.has_value() ? *std::move(names) : std::vector<std::string>();
}

result<std::unique_ptr<agent_link>> attach_to_box(const std::string& folder,
                                                  const std::string& name,
                                                  agent_messages& receiver) {
  BEAMLET_TRY_VOID(check_box_name(name));
  BEAMLET_TRY(auto socket, connect_socket_to_box(folder + "/" + name));
  return reading_link::make(std::move(socket), receiver);
}

result<void> start_box(const box_order& order, base::time_ns timeout_ns) {
  BEAMLET_TRY_VOID(check_box_name(order.name));
  BEAMLET_TRY(auto child, spawn_child(child_role::box, agent_program, {}));
  BEAMLET_TRY_VOID(send_whole(child.socket, order));
  auto bytes = receive_frame(child.socket, timeout_ns);
  if (!bytes.has_value()) {
    return link_error(bytes.error() == errc::timeout ? errc::timeout : errc::unknown,
                      "the agent of the box '" + order.name + "' could not be started",
                      bytes.error());
  }
  BEAMLET_TRY(auto answer, decode_from<box_answer>(*bytes));
  auto code = static_cast<errc>(answer.code);
  // Somebody was quicker.
  if (code == errc::ok || code == errc::already_exists || code == errc::busy) return {};
  return link_error(code, "the agent of the box '" + order.name + "' could not be started",
                    link_error(code, answer.message));
}

result<void> run_box(const box_order& order, const std::function<void()>& ready,
                     const log_sink& log) {
  BEAMLET_TRY_VOID(check_box_name(order.name));
  ports::hold_end_signals();
  agent_thread_options options = options_of(order);
  box_log file;  // goes on after the agent, which writes to it
  const bool own_log = log.write == nullptr;
  if (own_log) options.agent.log_file = box_log_path(order.folder, order.name);
  options.agent.log = own_log ? file.sink() : log;
  options.agent.log_level =
      log_level_from_environment(own_log ? log_level::info : log_level::warning);
  BEAMLET_TRY(auto agent, agent_thread::start(std::move(options)));
  BEAMLET_TRY_VOID(agent->listen(order.folder, order.name));
  // Only who listens may: of several that begin at once the others end here. Without a log it
  // serves as well.
  if (own_log && file.open(box_log_path(order.folder, order.name)).has_value())
    file.say(log_level::info, beginning_of(order));
  ready();
  ports::wait_for_end_signal();
  agent->stop();
  file.say(log_level::info, "the agent has ended");
  return {};
}

int run_box_child(child_role role) { return role == child_role::box ? start_agent() : be_agent(); }

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
