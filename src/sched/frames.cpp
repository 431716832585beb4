// SPDX-License-Identifier: Apache-2.0
#include "sched/frames.hpp"

#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
// Frames of cancelled attempts are kept this long, so that children still queued see the mark.
constexpr std::size_t retired_frames_max = 65536;
}  // namespace

bool chain_cancelled(frame* f, std::uint32_t generation) noexcept {
  while (f != nullptr) {
    if (f->cancelled.load(std::memory_order_acquire) == generation) return true;
    frame* parent = f->parent.load(std::memory_order_acquire);
    std::uint32_t parent_generation = f->parent_generation.load(std::memory_order_acquire);
    if (f->generation.load(std::memory_order_relaxed) != generation)
      return false;  // it ended: no link upwards
    f = parent;
    generation = parent_generation;
  }
  return false;
}

void mark_if_cancelled(frame& f, const cell& x) noexcept {
  if ((x.unmet.load(std::memory_order_acquire) & cell::cancelled) != 0)
    f.cancelled.store(f.generation.load(std::memory_order_relaxed), std::memory_order_release);
}

bool attempt_cancelled(const frame& f) noexcept {
  const cell* x = f.running.load(std::memory_order_relaxed);
  if (x != nullptr && (x->unmet.load(std::memory_order_relaxed) & cell::cancelled)) return true;
  return chain_cancelled(const_cast<frame*>(&f), f.generation.load(std::memory_order_relaxed));
}

frame* scheduler::new_frame() noexcept {
  std::lock_guard hold(frames_lock);
  if (frame* f = frames_free) {
    frames_free = f->deeper;
    f->deeper = f->outer = nullptr;
    f->actor.store(nullptr, std::memory_order_relaxed);
    return f;
  }
  auto* f = new (std::nothrow) frame;
  if (f == nullptr) return nullptr;
  f->all = frames_all;
  frames_all = f;
  return f;
}

void scheduler::retire_frame(frame& old) noexcept {
  std::lock_guard hold(frames_lock);
  if (!try_push_back(frames_retired, &old))
    return;  // leaked to frames_all, freed with the scheduler
  if (frames_retired.size() < 2 * retired_frames_max) return;
  for (std::size_t i = 0; i < retired_frames_max; ++i) {
    frame* f = frames_retired[i];
    f->generation.fetch_add(1, std::memory_order_release);
    f->deeper = frames_free;
    frames_free = f;
  }
  frames_retired.erase(frames_retired.begin(), frames_retired.begin() + retired_frames_max);
}

void scheduler::free_frame(frame& old) noexcept {
  std::lock_guard hold(frames_lock);
  old.deeper = frames_free;
  frames_free = &old;
}

frame* deeper_frame(context& here) noexcept {
  frame* f = here.home().new_frame();
  if (f == nullptr) return here.current;
  f->outer = here.current;
  here.current->deeper = f;
  return f;
}

void frame_guard::settle(frame& f) noexcept {
  if (!attempt_cancelled(f)) return;
  frame* fresh = here_.home().new_frame();
  if (fresh == nullptr) return;
  f.cancelled.store(f.generation.load(std::memory_order_relaxed), std::memory_order_release);
  fresh->deeper = f.deeper;
  if (fresh->deeper != nullptr) fresh->deeper->outer = fresh;
  fresh->outer = outer_;
  outer_->deeper = fresh;
  f.running.store(nullptr, std::memory_order_relaxed);
  here_.current = fresh;
  here_.home().retire_frame(f);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
