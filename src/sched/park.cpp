// SPDX-License-Identifier: Apache-2.0
// Threads that sleep in a wait: how others see them, wake them, step in for them, and find out that
// they wait for each other in a ring.

#include "sched/wait.hpp"

#include "sched/actor_turn.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr int frames_looked_at_max = 256;  // per parked thread, for deadlocks

/// True when `p`'s thread runs, somewhere on its stack, what would seal `want`.
bool runs(const parked_get& p, const cell& want, const actor_core* to) {
  int left = frames_looked_at_max;
  for (const frame* f = p.top; f != nullptr && left-- > 0; f = f->outer) {
    if (f->running.load(std::memory_order_relaxed) == &want) return true;
    if (to != nullptr && f->actor.load(std::memory_order_relaxed) == to) return true;
  }
  return false;
}

/// Follows "waits for" from thread to thread; true when it comes back to `me`. REQUIRES: park_lock.
bool waits_in_a_ring(scheduler& home, const parked_get& me) {
  const parked_get* at = &me;
  for (int hops = 0; hops < 64; ++hops) {
    const cell* want = at->want;
    if (want == nullptr) return false;
    const parked_get* next = nullptr;
    for (const parked_get* p = home.parked; p != nullptr && next == nullptr; p = p->next)
      if (p != at && runs(*p, *want, at->actor)) next = p;
    if (next == nullptr) return false;
    if (next == &me) return true;
    at = next;
  }
  return false;
}

}  // namespace

// What runs on top of a call that came in is part of it.
void lent_cpu::lend_away() noexcept {
  for (const frame* f = here_.current; f != nullptr && came_in_ == nullptr; f = f->outer) {
    cell* x = f->running.load(std::memory_order_relaxed);
    cell_extra* extra = x != nullptr ? x->extra.load(std::memory_order_acquire) : nullptr;
    if (extra != nullptr && extra->came_in) came_in_ = x;
  }
  // Each time: what ran meanwhile on this stack may have had its own wait.
  if (came_in_ != nullptr) lend_cpu_away(here_.home(), *came_in_, true);
}

park_guard::park_guard(context& here, const cell* want, const actor_core* actor,
                       std::atomic<std::uint32_t>* word)
    : here_(here) {
  scheduler& home = here.home();
  me_.here = &here;
  me_.top = here.current;
  me_.want = want;
  me_.actor = actor;
  me_.word = word;
  me_.since_ns = home.port->now_ns();
  // A helper slot is lent to a foreign thread: it was never one of the active.
  counts_ = here.self != nullptr && &here.self->here == &here && here.depth > 0 && !home.solo;
  {
    std::lock_guard hold(home.park_lock);
    me_.next = home.parked;
    if (me_.next != nullptr) me_.next->previous = &me_;
    home.parked = &me_;
    ring_ = want != nullptr && waits_in_a_ring(home, me_);
  }
  counters::raise(here.count.parked);
  if (!counts_) return;
  chaos::point(chaos::place::park_before_announce);
  std::uint64_t seen = home.idle.fetch_add(scheduler::parked_worker, std::memory_order_seq_cst) +
                       scheduler::parked_worker;
  ports::heavy_fence();
  if (scheduler::missing(seen) > 0 && home.has_work()) start_spare(home);
}

park_guard::~park_guard() {
  scheduler& home = here_.home();
  if (counts_) home.idle.fetch_sub(scheduler::parked_worker, std::memory_order_seq_cst);
  std::lock_guard hold(home.park_lock);
  (me_.previous != nullptr ? me_.previous->next : home.parked) = me_.next;
  if (me_.next != nullptr) me_.next->previous = me_.previous;
}

void wake_parked(scheduler& home) noexcept {
  std::lock_guard hold(home.park_lock);
  for (parked_get* p = home.parked; p != nullptr; p = p->next) {
    p->word->fetch_add(1, std::memory_order_release);
    ports::wake_all(*p->word);
  }
}

void wait_parked(context& here, std::atomic<std::uint32_t>& word, std::uint32_t seen,
                 std::uint64_t timeout_ns, cell& why) noexcept {
  std::atomic<std::uint32_t> own{0};
  park_guard parked(here, nullptr, why.ops->link(why).actor, &own);
  ports::wait_on(word, seen, timeout_ns);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
