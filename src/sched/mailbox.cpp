// SPDX-License-Identifier: Apache-2.0
// Mailboxes: how a message comes in, what a full box does, and in which order messages come out.

#include "beamlet/base/time.hpp"
#include "sched/actor_extra.hpp"
#include "sched/actor_turn.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::uint64_t blocked_poll_ns = 5'000'000;  // a producer looks again this often, wake-up or not

cell* box_head(std::uint64_t word) { return reinterpret_cast<cell*>(word & box_pointer_mask); }
std::uint32_t box_count(std::uint64_t word) { return static_cast<std::uint32_t>(word >> box_count_shift); }

bool is_full(const actor_core& a, std::uint64_t word) {
  return box_count(word) + a.batch_left.load(std::memory_order_relaxed) >= a.capacity;
}

void refuse_message(actor_core& a, cell& m, errc code, const char* text) noexcept {
  m.ops->drop_arguments(m);
  seal_failed(m, error(code, error_layer::sched, {text, "", function_name(m), std::string(a.type->name)}));
  m.release();
}

/// Waits for room under `mailbox_policy::block`. False: the message was refused and is gone.
bool wait_for_room(context& here, actor_core& a, cell& m) noexcept {
  if (runs_below(here, a)) {
    refuse_message(a, m, errc::would_deadlock, "the actor's mailbox is full and this call would wait for the actor itself");
    return false;
  }
  if (here.in_callback) {
    refuse_message(a, m, errc::would_block, "the mailbox is full and a callback of the event loop must not wait");
    return false;
  }
  a.blocked_producers.fetch_add(1, std::memory_order_seq_cst);
  scheduler& home = *a.home;
  bool refused = false;
  while (is_full(a, a.box.load(std::memory_order_seq_cst))) {
    if (home.now.load(std::memory_order_relaxed) >= phase::cancelling) {
      refuse_message(a, m, errc::stopped, "the runtime stopped while the call waited for room in the mailbox");
      refused = true;
      break;
    }
    bool may_run = here.self != nullptr && (here.depth > 0 || home.solo);
    if (may_run && help_actor(here, a, nullptr)) continue;
    std::uint32_t seen = a.room_epoch.load(std::memory_order_seq_cst);
    if (!is_full(a, a.box.load(std::memory_order_seq_cst))) break;
    wait_parked(here, a.room_epoch, seen, blocked_poll_ns, m);
  }
  a.blocked_producers.fetch_sub(1, std::memory_order_seq_cst);
  return !refused;
}

void push_entry(actor_core& a) noexcept {
  a.add_reference();
  scheduler& home = *a.home;
  context* here = this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == &home
                      ? this_context : nullptr;
  home.push_ready(here, a, priority::normal);
}

void enqueue_exact(actor_core& a, cell& m) noexcept {
  actor_extra& extra = *a.more.load(std::memory_order_acquire);
  cell* dropped = nullptr;
  {
    std::lock_guard hold(extra.lock);
    extra.exact.push(m);
    if (extra.exact.count > a.capacity) dropped = extra.exact.pop();
  }
  raise_turn(a);
  if (dropped != nullptr) refuse_message(a, *dropped, errc::dropped, "a newer call took its place in the mailbox");
}

}  // namespace

void raise_turn(actor_core& a) noexcept {
  if (a.turns.raise()) push_entry(a);
}

