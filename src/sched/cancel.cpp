// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/cancel.hpp"

#include "beamlet/sched/engine.hpp"
#include "sched/frames.hpp"
#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

/// Marks the attempts that `matches` picks. Rare: looks at every frame.
template <class F>
void mark_frames(scheduler& home, F matches) noexcept {
  std::lock_guard hold(home.frames_lock);
  for (frame* f = home.frames_all; f != nullptr; f = f->all) {
    std::uint32_t generation = f->generation.load(std::memory_order_acquire);
    if (!matches(*f)) continue;
    f->cancelled.store(generation,
                       std::memory_order_release);  // stale when it ended meanwhile: harmless
  }
}

}  // namespace

void cancel(context& here, cell& x, bool recursive, bool force) noexcept {
  if (x.sealed()) return;
  scheduler& home = *x.home;
  std::uint32_t before = x.unmet.fetch_or(cell::cancelled, std::memory_order_acq_rel);
  if (recursive) {
    home.ancestors_matter.store(true, std::memory_order_seq_cst);
    ports::heavy_fence();  // begin_attempt
    mark_frames(home, [&](frame& f) { return f.running.load(std::memory_order_acquire) == &x; });
  }
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra != nullptr) {
    if (coroutine_root* root = extra->root.load(std::memory_order_acquire)) wake_root(*root);
    if (before & cell::special) home.admit_waiting();
    if (timer* later = home.timers.take(x)) later->fire(*later);
  }
  wake_cancelled_coroutines(home);
  if (home.has_engine || x.ops->link != nullptr || (extra != nullptr && extra->isolated != nullptr))
    if (engine* out = home.outside.load(std::memory_order_acquire))
      out->cancel(x, force, recursive);
  (void)here;
}

bool this_attempt_cancelled(const context& here) noexcept {
  scheduler& home = here.home();
  if (home.solo)
    if (engine* out = home.outside.load(std::memory_order_relaxed)) out->look();
  if (here.face->now.load(std::memory_order_relaxed) >= phase::cancelling) return true;
  return here.depth > 0 && attempt_cancelled(*here.current);
}

void cancel_calls_of(actor_core& a) noexcept {
  scheduler& home = *a.home;
  home.ancestors_matter.store(true, std::memory_order_seq_cst);
  mark_frames(home, [&](frame& f) {
    return f.actor.load(std::memory_order_acquire) == &a &&
           f.running.load(std::memory_order_acquire) != nullptr;
  });
  wake_cancelled_coroutines(home);
}

/// Suspended coroutines learn of it at once; those that are not meant go back to sleep.
void wake_cancelled_coroutines(scheduler& home) noexcept {
  bool all = home.now.load(std::memory_order_relaxed) >= phase::cancelling;
  std::lock_guard hold(home.roots_lock);
  for (coroutine_root* r = home.roots; r != nullptr; r = r->following)
    if (all || (r->attempt != nullptr && attempt_cancelled(*r->attempt))) wake_root(*r);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
