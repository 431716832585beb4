// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "beamlet/runtime/runtime.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

class agent_engine;

/// Of runtimes that name none, and how worker processes are told of another one.
inline constexpr char default_name_space[] = "default",
                      name_space_variable[] = "BEAMLET_NAME_SPACE";
/// How worker processes of a box are told the working directory of their program.
inline constexpr char folder_variable[] = "BEAMLET_FOLDER";

/// What uses devices, from when it is first needed (device_service.hpp). A program without device
/// tasks is linked without it.
class device_host {
 public:
  virtual ~device_host() = default;
  /// The object store is full: objects that devices hold for later use are let go of.
  virtual void on_pressure() = 0;
};

struct runtime_core {
  ~runtime_core();

  std::string name_space = default_name_space;
  std::string folder;  // where worker processes of a box are to be; empty: where they begin
  std::uint32_t fork_generation = 0;
  runtime_options options;  // of the start; argv is not kept
  std::mutex agent_lock;
  std::shared_ptr<agent_engine> agent;  // made when something first needs it; outlives `home`
  std::mutex devices_lock;
  std::shared_ptr<device_host> devices;  // ends behind the last task, before `home`
  std::unique_ptr<sched::scheduler> home;
};

/// What `run_child` brings into a program; agent_support.cpp calls it for the functions below.
struct agent_support {
  result<void> (*ensure)(sched::scheduler& home);
  result<void> (*attach)(runtime_core& core);
  void (*collect)(agent_engine& agent);
  memory_source& (*memory)(agent_engine& agent);
};
inline std::atomic<const agent_support*> agent_support_here{nullptr};

/// The runtime's agent, started when something first leaves this process.
///
/// Blocks: until it runs.   Errors: unsupported (main does not call run_child), no_memory,
/// exhausted.
result<void> ensure_agent(sched::scheduler& home);
/// Attaches to the box that the options name, and starts its agent where there is none.
///
/// Blocks: until the agent has answered.   Errors: those of runtime_options::box.
result<void> attach_box(runtime_core& core);
/// What worker processes have told so far goes into the timeline.   Blocks: a second at most.
void collect_runs(runtime_core& core);
/// Where large results are to lie: the object store, once there is one, else the heap.
memory_source& memory_of_results(runtime_core& core);
/// NAME=VALUE of each.   Errors: invalid_argument.
result<std::vector<std::string>> environment_of(const runtime_env& env);

/// Error: forked. In a child process the runtime's threads do not exist.
result<void> check_fork(sched::scheduler& home) noexcept;

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
