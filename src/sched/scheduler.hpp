// SPDX-License-Identifier: Apache-2.0
#pragma once

// The scheduler of one runtime: workers, their sleep, the loop, timers, admission, parked gets,
// actors. Each concern has a source file of its own; this class is what they share.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "beamlet/base/ledger.hpp"
#include "beamlet/base/log.hpp"
#include "beamlet/sched/core.hpp"
#include "beamlet/sched/extra.hpp"
#include "beamlet/sched/observe.hpp"
#include "beamlet/sched/options.hpp"
#include "ports/port.hpp"
#include "ports/threads.hpp"
#include "sched/deque.hpp"
#include "sched/queue.hpp"
#include "sched/timeline.hpp"
#include "sched/timers.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct parked_get;
class engine;

/// An object with `run_one()`; a thread, the loop or the simulator calls it.
class alignas(64) worker {
 public:
  worker(scheduler& home, unsigned index, bool spare);

  /// Runs one entry; false when there was nothing to do anywhere.
  bool run_one() noexcept;
  cell* find() noexcept;
  cell* take_inbox(worker& from) noexcept;
  void push(cell& x) noexcept;
  void thread_main() noexcept;

  deque queue;
  alignas(64) std::atomic<cell*> inbox{nullptr};
  std::atomic<bool> asked_to_share{false};
  alignas(64) context here;
  scheduler& home;
  unsigned index;
  bool spare;
  std::uint64_t seed;
  ports::thread thread;
  std::atomic<bool> awake{false};  // spare: has a thread that runs

 private:
  cell* look() noexcept;
  cell* find_elsewhere() noexcept;
  cell* find_at(worker& other) noexcept;
  void put_in_inbox(cell& newest, cell& oldest) noexcept;
  void share() noexcept;
  bool hops() const noexcept;
  bool others_need_no_help() const noexcept;
  bool rest() noexcept;

  std::uint32_t looks_ = 0;
  unsigned patience_ = 0;
  unsigned meagre_ = 0;         // so many hauls in a row were too small
  std::uint64_t found_ns_ = 0;  // the last haul's begin
};

class scheduler final : public scheduler_face {
 public:
  static result<std::unique_ptr<scheduler>> make(scheduler_options options);
  scheduler(scheduler_options options, std::unique_ptr<ports::port> port);
  ~scheduler();

  // -- sleep and wake (sleep.cpp)
  /// After something was queued: wakes a sleeper unless a searching worker will find it.
  void notify() noexcept {
    chaos::point(chaos::place::wake_before_look);
    ports::light_fence();
    std::uint64_t seen = idle.load(std::memory_order_relaxed);
    if (wants_help(seen)) wake_somebody(seen);
  }
  void wake_somebody(std::uint64_t seen) noexcept;
  void wake_all() noexcept;
  bool has_work() const noexcept;
  /// At least one worker runs something or looks for it.
  bool somebody_awake() const noexcept {
    return (idle.load(std::memory_order_relaxed) & sleepers_mask) < workers_wanted;
  }
  /// A worker is about to sleep: after a while without work the pool gives memory back.
  void offer_trim() noexcept;

  // -- queues (worker.cpp)
  /// `here`: of a thread without a queue, or null.
  void push_foreign(context* here, cell& ready) noexcept;
  void push_ready(context* here, cell& ready, priority urgency) noexcept;

  // -- the loop (loop.cpp)
  result<void> start_threads();
  void loop_main() noexcept;
  /// One step on the loop's thread: timers, loop-bound work, without workers also tasks. True:
  /// there is more.
  bool loop_step() noexcept;
  void post_to_loop(cell& x) noexcept;
  /// False: no memory.
  bool add_timer(timer& t) noexcept;
  /// For a task, which a cancel starts early, to be refused. The timer may be gone on return.
  bool add_task_timer(timer& t, cell& x) noexcept;
  bool remove_timer(timer& t) noexcept { return timers.remove(t); }
  /// Simulation and zero workers: makes progress on this thread; false when nothing can happen any
  /// more.
  bool drive_once(std::uint64_t until_ns) noexcept;
  /// One poll and the timers that are due, no tasks; false when nothing can happen any more.
  bool turn_once(std::uint64_t until_ns) noexcept;
  void fire_timers() noexcept;
  void step_on_callers_loop() noexcept;

  // -- admission (admission.cpp)
  void admit(context& here, cell& x) noexcept;
  void admit_waiting() noexcept;
  void start(context& here, cell& x) noexcept;
  void push_by_options(context& here, cell& entry, const cell_extra* extra) noexcept;
  void give_back(cell& x) noexcept;
  void lend_cpu(cell& x, bool lend) noexcept;
  /// `away`: for a worker process, which all of the box is there for.
  result<void> check_feasible(const std::vector<quantity>& needs, bool away);
  void run_blocking(cell& x) noexcept;
  void blocking_main() noexcept;

