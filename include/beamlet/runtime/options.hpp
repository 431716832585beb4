// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/error.hpp>
#include <beamlet/base/log.hpp>
#include <beamlet/sched/actor_core.hpp>
#include <beamlet/sched/extra.hpp>
#include <beamlet/sched/options.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

using sched::priority;
/// Amounts of resources by name: `{{"gpu", 0.5}, {"camera", 1}}`.
using resource_list = std::vector<std::pair<std::string, double>>;

/// What to do with a task that asks for more than the node has.
enum class on_infeasible : std::uint8_t { fail, wait };
enum class isolation : std::uint8_t { none, process };
/// What a worker process starts with.
struct runtime_env {
  std::vector<std::pair<std::string, std::string>> env_vars = {};
};
enum class lifetime : std::uint8_t { non_detached, detached };

inline constexpr std::uint32_t max_retries_max = 1'000'000;
inline constexpr double num_cpus_max = 1e6;

/// How a runtime is started: `runtime::start({.workers = 2})`.
struct runtime_options {
  int argc = 0;
  char** argv = nullptr;
  /// Threads that run tasks. Unset: one per core this process may use. 0: tasks run on the loop's
  /// thread.
  std::optional<unsigned> workers = {};
  /// Amounts of this runtime's resources beside `cpu` (which follows from the workers). With `box`
  /// those of the box, if this program starts its agent; all programs there share them.
  resource_list resources = {};
  /// The caller's own event loop, a `uv_loop_t*`; its thread starts and stops the runtime. Null: a
  /// thread of our own.
  void* uv_loop = nullptr;
  help get_helps = help::awaited;
  /// Tasks pending at a time, in all; more are refused with errc::queue_full (within a batch of
  /// 1024 per thread).
  std::uint64_t tasks_max = std::uint64_t{1} << 26;
  /// Extra threads that keep the cores busy while workers wait inside `get`.
  unsigned spare_threads_max = 16;
  /// Threads for tasks with `.blocking = true`; more such tasks wait.
  unsigned blocking_threads_max = 64;
  /// Of each worker; address space, touched as it is used. 0: 64 MiB (8 MiB on 32-bit machines).
  std::size_t stack_bytes = 0;
  /// Bytes that cells may take in this process, all runtimes together; past them submissions fail
  /// with no_memory.
  std::size_t memory_max = 0;
  /// Records kept for `write_timeline`: so many per thread, and as many for all worker processes
  /// together. 0: off.
  std::size_t timeline_events = 0;
  std::string thread_name = "beamlet";
  /// Pins worker i to processor i.
  bool pin_threads = false;
  /// Called first on every thread the runtime starts: affinity, priority, names of your own.
  void (*thread_hook)(void* user, unsigned index) = nullptr;
  void* thread_hook_user = nullptr;
  /// Where messages go (none without it), and from which level on; the environment's BEAMLET_LOG
  /// wins.
  log_sink log = {};
  beamlet::log_level log_level = beamlet::log_level::warning;
  /// Where named actors live when no namespace is given.
  std::string name_space = "default";
  /// Objects' memory, all that worker processes share; more is spilled or has to wait.
  std::uint64_t object_store_memory = std::uint64_t{1} << 30;
  /// Each object of 1 MiB and more lies in memory of its own, which the system seals when it
  /// becomes an object: then not even the process that made it can change what others read, and a
  /// stray write of its own is a fault. Each costs new pages (some 0.5 ms per MiB) and a descriptor
  /// of the agent: where these run out (ulimit -n), more objects wait as for memory.
  bool strict_objects = false;
  /// Of the objects' memory, what one process (this program, or a worker process) may have in
  /// buffers that are not objects yet, and in objects that it reads or keeps; more fails with
  /// errc::exhausted. 0: all of it, in a box half of it.
  std::uint64_t session_lease_bytes = 0, session_pinned_bytes = 0;
  /// Where objects go that find no room; empty: nowhere. Only this user may have access.
  std::string spill_folder = {};
  std::uint64_t spill_bytes_max = std::uint64_t{4} << 30;
  unsigned worker_processes_max = 64;
  /// When more than this part of the memory of the machine, or of the container, is in use, worker
  /// processes are ended, one at a time, until it is not: the one whose call began last, of those
  /// that can be tried again first, then of actors that are made again. It counts as a death
  /// (`max_retries`, `max_restarts`), after which there is a pause; without retries the call fails
  /// with errc::no_memory. 1: never.
  double memory_usage_threshold = 0.95;
  /// Attaches to the agent of the box with this name, one per user, which programs share; empty: an
  /// agent of this runtime's own, when it needs one. Where none runs, one is started as a process
  /// of its own, with this program's limits and resources. Needs `run_child` in main, else
  /// errc::unsupported. All that goes through an agent that has died fails with errc::agent_lost; a
  /// new runtime gets a new one. The name: up to 64 letters, digits, '-', '_', '.'.
  std::string box = {};
  /// An agent that this program starts ends when nothing was attached for so long.
  std::chrono::nanoseconds box_idle = std::chrono::seconds(30);
  /// Which devices work is for: "auto" or empty, a backend ("opencl"), a device ("opencl:1"), a
  /// part of a device's name; the environment's BEAMLET_DEVICE wins.
  std::string device = {};
  /// Also drivers that compute on the processor (PoCL, llvmpipe) without being named;
  /// BEAMLET_ALLOW_SOFTWARE=1 in the environment does the same.
  bool allow_software_devices = false;
  /// What was found out about devices, and what drivers made of kernels, is kept there. Empty:
  /// $XDG_CACHE_HOME/beamlet, else $HOME/.cache/beamlet. Where it cannot be written to, each start
  /// searches and compiles anew.
  std::string device_cache_folder = {};
  /// A device that has had nothing to do for 50 ms tries ways to divide work that came twice, on
  /// memory of its own, for so long in all; the best is used from then on, and kept in that folder.
  /// A task that comes meanwhile waits for one trial. 0: never.
  std::chrono::nanoseconds device_tuning = std::chrono::seconds(3);
  /// Test only: a simulated world (`ports::sim_port*`) and its number of workers.
  void* simulated_port = nullptr;
  unsigned simulated_workers = 1;
  /// Test only: an engine that cells leave through.
  void* engine = nullptr;
  /// Test only: devices in the place of those that there are (`std::vector<given_device>*`).
  void* given_devices = nullptr;
};

