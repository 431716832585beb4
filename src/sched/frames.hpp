// SPDX-License-Identifier: Apache-2.0
#pragma once

// Entering and leaving an attempt, and what an attempt knows of its ancestors.

#include "beamlet/sched/core.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// True when the attempt (f, generation) or one that it descends from was cancelled.
bool chain_cancelled(frame* f, std::uint32_t generation) noexcept;
inline bool ancestor_cancelled(const cell& x) noexcept {
  return chain_cancelled(x.submitter, x.generation);
}
/// The same for a running attempt, and its own cell.
bool attempt_cancelled(const frame& f) noexcept;

/// An attempt begins: a recursive cancel that came after the claim but found no frame to mark is
/// caught up with here. Light fence on this side, heavy on that of `cancel`.
void mark_if_cancelled(frame& f, const cell& x) noexcept;
inline void begin_attempt(const scheduler_face& face, frame& f, const cell& x) noexcept {
  ports::light_fence();
  if (face.ancestors_matter.load(std::memory_order_relaxed)) [[unlikely]]
    mark_if_cancelled(f, x);
}

/// The next level on this thread's stack, made on first use; the current one when there is no
/// memory.
frame* deeper_frame(context& here) noexcept;

class frame_guard {
 public:
  frame_guard(context& here, cell& x, actor_core* actor = nullptr) noexcept
      : here_(here), outer_(here.current) {
    frame* f = outer_->deeper != nullptr ? outer_->deeper : deeper_frame(here);
    // Released after the generation that ended the frame's last attempt: who sees these sees that
    // too.
    f->parent.store(x.submitter, std::memory_order_release);
    f->parent_generation.store(x.generation, std::memory_order_release);
    f->running.store(&x, std::memory_order_relaxed);
    f->actor.store(actor, std::memory_order_relaxed);
    begin_attempt(*here.face, *f, x);
    here.current = f;
    ++here.depth;
  }
  frame_guard(const frame_guard&) = delete;
  frame_guard& operator=(const frame_guard&) = delete;
  ~frame_guard() { leave(); }
  void leave() noexcept {
    if (left_) return;
    left_ = true;
    frame* f = here_.current;
    if (here_.face->ancestors_matter.load(std::memory_order_relaxed)) settle(*f);
    f = here_.current;
    f->running.store(nullptr, std::memory_order_relaxed);
    f->generation.store(f->generation.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
    here_.current = outer_;
    --here_.depth;
  }

 private:
  /// A cancelled attempt's frame is set aside with its mark, for children that have not started
  /// yet.
  void settle(frame& f) noexcept;

  context& here_;
  frame* outer_;
  bool left_ = false;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
