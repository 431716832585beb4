// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/ledger.hpp>
#include <beamlet/base/log.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What a thread that is in no task may run while it waits in `get`.
enum class help : std::uint8_t {
  nothing,   ///< it sleeps
  awaited,   ///< only what it waits for, on its own stack (default)
  anything,  ///< it is one more worker as long as it waits, and its tasks go into a queue of its
             ///< own
};

/// How a runtime ends.
struct stop_options {
  /// True: what was submitted is finished first. False: what has not started is dropped, what runs
  /// sees `this_task::cancelled()`.
  bool drain = false;
  /// How long to drain; what is left then is dropped.
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(30);
};

/// What `stop` did.
struct stop_report {
  std::uint64_t completed = 0;  ///< tasks and calls that ran since the start
  std::uint64_t dropped = 0;    ///< of those not run: their refs hold errc::stopped
  bool drained = false;         ///< nothing was dropped
};

namespace sched {

struct scheduler_options {
  unsigned workers = 0;  ///< 0: tasks run on the loop's thread
  unsigned spare_threads_max = 16;
  unsigned blocking_threads_max = 64;
  std::size_t stack_bytes = 0;
  help get_helps = help::awaited;
  std::uint64_t tasks_max = std::uint64_t{1} << 26;
  std::vector<std::pair<std::string, double>> resources;
  double cpus = 0;  ///< of the ledger
  std::size_t timeline_events = 0;
  /// The timeline keeps samples only, until somebody wants all (scheduler_face::traces).
  bool traces_on_demand = false;
  void (*thread_hook)(void* user, unsigned index) = nullptr;
  void* thread_hook_user = nullptr;
  bool pin_threads = false;
  /// So long after a task the loop's thread polls without sleeping: what comes by it is awaited.
  std::uint64_t loop_looks_ns = 0;
  std::string thread_name = "beamlet";
  void* port = nullptr;  ///< a ports::port to take over; null: libuv with a loop of its own
  unsigned simulated_workers = 0;
  log_sink log;
  beamlet::log_level log_level = beamlet::log_level::warning;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
