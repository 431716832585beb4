// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/generator.hpp"

#include <utility>

#include "sched/internal.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

stream_state::~stream_state() {
  for (sched::cell* x : produced) x->release();
}

void stream_state::release() noexcept {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool stream_state::watch(sched::cell& task) noexcept {
  fire = [](sched::listener& self, sched::cell& sealed) noexcept {
    auto& me = static_cast<stream_state&>(self);
    const error* failed = sched::error_of(sealed);
    me.finish(failed != nullptr ? *failed : error(errc::end_of_stream, error_layer::runtime));
    me.release();
  };
  target = sched::waiter::to_listener(*this);
  add_reference();
  if (sched::add_waiter(task, *this)) return true;
  fire(*this, task);
  return false;
}

sched::cell* stream_state::take_wanted() noexcept {
  std::lock_guard hold(lock);
  if (wanted.empty()) return nullptr;
  sched::cell* x = wanted.front();
  wanted.pop_front();
  return x;
}

void stream_state::deliver(sched::cell& wanted_item) noexcept {
  sched::seal(wanted_item, sched::kept_state(wanted_item, sched::outcome::value));
  wanted_item.release();
}

sched::cell* stream_state::push(sched::cell& item) noexcept {
  std::lock_guard hold(lock);
  if (!wanted.empty()) {
    sched::cell* x = wanted.front();
    wanted.pop_front();
    return x;
  }
  sched::seal(item, sched::kept_state(item, sched::outcome::value));  // nobody waits for it yet
  produced.push_back(&item);
  return nullptr;
}

bool stream_state::has_room() noexcept {
  std::lock_guard hold(lock);
  return !abandoned && produced.size() < items_max;
}

bool stream_state::may_go_on(error& why) noexcept {
  std::lock_guard hold(lock);
  if (abandoned)
    why = error(errc::cancelled, error_layer::runtime,
                {"nobody takes from the stream any more", "", "", ""});
  return abandoned || produced.size() < items_max;
}

void stream_state::wait_for_room(sched::coroutine_root& root) noexcept {
  root.add_reference();
  std::unique_lock hold(lock);
  sched::coroutine_root* old = std::exchange(waiting, &root);
  bool now = abandoned || produced.size() < items_max;
  hold.unlock();
  if (old != nullptr) old->release();
  if (now) sched::wake_root(root);  // room came, or the consumer left, before we waited
}

sched::cell* stream_state::take_produced(error& why) noexcept {
  std::unique_lock hold(lock);
  if (produced.empty()) {
    why = end;
    return nullptr;
  }
  sched::cell* x = produced.front();
  produced.pop_front();
  sched::coroutine_root* producer = std::exchange(waiting, nullptr);
  hold.unlock();
  if (producer != nullptr) {
    sched::wake_root(*producer);
    producer->release();
  }
  return x;
}

void stream_state::abandon() noexcept {
  std::unique_lock hold(lock);
  abandoned = true;
  sched::coroutine_root* producer = std::exchange(waiting, nullptr);
  hold.unlock();
  if (producer == nullptr) return;
  sched::wake_root(*producer);
  producer->release();
}

void stream_state::finish(error why) noexcept {
  std::unique_lock hold(lock);
  end = std::move(why);
  std::deque<sched::cell*> left;
  left.swap(wanted);
  sched::coroutine_root* producer = std::exchange(waiting, nullptr);
  hold.unlock();
  for (sched::cell* x : left) {
    sched::seal_failed(*x, end);
    x->release();
  }
  if (producer != nullptr) producer->release();
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