/// `.options({...})` of a task.
struct task_options {
  std::string name = {};
  double num_cpus = 1;
  double num_gpus = 0;
  double memory = 0;  ///< bytes, logical
  resource_list resources = {};
  beamlet::on_infeasible on_infeasible = beamlet::on_infeasible::fail;
  beamlet::priority priority = beamlet::priority::normal;
  /// How often a failed attempt is repeated; -1 without end. Errors of the function itself count
  /// only with `retry_exceptions` or `retry_on`.
  int max_retries = 0;
  bool retry_exceptions = false;
  std::function<bool(const error&)> retry_on = {};
  std::chrono::nanoseconds retry_backoff = {};  ///< doubled at each attempt
  std::chrono::nanoseconds retry_backoff_max = std::chrono::seconds(10);
  std::chrono::nanoseconds delay = {};     ///< not before
  std::chrono::nanoseconds deadline = {};  ///< not started after, counted from now; zero: none
  bool blocking = false;  ///< waits for the world: a thread of its own kind runs it
  /// `process`: a worker process runs it, so that a crash ends that one only (errc::worker_died, or
  /// errc::no_memory: runtime_options::memory_usage_threshold; such a death is what `max_retries`
  /// counts too). Needs `run_child` in main, a BEAMLET_REMOTE, and codecs of all types.
  beamlet::isolation isolation = beamlet::isolation::none;
  beamlet::runtime_env runtime_env = {};       ///< of the worker process
  std::uint64_t memory_max = 0;                ///< bytes the worker process may map; 0: no limit
  std::chrono::nanoseconds cpu_time_max = {};  ///< of the worker process, in whole seconds; 0: none
  std::uint32_t max_calls = 0;  ///< the worker process ends after so many; 0: no limit
};

/// `.options({...})` of an actor.
struct actor_options {
  /// Known in this process; with `isolation = process` on the whole box, and then it is taken
  /// before `remote` returns, which waits for the agent that long.
  std::string name = {};
  std::optional<std::string> name_space = {};
  /// The actor that has the name, if it has the same type. Waits up to 10 s for a thread that is
  /// just making it; where one is just ending, the error is already_exists.
  bool get_if_exists = false;
  beamlet::lifetime lifetime = beamlet::lifetime::non_detached;
  /// Held for life; `num_cpus` is 0 because an idle actor holds none and its running call takes a
  /// worker.
  double num_cpus = 0;
  double num_gpus = 0;
  double memory = 0;
  resource_list resources = {};
  std::uint32_t max_concurrency =
      1;  ///< calls at a time; above 1 they run on several workers at once
  /// Calls with `.concurrency_group = "io"` share this many; others share `max_concurrency`.
  std::vector<std::pair<std::string, std::uint32_t>> concurrency_groups = {};
  std::uint32_t mailbox_capacity = sched::mailbox_capacity_default;
  beamlet::mailbox_policy mailbox_policy = beamlet::mailbox_policy::block;
  /// How often it is made again, with the same arguments, when its worker process dies; -1: without
  /// end. Only with `isolation = process`, as all that follows.
  int max_restarts = 0;
  /// How often a call that was under way when the process died is repeated; -1: without end. The
  /// others fail with errc::actor_died.
  int max_task_retries = 0;
  /// `process`: it lives in a worker process of its own, so that a crash ends that one only. Needs
  /// `run_child` in main, a BEAMLET_REMOTE of each method that is called and of the constructor by
  /// the types of the arguments as they are given (a text as std::string), and codecs of all types.
  beamlet::isolation isolation = beamlet::isolation::none;
  beamlet::runtime_env runtime_env = {};       ///< of the worker process
  std::uint64_t memory_max = 0;                ///< bytes the worker process may map; 0: no limit
  std::chrono::nanoseconds cpu_time_max = {};  ///< of the worker process, in whole seconds; 0: none
};

/// `.options({...})` of one call to an actor.
struct call_options {
  std::string name = {};
  std::string concurrency_group = {};
  std::chrono::nanoseconds deadline = {};  ///< not started after, counted from now; zero: none
};

inline constexpr std::chrono::nanoseconds no_timeout = std::chrono::nanoseconds::max();

struct wait_options {
  std::size_t num_returns = 1;
  std::chrono::nanoseconds timeout = no_timeout;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
