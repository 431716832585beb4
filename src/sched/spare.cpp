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

void start_spare(scheduler& home) noexcept {
  if (home.now.load(std::memory_order_relaxed) == phase::stopped) return;
  unsigned first = home.workers_wanted, last = first + home.options.spare_threads_max;
  for (unsigned i = first; i < last; ++i) {
    worker& w = *home.workers[i];
    bool asleep = false;
    if (!w.awake.compare_exchange_strong(asleep, true, std::memory_order_acq_rel)) continue;
    chaos::point(chaos::place::spare_before_start);
    publish_slot(home, i);
    home.active.fetch_add(1, std::memory_order_seq_cst);
    home.idle.fetch_and(~scheduler::stalled, std::memory_order_seq_cst);
    std::lock_guard hold(home.spares_lock);
    if (w.thread.joinable()) w.thread.join();  // it has retired already
    auto started = home.start_worker_thread(w);
    if (started.has_value()) return;
    w.awake.store(false,
                  std::memory_order_release);  // no thread to be had: the claim rule has to do
    home.log.write(log_level::warning, error_layer::sched, home.port->now_ns(),
                   "no spare thread: " + started.error().describe());
    if (home.active.fetch_sub(1, std::memory_order_seq_cst) == 1)
      home.idle.fetch_or(scheduler::stalled, std::memory_order_seq_cst);
    return;
  }
}

void retire_spare(worker& w) noexcept {
  scheduler& home = w.home;
  chaos::point(chaos::place::spare_before_retire);
  // What is left in its queue belongs to nobody now: others take it.
  if (home.active.fetch_sub(1, std::memory_order_seq_cst) == 1)
    home.idle.fetch_or(scheduler::stalled, std::memory_order_seq_cst);
  while (cell* x = w.queue.pop()) home.push_foreign(nullptr, *x);
  flush_pool();
  // The last worker may have parked meanwhile: then what came just now wakes a parked one.
  ports::heavy_fence();
  std::uint64_t seen = home.idle.load(std::memory_order_seq_cst);
  if ((seen & scheduler::stalled) != 0 && home.has_work()) home.wake_somebody(seen);
  w.awake.store(false, std::memory_order_release);
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
