// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who may run something that runs again and again, but on one thread at a time: an actor, a
// coroutine. A queue holds at most one entry of it; a `get` may take the turn before the entry
// comes up, which is then stale.

#include <atomic>
#include <cstdint>

#include <beamlet/config.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class turn {
 public:
  /// Asks for a run. True: the caller pushes an entry into a queue.
  bool raise() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed), next;
    do {
      next = seen | wanted;
      if (!(seen & running)) next |= entry;
    } while (!bits_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return !(seen & running) && !(seen & entry);
  }
  /// The entry came up. True: run it; false: it is stale.
  bool enter() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed), next;
    do {
      next = seen & ~entry;
      if ((seen & wanted) && !(seen & running)) next = (next & ~wanted) | running;
    } while (!bits_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return (seen & wanted) && !(seen & running);
  }
  /// Takes a turn that waits in a queue. True: run it.
  bool claim() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed);
    while ((seen & wanted) && !(seen & running))
      if (bits_.compare_exchange_weak(seen, (seen & ~wanted) | running, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  /// Takes the turn when nobody has it, asked for or not.
  bool take() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed);
    while (!(seen & running))
      if (bits_.compare_exchange_weak(seen, seen | running, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  /// After a run that found nothing more. False: somebody raised meanwhile, run again.
  bool leave() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed), next;
    do {
      next = (seen & wanted) ? seen & ~wanted : seen & ~running;
    } while (!bits_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return !(seen & wanted);
  }
  /// After a run that was cut short. True: the caller pushes an entry; else one is still queued.
  bool leave_and_raise() noexcept {
    std::uint32_t seen = bits_.load(std::memory_order_relaxed), next;
    do {
      next = (seen & ~running) | wanted | entry;
    } while (!bits_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return !(seen & entry);
  }
  bool is_running() const noexcept { return bits_.load(std::memory_order_acquire) & running; }
  bool is_wanted() const noexcept { return bits_.load(std::memory_order_acquire) & wanted; }
  /// Before anybody else knows it: starts out running.
  void start_running() noexcept { bits_.store(running, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t wanted = 1, running = 2, entry = 4;
  std::atomic<std::uint32_t> bits_{0};
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
