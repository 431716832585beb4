// SPDX-License-Identifier: Apache-2.0
// How workers fall asleep and are woken. One word holds the number of sleepers and of searchers; a
// submitter reads it after a light fence, a sleeper announces itself, pays the heavy fence, looks
// once more and then waits on the epoch. As long as one worker searches, nobody is woken: it will
// find the work, and wakes the next one itself.

#include <algorithm>

#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
constexpr int search_rounds = 40;  // about 10 to 20 microseconds, half of them giving the core away
constexpr int pauses_per_round = 30;
constexpr std::uint64_t search_ns_max =
    200'000;  // who got the core kept it: a searcher in name only
constexpr std::uint64_t doze_ns = 1'000'000;
constexpr std::uint64_t meagre_haul_ns = 5'000;
constexpr unsigned meagre_max = 3;  // hauls in a row
}  // namespace

void scheduler::wake_somebody(std::uint64_t seen) noexcept {
  if ((seen & sleepers_mask) != 0) {
    epoch.fetch_add(1, std::memory_order_seq_cst);
    ports::wake_one(epoch);
  } else if (missing(seen) > 0 && !start_spare(*this)) {
    // Does every worker wait in a get, then one of them can claim what has just come.
    if (missing(seen) == static_cast<int>(workers_wanted)) wake_parked(*this);
  }
}

void scheduler::wake_all() noexcept {
  epoch.fetch_add(1, std::memory_order_seq_cst);
  ports::wake_all(epoch);
  wake_parked(*this);
  port->wake();
}

bool scheduler::has_work() const noexcept {
  if (!high.empty() || !low.empty()) return true;
  unsigned used = workers_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i)
    if (workers[i]->queue.size() > 0 ||
        workers[i]->inbox.load(std::memory_order_acquire) != nullptr)
      return true;
  return false;
}

void worker::thread_main() noexcept {
  this_context = &here;
  bool stopping = false;
  while (!stopping) {
    // A spare leaves when those it stood in for are back.
    if (spare && scheduler::missing(home.idle.load(std::memory_order_relaxed)) < 0) break;
    if (!run_one()) stopping = !rest();
  }
  if (spare) retire_spare(*this);
}

/// Others pick up work faster than a thief could bring it here: they have nothing to spare, or what
/// this worker had of them lately was not worth the way.
bool worker::others_need_no_help() const noexcept {
  unsigned used = home.workers_used.load(std::memory_order_acquire);
  bool some = false;
  for (unsigned i = 0; i < used; ++i) {
    const worker& other = *home.workers[i];
    if (&other == this) continue;
    if (meagre_ < meagre_max && other.queue.size() > 1) return false;
    some = some || other.hops();
  }
  return some;
}

/// Searches for a while, then sleeps until something was queued. False: the scheduler has stopped.
bool worker::rest() noexcept {
  std::atomic<std::uint64_t>& idle = home.idle;
  std::uint64_t began_ns = home.port->now_ns();
  bool meagre = began_ns - found_ns_ < meagre_haul_ns;
  meagre_ = meagre ? std::min(meagre_ + 1, meagre_max) : 0;
  auto found = [&](cell* x, std::uint64_t leave) {
    std::uint64_t before = idle.fetch_sub(leave, std::memory_order_seq_cst);
    // Nobody searches any more: what else has come is somebody else's, who may have lost a race for
    // it to us.
    std::uint64_t after = before - leave;
    if (scheduler::wants_help(after) && home.has_work()) home.wake_somebody(after);
    found_ns_ = home.port->now_ns();
    x->ops->enter(here, *x);
    return true;
  };
  // Half of the workers may search at a time: more would only contend.
  std::uint64_t seen = idle.load(std::memory_order_relaxed);
  unsigned searching = static_cast<unsigned>((seen & scheduler::searchers_mask) >> 16);
  if (2 * searching < home.workers_wanted + 1) {
    idle.fetch_add(scheduler::searcher, std::memory_order_seq_cst);
    bool alone = home.workers_wanted == 1;
    bool needless = false;
    for (int round = 0; round < search_rounds; ++round) {
      if (cell* x = find()) return found(x, scheduler::searcher);
      if ((needless = others_need_no_help())) break;
      if (alone || round % 2 == 1) {
        ports::yield();
        if (home.port->now_ns() - began_ns > search_ns_max) break;
      } else {
        for (int i = 0; i < pauses_per_round; ++i) ports::pause();
      }
    }
    std::uint32_t before = home.epoch.load(std::memory_order_acquire);
    idle.fetch_sub(scheduler::searcher, std::memory_order_seq_cst);
    // Searching on, or being called for each entry, would only slow the others down.
    if (needless && home.now.load(std::memory_order_seq_cst) == phase::running) {
      ports::wait_on(home.epoch, before, doze_ns);
      return true;
    }
  }
  chaos::point(chaos::place::sleep_before_announce);
  std::uint32_t before = home.epoch.load(std::memory_order_acquire);
  idle.fetch_add(scheduler::sleeper, std::memory_order_seq_cst);
  chaos::point(chaos::place::sleep_before_recheck);
  ports::heavy_fence();
  bool looks_again = !chaos::planted(chaos::bug::lost_wakeup);
  patience_ = ~0u;  // no asking to share now: what is there is taken
  if (cell* x = looks_again ? find() : nullptr) return found(x, scheduler::sleeper);
  patience_ = 0;
  if (home.now.load(std::memory_order_seq_cst) == phase::stopped) {
    idle.fetch_sub(scheduler::sleeper, std::memory_order_seq_cst);
    return false;
  }
  if (home.now.load(std::memory_order_relaxed) != phase::running) note_progress(home);
  queue.shrink();
  home.offer_trim();
  counters::raise(here.count.slept);
  chaos::point(chaos::place::sleep_before_wait);
  ports::wait_on(home.epoch, before, forever);
  idle.fetch_sub(scheduler::sleeper, std::memory_order_seq_cst);
  return true;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
