// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <beamlet/config.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What one function has cost so far, here and, for calls from here, in worker processes.
struct function_stats {
  std::string name;
  std::uint64_t calls = 0, errors = 0;
  std::uint64_t samples =
      0;               ///< how many calls were timed: one in 64, every one while the timeline is on
  double mean_us = 0;  ///< of the samples
};

/// A snapshot of counters; each is exact, but they were not read at one instant.
struct runtime_stats {
  std::uint64_t submitted = 0, completed = 0, failed = 0, cancelled = 0, retried = 0;
  std::uint64_t messages = 0;  ///< calls to actors, of `completed`
  std::uint64_t stolen = 0;    ///< tasks that moved to another worker
  std::uint64_t parked = 0;    ///< waits that put a thread to sleep
  std::uint64_t helped = 0;    ///< waits that ran what they waited for
  std::uint64_t slept = 0;     ///< times a worker ran dry
  std::uint64_t queued = 0;    ///< in the workers' queues now
  std::uint64_t waiting_for_resources = 0;
  std::uint64_t timers = 0;
  std::uint64_t suspended = 0;  ///< coroutines that wait
  std::uint64_t actors = 0;
  std::uint64_t workers = 0, spare_threads = 0, blocking_threads = 0;
  std::uint64_t pool_bytes = 0;  ///< of the whole process
  std::vector<function_stats> functions;
};

namespace sched {

class scheduler;
runtime_stats collect_stats(scheduler& home);
/// Who waits for what, since when; what is queued. For people.
std::string dump_state(scheduler& home);
std::string timeline_json(scheduler& home);

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
