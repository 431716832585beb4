// SPDX-License-Identifier: Apache-2.0
#pragma once

// A mailbox and its actor's turn in one word: the newest message (a stack, linked through
// `cell::next`), how many there are, and who runs the actor. Sending to an idle actor, taking its
// messages and going idle again are one compare-exchange each.

#include <atomic>
#include <cstdint>

#include <beamlet/sched/cell.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class mail_word {
 public:
  // Cells are aligned to 16 bytes and live in the low 48 bits of the address space: 44 bits tell
  // them apart.
  static constexpr int count_shift = 44;
  static constexpr int flag_shift = 60;
  static constexpr std::uint64_t address_mask = (std::uint64_t{1} << count_shift) - 1;
  static constexpr std::uint64_t count_one = std::uint64_t{1} << count_shift;
  static constexpr std::uint32_t count_max = (1u << (flag_shift - count_shift)) - 1;
  static constexpr std::uint64_t mail_mask = (std::uint64_t{1} << flag_shift) - 1;
  static constexpr std::uint64_t parked = std::uint64_t{1}
                                          << 60;  // mail waits, and only `raise` may start a turn
  static constexpr std::uint64_t raised = std::uint64_t{1} << 61;   // asked for, without a message
  static constexpr std::uint64_t running = std::uint64_t{1} << 62;  // somebody has the turn
  static constexpr std::uint64_t entry = std::uint64_t{1}
                                         << 63;  // a queue holds an entry, maybe a stale one
  static constexpr std::uint64_t retired = address_mask;  // instead of mail: the actor is gone

  static cell* newest(std::uint64_t word) noexcept {
    return reinterpret_cast<cell*>(static_cast<std::uintptr_t>((word & address_mask) << 4));
  }
  static std::uint32_t count(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>((word & mail_mask) >> count_shift);
  }

  std::uint64_t load(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return word_.load(order);
  }

  /// Adds a message on top of `seen`. False: `seen` is out of date (and was renewed). `push_entry`:
  /// the caller puts an entry into a queue.
  bool try_send(std::uint64_t& seen, cell& m, bool& push_entry) noexcept {
    m.next = newest(seen);
    std::uint64_t next = (seen & ~address_mask) + count_one;
    next |= static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&m)) >> 4;
    push_entry = (seen & (running | entry | parked)) == 0;
    if (push_entry) next |= entry;
    return word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                       std::memory_order_relaxed);
  }
  /// Asks for a turn. True: the caller puts an entry into a queue.
  bool raise() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed), next;
    do {
      next = (seen & ~parked) | raised;
      if ((seen & running) == 0) next |= entry;
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return (seen & (running | entry)) == 0;
  }
  /// An entry came up. True: the turn is the caller's, with the mail in `mail`; false: the entry is
  /// stale, and `mail` is `retired` when the caller is the last who knows the actor.
  bool enter(std::uint64_t& mail) noexcept { return begin(mail, entry); }
  /// The same for one who has no entry: takes a turn that is asked for.
  bool claim(std::uint64_t& mail) noexcept { return begin(mail, 0); }
  /// Takes the turn of an actor that nobody runs, asked for or not; mail stays.
  bool take() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & running) == 0)
      if (word_.compare_exchange_weak(seen, seen | running, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  /// REQUIRES: the turn is the caller's. What has come since.
  std::uint64_t grab() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    if ((seen & mail_mask) == 0) return 0;
    return word_.fetch_and(~mail_mask, std::memory_order_acq_rel) & mail_mask;
  }
  /// Gives the turn up. False: there is more to do.
  bool leave() noexcept { return end(mail_mask | raised, running | parked, 0); }
  /// Gives the turn up with mail that may not run now; whoever changes that raises. False: somebody
  /// has.
  bool leave_parked() noexcept { return end(raised, running, parked); }
  /// Gives back what `take` took.
  bool untake() noexcept {
    bool was_parked = (word_.load(std::memory_order_relaxed) & parked) != 0;
    return end(was_parked ? raised : mail_mask | raised, running, 0);
  }
  /// REQUIRES: the turn is the caller's, there is no mail, and nobody can send any more. The turn
  /// is never given up. True: no queue holds an entry; false: the entry's popper is told instead.
  bool retire() noexcept {
    return (word_.fetch_or(retired, std::memory_order_acq_rel) & entry) == 0;
  }
  /// Gives the turn up for others to go first. True: the caller puts an entry into a queue.
  bool yield() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed), next;
    do {
      next = (seen & ~running) | raised | entry;
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return (seen & entry) == 0;
  }
  bool is_running() const noexcept {
    return (word_.load(std::memory_order_acquire) & running) != 0;
  }

 private:
  bool begin(std::uint64_t& mail, std::uint64_t clear) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      bool asked = (seen & raised) != 0 || ((seen & mail_mask) != 0 && (seen & parked) == 0);
      bool mine = (seen & running) == 0 && asked;
      if (!mine && clear == 0) return false;
      // A raised turn may have older mail of its own: what is here waits until `grab`.
      std::uint64_t taken = mine && (seen & raised) == 0 ? seen & mail_mask : 0;
      std::uint64_t next = seen & ~clear;
      if (mine) next = (next & ~(raised | parked)) | running;
      if (taken != 0) next &= ~mail_mask;
      if (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                       std::memory_order_relaxed))
        continue;
      mail = mine ? taken : (seen & address_mask) == retired ? retired : 0;
      return mine;
    }
  }
  bool end(std::uint64_t more_mask, std::uint64_t clear, std::uint64_t set) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      bool more = (seen & more_mask) != 0;
      std::uint64_t next = more ? seen & ~raised : (seen & ~clear) | set;
      if (word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return !more;
    }
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
