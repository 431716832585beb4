// SPDX-License-Identifier: Apache-2.0
// The claim rule: from an awaited cell down to something that may run on this stack without running
// anything that nobody here waits for.

#include "sched/wait.hpp"

#include "sched/actor_turn.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

/// Ready, and the engine has not refused it: it has left or is about to.
bool may_leave(const cell& x) {
  std::uint32_t flags = x.unmet.load(std::memory_order_acquire);
  return (flags & (cell::local | cell::count_mask)) == 0;
}

}  // namespace

void walk::restart() noexcept {
  // What was claimed but not run goes back: to its countdown, or, when that is over, into a queue.
  // The deepest first, because the claimed task above it holds it.
  while (!empty()) {
    step& s = top();
    if (s.mine) {
      chaos::point(chaos::place::claim_before_give_back);
      std::uint32_t before = s.x->unmet.fetch_and(~cell::claimed, std::memory_order_acq_rel);
      if ((before & cell::count_mask) == 0) {
        s.x->add_reference();
        schedule(here_, *s.x);
      }
    }
    pop();
  }
}

bool walk::push(cell& x, bool counted) noexcept {
  step fresh{&x, false, counted, 0};
  if (size_ >= few && !try_push_back(many_, fresh)) {
    if (counted) x.release();
    return false;
  }
  if (size_ < few) few_[size_] = fresh;
  ++size_;
  return true;
}

void walk::pop() noexcept {
  step s = top();
  if (size_ > few) many_.pop_back();
  --size_;
  if (s.counted) s.x->release();
}

/// One step towards the awaited cell. False: nothing to do here but to wait for `bottom()`.
bool walk::advance() noexcept {
  here_.tick();
  if (empty() && !push(want_, false)) return false;
  step& s = top();
  cell& x = *s.x;
  if (x.sealed()) {
    pop();
    return true;
  }
  if (x.home != &here_.home()) return false;  // another runtime's: its own threads run it
  if (x.ops->run == nullptr) return help_producer(x);
  if (x.ops->link != nullptr) return help_message(x);
  if (!s.mine) {
    std::uint32_t now = x.unmet.load(std::memory_order_acquire);
    if ((now & cell::special) && !(now & cell::claimed)) return false;  // its options forbid it
    if (here_.face->has_engine && may_leave(x)) return help_producer(x);
    s.flags = claim(x);
    if (s.flags & cell::claimed) return help_claimed(x);
    s.mine = true;
    if (here_.face->has_engine) x.unmet.fetch_or(cell::local, std::memory_order_acq_rel);
  }
  if ((x.unmet.load(std::memory_order_acquire) & cell::count_mask) != 0) {
    cell* argument = x.ops->unready != nullptr ? x.ops->unready(x) : nullptr;
    if (argument != nullptr) return push(*argument, false);
    ports::yield();  // its last argument is sealed, the countdown falls at this moment
    return true;
  }
  std::uint32_t flags = s.flags;
  // The queue's reference belongs to the stale entry, or become_ready has dropped it; ours goes
  // with the step.
  x.add_reference();
  s.mine = false;
  pop();
  run_claimed(here_, x, flags);
  x.release();
  return true;
}

/// Nothing runs this cell itself: a stream's item, which its generator will seal.
bool walk::help_producer(cell& x) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  cell* producer = extra != nullptr ? extra->producer.load(std::memory_order_acquire) : nullptr;
  if (producer == nullptr || producer->sealed() || contains(*producer)) return false;
  producer->add_reference();
  return push(*producer, true);
}

/// Claimed by somebody else: a suspended coroutine can be helped, a running task cannot.
bool walk::help_claimed(cell& x) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  coroutine_root* root = extra != nullptr ? extra->root.load(std::memory_order_acquire) : nullptr;
  if (root == nullptr) return false;
  if (help_root(here_, *root)) return true;
  cell* below = awaited_by(*root);
  if (below == nullptr) return false;
  // A ring of coroutines, or the wake-up is on its way.
  if (!contains(*below) && !below->sealed()) return push(*below, true);
  below->release();
  return false;
}

bool walk::help_message(cell& m) noexcept {
  // The actor may end as soon as the message is sealed: mark it first, then look again
  // (retire_actor).
  actor_core* a = m.ops->link(m).actor;
  actor_core* outer = here_.hazard.load(std::memory_order_relaxed);
  here_.hazard.store(a, std::memory_order_seq_cst);
  ports::light_fence();
  bool helped = false;
  if (!m.sealed()) {
    deadlocked_ = runs_below(here_, *a) && !a->type->reentrant && a->concurrency == 1;
    if (!deadlocked_) {
      a->add_reference();  // helping may nest and overwrite the mark
      helped = help_actor(here_, *a, &m);
      if (!helped) helped = help_blocker(m, *a);
      a->release();
    }
  }
  here_.hazard.store(outer, std::memory_order_release);
  return helped || m.sealed();
}

/// The message waits behind something: an argument, or a call that is suspended, its own or an
/// earlier one.
bool walk::help_blocker(cell& m, actor_core& a) noexcept {
  cell_extra* extra = m.extra.load(std::memory_order_acquire);
  if (extra != nullptr && extra->root.load(std::memory_order_acquire) != nullptr)
    return help_claimed(m);
  cell* blocker = blocker_of(here_, a, m);
  if (blocker == nullptr) return false;
  if (!blocker->sealed() && !contains(*blocker)) return push(*blocker, true);
  blocker->release();
  return false;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
