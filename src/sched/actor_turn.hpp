// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between the mailbox (mailbox.cpp), the turn (actor.cpp) and those who wait (wait.cpp).

#include "beamlet/sched/actor_core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct actor_extra;

/// Takes messages out during one turn; what it has taken but not run goes back to the actor at the
/// end.
class mailbox_reader {
 public:
  explicit mailbox_reader(actor_core& a) noexcept
      : a_(a),
        batch_(a.batch),
        left_(batch_ != nullptr ? a.batch_left.load(std::memory_order_relaxed) : 0) {
    a.batch = nullptr;
  }
  mailbox_reader(const mailbox_reader&) = delete;
  mailbox_reader& operator=(const mailbox_reader&) = delete;
  /// The next that may run; null when there is none.
  cell* next() noexcept;
  bool empty() const noexcept;
  /// What the turn began with. REQUIRES: nothing was taken yet.
  void accept(std::uint64_t mail) noexcept;
  /// REQUIRES: called before the turn is left.
  void put_back() noexcept {
    a_.batch = batch_;
    if (batch_ == nullptr) left_ = 0;
    report_left(left_);
  }

 private:
  cell* next_exact(actor_extra& extra) noexcept;
  void report_left(std::uint32_t left) noexcept;

  actor_core& a_;
  cell* batch_;
  std::uint32_t left_;
};

/// Sends a call to the process that the actor lives in; it counts as running until it is back.
void send_away(context& here, actor_core& a, cell& m) noexcept;
/// Asks for a turn; pushes an entry when none is queued.
void raise_turn(actor_core& a) noexcept;
/// True when a call to `a` runs further down on this very stack.
bool runs_below(const context& here, const actor_core& a) noexcept;
/// Sleeps on `word` as a parked get does (a spare may step in); returns after at most `timeout_ns`.
void wait_parked(context& here, std::atomic<std::uint32_t>& word, std::uint32_t seen,
                 std::uint64_t timeout_ns, cell& why) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
