// SPDX-License-Identifier: Apache-2.0
// Threads beyond the workers: spares, which keep the cores busy while workers wait in a get, and
// helpers, the queues lent to foreign threads. Spares serve throughput; that something goes on at
// all rests on the claim rule.

#include "sched/wait.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

void publish_slot(scheduler& home, unsigned index) {
  unsigned used = home.workers_used.load(std::memory_order_relaxed);
  while (used < index + 1 &&
         !home.workers_used.compare_exchange_weak(used, index + 1, std::memory_order_acq_rel)) {}
}

}  // namespace

bool start_spare(scheduler& home) noexcept {
  unsigned first = home.workers_wanted, last = first + home.options.spare_threads_max;
  for (unsigned i = first; i < last; ++i) {
    worker& w = *home.workers[i];
    bool asleep = false;
    if (w.awake.load(std::memory_order_relaxed) ||
        !w.awake.compare_exchange_strong(asleep, true, std::memory_order_acq_rel))
      continue;
    chaos::point(chaos::place::spare_before_start);
    std::lock_guard hold(home.spares_lock);
    // A stop joins those that it finds under this lock, so none may start later.
    if (home.now.load(std::memory_order_relaxed) == phase::stopped) return false;
    publish_slot(home, i);
    home.idle.fetch_sub(scheduler::parked_worker, std::memory_order_seq_cst);
    if (w.thread.joinable()) w.thread.join();  // it has retired already
    auto started = home.start_worker_thread(w);
    if (started.has_value()) return true;
    home.idle.fetch_add(scheduler::parked_worker, std::memory_order_seq_cst);
    w.awake.store(false, std::memory_order_release);
    home.log.write(log_level::warning, error_layer::sched, home.port->now_ns(),
                   "no spare thread: " + started.error().describe());
    return false;  // the claim rule has to do
  }
  return false;
}

void retire_spare(worker& w) noexcept {
  scheduler& home = w.home;
  chaos::point(chaos::place::spare_before_retire);
  // What is left in its queue belongs to nobody now: others take it.
  home.idle.fetch_add(scheduler::parked_worker, std::memory_order_seq_cst);
  while (cell* x = w.queue.pop()) home.push_foreign(nullptr, *x);
  flush_pool();
  ports::heavy_fence();
  // A worker may have parked meanwhile: what came just now looked to this one.
  std::uint64_t seen = home.idle.load(std::memory_order_seq_cst);
  if (scheduler::wants_help(seen) && home.has_work()) home.wake_somebody(seen);
  w.awake.store(false, std::memory_order_release);  // who takes the slot joins this thread
}

worker* lease_helper(scheduler& home) noexcept {
  unsigned first = home.workers_wanted + home.options.spare_threads_max;
  for (unsigned i = first; i < home.workers.size(); ++i) {
    worker& w = *home.workers[i];
    bool lent = false;
    if (!w.awake.compare_exchange_strong(lent, true, std::memory_order_acq_rel)) continue;
    publish_slot(home, i);
    return &w;
  }
  return nullptr;
}

void return_helper(scheduler& home, worker& lent) noexcept {
  while (cell* x = lent.queue.pop()) home.push_foreign(nullptr, *x);
  lent.awake.store(false, std::memory_order_release);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
