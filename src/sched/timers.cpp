// SPDX-License-Identifier: Apache-2.0
#include "sched/timers.hpp"

#include <algorithm>
#include <utility>

#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

timer_heap::added timer_heap::add(timer& t) noexcept {
  std::lock_guard hold(lock_);
  t.index = heap_.size();
  if (!try_push_back(heap_, &t)) {
    t.index = timer::not_queued;
    return added::no_memory;
  }
  up(t.index);
  return t.index == 0 ? added::earliest : added::later;
}

bool timer_heap::remove(timer& t) noexcept {
  std::lock_guard hold(lock_);
  if (t.index == timer::not_queued) return false;
  take_out(t.index);
  return true;
}

timer* timer_heap::pop_due(std::uint64_t now_ns) noexcept {
  std::lock_guard hold(lock_);
  if (heap_.empty() || heap_[0]->when_ns > now_ns) return nullptr;
  timer* due = heap_[0];
  take_out(0);
  return due;
}

timer* timer_heap::take(const cell& x) noexcept {
  std::lock_guard hold(lock_);
  auto found = std::find_if(heap_.begin(), heap_.end(), [&](timer* t) { return t->of == &x; });
  if (found == heap_.end()) return nullptr;
  timer* t = *found;
  take_out(t->index);
  return t;
}

std::uint64_t timer_heap::earliest() const noexcept {
  std::lock_guard hold(lock_);
  return heap_.empty() ? ~std::uint64_t{0} : heap_[0]->when_ns;
}

std::size_t timer_heap::size() const noexcept {
  std::lock_guard hold(lock_);
  return heap_.size();
}

void timer_heap::take_out(std::size_t i) noexcept {
  heap_[i]->index = timer::not_queued;
  timer* last = heap_.back();
  heap_.pop_back();
  if (last->index == timer::not_queued) return;
  heap_[i] = last;
  last->index = i;
  up(i);
  down(last->index);
}

void timer_heap::up(std::size_t i) noexcept {
  while (i > 0) {
    std::size_t parent = (i - 1) / 4;
    if (heap_[parent]->when_ns <= heap_[i]->when_ns) return;
    std::swap(heap_[parent], heap_[i]);
    heap_[i]->index = i;
    heap_[parent]->index = parent;
    i = parent;
  }
}

void timer_heap::down(std::size_t i) noexcept {
  for (;;) {
    std::size_t least = i;
    for (std::size_t child = 4 * i + 1; child <= 4 * i + 4 && child < heap_.size(); ++child)
      if (heap_[child]->when_ns < heap_[least]->when_ns) least = child;
    if (least == i) return;
    std::swap(heap_[least], heap_[i]);
    heap_[i]->index = i;
    heap_[least]->index = least;
    i = least;
  }
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