void enqueue(context& here, actor_core& a, cell& m) noexcept {
  if (a.locked_box) return enqueue_exact(a, m);
  std::uint64_t word = a.box.load(std::memory_order_relaxed), next;
  bool was_idle;
  do {
    was_idle = word == box_idle;
    if (!was_idle && is_full(a, word)) [[unlikely]] {
      if (static_cast<mailbox_policy>(a.policy) == mailbox_policy::reject)
        return refuse_message(a, m, errc::queue_full, "the actor's mailbox is full (mailbox_capacity)");
      if (!wait_for_room(here, a, m)) return;
      word = a.box.load(std::memory_order_relaxed);
      was_idle = word == box_idle;
    }
    m.next = was_idle ? nullptr : box_head(word);
    std::uint64_t count = was_idle ? 1 : box_count(word) + 1;
    next = reinterpret_cast<std::uintptr_t>(&m) | count << box_count_shift;
  } while (!a.box.compare_exchange_weak(word, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (was_idle) raise_turn(a);
}

void message_ready(cell& m) noexcept {
  actor_core& a = *m.ops->link(m).actor;
  a.held_changed.store(true, std::memory_order_release);
  raise_turn(a);
  a.release();  // hold_for_countdown
  m.release();
}

// -- out ----------------------------------------------------------------------------------------------------

namespace {

cell* swap_box(actor_core& a, std::uint32_t& count) noexcept {
  std::uint64_t word = a.box.load(std::memory_order_relaxed);
  if (word == box_idle || word == 0) return nullptr;
  word = a.box.exchange(0, std::memory_order_acq_rel);
  cell* newest = box_head(word);
  count = box_count(word);
  cell* oldest = nullptr;
  while (newest != nullptr) {
    cell* older = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = older;
  }
  return oldest;
}

bool must_wait(actor_core& a, actor_extra* extra, cell& m) {
  if ((m.unmet.load(std::memory_order_acquire) & cell::count_mask) != 0) return true;
  if (extra == nullptr || extra->held.empty()) return false;
  std::uint64_t caller = m.ops->link(m).caller;
  for (held_calls& h : extra->held)
    if (h.caller == caller) return true;
  (void)a;
  return false;
}

void hold(actor_core& a, cell& m) noexcept {
  actor_extra* extra = extra_of(a);
  std::uint64_t caller = m.ops->link(m).caller;
  if (extra == nullptr) return refuse_message(a, m, errc::no_memory, "no memory to hold the call back");
  for (held_calls& h : extra->held)
    if (h.caller == caller) return h.calls.push(m);
  if (!try_allocate([&] { extra->held.push_back({caller, {}}); }))
    return refuse_message(a, m, errc::no_memory, "no memory to hold the call back");
  extra->held.back().calls.push(m);
  a.held_changed.store(true, std::memory_order_relaxed);  // its arguments may have come just now
}

void release_held(actor_extra& extra) noexcept {
  auto ready = [](cell* m) { return (m->unmet.load(std::memory_order_acquire) & cell::count_mask) == 0; };
  for (std::size_t i = 0; i < extra.held.size();) {
    cell_list& calls = extra.held[i].calls;
    while (calls.first != nullptr && ready(calls.first)) extra.ready.push(*calls.pop());
    if (calls.first != nullptr) {
      ++i;
      continue;
    }
    extra.held[i] = extra.held.back();
    extra.held.pop_back();
  }
}

}  // namespace

cell* mailbox_reader::next() noexcept {
  actor_extra* extra = a_.more.load(std::memory_order_acquire);
  if (extra != nullptr) {
    if (a_.held_changed.load(std::memory_order_relaxed) &&
        a_.held_changed.exchange(false, std::memory_order_acq_rel))
      release_held(*extra);
    if (cell* m = extra->ready.pop()) return m;
    if (a_.locked_box) return next_exact(*extra);
  }
  for (;;) {
    if (batch_ == nullptr) {
      batch_ = swap_box(a_, left_);
      if (batch_ == nullptr) {
        report_left(0);
        return nullptr;
      }
      report_left(left_);
    }
    cell* m = batch_;
    batch_ = m->next;
    if ((--left_ & 31) == 0) report_left(left_);
    if (!must_wait(a_, extra, *m)) [[likely]] return m;
    hold(a_, *m);
    extra = a_.more.load(std::memory_order_relaxed);
  }
}

cell* mailbox_reader::next_exact(actor_extra& extra) noexcept {
  for (;;) {
    cell* m;
    {
      std::lock_guard lock(extra.lock);
      m = extra.exact.pop();
    }
    if (m == nullptr || !must_wait(a_, &extra, *m)) return m;
    hold(a_, *m);
  }
}

void mailbox_reader::report_left(std::uint32_t left) noexcept {
  if (a_.batch_left.load(std::memory_order_relaxed) != left) a_.batch_left.store(left, std::memory_order_seq_cst);
  if (left > a_.capacity / 2 || a_.blocked_producers.load(std::memory_order_seq_cst) == 0) return;
  a_.room_epoch.fetch_add(1, std::memory_order_seq_cst);
  ports::wake_all(a_.room_epoch);
}

bool mailbox_reader::empty() const noexcept {
  if (batch_ != nullptr) return false;
  actor_extra* extra = a_.more.load(std::memory_order_acquire);
  if (extra != nullptr) {
    if (extra->ready.first != nullptr) return false;
    if (a_.locked_box) {
      std::lock_guard lock(extra->lock);
      return extra->exact.first == nullptr;
    }
  }
  std::uint64_t word = a_.box.load(std::memory_order_acquire);
  return word == 0 || word == box_idle;
}

bool mailbox_reader::become_idle() noexcept {
  if (a_.locked_box) return true;
  chaos::point(chaos::place::mailbox_before_idle);
  std::uint64_t word = 0;
  if (a_.box.compare_exchange_strong(word, box_idle, std::memory_order_acq_rel, std::memory_order_acquire)) return true;
  return word == box_idle;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