  // -- contexts and functions (context.cpp)
  void forget_foreign_context(context& gone) noexcept;
  frame* new_frame() noexcept;
  void retire_frame(frame& old) noexcept;
  void free_frame(frame& old) noexcept;

  timeline_ring* make_timeline() noexcept;
  result<void> start_worker_thread(worker& w);
  bool start_blocking_thread() noexcept;

  // -- end (stop.cpp)
  stop_report stop(const stop_options& options) noexcept;
  bool quiescent() noexcept;
  bool wait_quiet(std::uint64_t deadline_ns) noexcept;
  void end_threads() noexcept;
  void end_actors() noexcept;

  static constexpr std::uint64_t sleeper = 1, sleepers_mask = 0xffff;
  static constexpr std::uint64_t searcher = 1 << 16, searchers_mask = 0xffff0000;
  static constexpr std::uint64_t parked_worker = std::uint64_t{1} << 32;
  /// How many workers short of `workers_wanted` run; below 0 while spares outnumber the parked.
  static int missing(std::uint64_t idle) noexcept {
    return static_cast<int>(static_cast<std::int64_t>(idle) >> 32);
  }
  /// Nobody searches, and somebody sleeps or is to be replaced.
  static bool wants_help(std::uint64_t idle) noexcept {
    return (idle & searchers_mask) == 0 && ((idle & sleepers_mask) != 0 || missing(idle) > 0);
  }

  scheduler_options options;
  logger log;
  std::unique_ptr<ports::port> port;
  bool solo = false;  // tasks run on the loop's (or, simulated, the caller's) thread only
  bool simulated = false;
  std::uint64_t start_ns = 0;
  std::atomic<bool> trim_pending{false};

  alignas(64) std::atomic<std::uint64_t> idle{0};
  alignas(64) std::atomic<std::uint32_t> epoch{0};
  alignas(64) std::atomic<std::uint32_t> next_inbox{0};
  locked_queue high, low;
  std::atomic<unsigned> workers_used{0};
  std::vector<std::unique_ptr<worker>> workers;  // all slots; fixed after start
  unsigned workers_wanted = 0;

  // parked gets (wait.cpp)
  std::mutex park_lock;
  parked_get* parked = nullptr;
  std::mutex spares_lock;

  // the loop
  timer_heap timers;
  locked_queue loop_queue;
  ports::thread loop_thread;
  context loop_context;
  std::uint64_t loop_thread_id = 0;
  std::atomic<std::uint32_t> loop_stop{0};

  // admission
  std::mutex ledger_lock;
  ledger resources;
  resource_names names;
  // in the order they came
  cell* waiting_first = nullptr;
  cell** waiting_last = &waiting_first;
  std::atomic<std::uint32_t> waiting_count{0};
  // Where an agent has them (borrowing.cpp): under the lock too.
  std::atomic<bool> shares{false};
  bool asked = false;          // something is to be lent to us
  ledger box;                  // all that there is
  std::vector<quantity> owed;  // recalled, and not idle yet

  // blocking tasks
  std::mutex blocking_lock;
  cell* blocking_first = nullptr;
  cell** blocking_last = &blocking_first;
  unsigned blocking_threads = 0, blocking_idle = 0;
  std::atomic<std::uint32_t> blocking_epoch{0};
  struct blocking_thread {
    scheduler* home;
    ports::thread thread;
    std::atomic<bool> ended{false};
  };
  std::vector<std::unique_ptr<blocking_thread>> blocking_pool;

  // contexts, frames, functions
  std::mutex contexts_lock;
  std::vector<context*> foreign;
  counters gone;  // of contexts that ended
  std::mutex frames_lock;
  frame* frames_all = nullptr;
  frame* frames_free = nullptr;
  std::vector<frame*> frames_retired;
  std::mutex functions_lock;
  std::unordered_map<const void*, std::uint32_t> function_by_key;
  std::unordered_map<std::string, std::uint32_t> function_by_name;
  std::vector<std::string> function_names{"other"};

  // what ran in other processes (timeline.cpp): the newest, `timeline_events` in all
  std::mutex elsewhere_lock;
  std::deque<run_elsewhere> elsewhere;

  // actors and coroutines, for stop and dump
  std::mutex actors_lock;
  actor_core* actors = nullptr;
  std::vector<actor_core*> retired_actors;
  std::mutex names_lock;
  std::unordered_map<std::string, actor_core*> actor_names;
  std::mutex roots_lock;
  coroutine_root* roots = nullptr;
  std::atomic<class engine*> outside{nullptr};  // made when something first leaves
  bool hosts_calls = false;                     // some that run here came in

  // tasks that wait for a cell of another runtime, counted
  std::mutex bridged_lock;
  std::vector<cell*> bridged;

  // stop
  std::mutex stop_lock;
  std::atomic<std::uint32_t> quiet{0};  // raised when somebody ran dry while a stop waits
  std::atomic<std::uint64_t> dropped{0};
  bool stopped_once = false;
  stop_report report;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
