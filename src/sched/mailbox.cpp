// SPDX-License-Identifier: Apache-2.0
// Mailboxes: how a message comes in, what a full box does, and in which order messages come out.

#include "beamlet/base/time.hpp"
#include "beamlet/sched/engine.hpp"
#include "sched/actor_extra.hpp"
#include "sched/actor_turn.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::uint64_t blocked_poll_ns =
    5'000'000;  // a producer looks again this often, wake-up or not

constexpr std::uint32_t report_every = 32;  // a bound holds within this many

bool is_full(const actor_core& a, std::uint64_t word) {
  return mail_word::count(word) + a.batch_left.load(std::memory_order_relaxed) >= a.capacity;
}

void refuse_message(actor_core& a, cell& m, errc code, const char* text) noexcept {
  drop_arguments(m);
  seal_failed(
      m, error(code, error_layer::sched, {text, "", function_name(m), std::string(a.type->name)}));
  m.release();
  context& here = *context_in(*a.home);
  counters::raise(here.count.completed);
  counters::raise(here.count.failed);
  if (here.face->now.load(std::memory_order_relaxed) != phase::running) note_progress(*a.home);
}

/// Waits for room under `mailbox_policy::block`. False: the message was refused and is gone.
bool wait_for_room(context& here, actor_core& a, cell& m) noexcept {
  if (runs_below(here, a)) {
    refuse_message(a, m, errc::would_deadlock,
                   "the actor's mailbox is full and this call would wait for the actor itself");
    return false;
  }
  if (here.in_callback) {
    refuse_message(a, m, errc::would_block,
                   "the mailbox is full and a callback of the event loop must not wait");
    return false;
  }
  a.blocked_producers.fetch_add(1, std::memory_order_seq_cst);
  ports::heavy_fence();
  scheduler& home = *a.home;
  bool refused = false;
  while (is_full(a, a.mail.load(std::memory_order_seq_cst))) {
    if (home.now.load(std::memory_order_relaxed) >= phase::cancelling) {
      refuse_message(a, m, errc::stopped,
                     "the runtime stopped while the call waited for room in the mailbox");
      refused = true;
      break;
    }
    bool may_run = here.self != nullptr && (here.depth > 0 || home.solo);
    if (may_run && help_actor(here, a, nullptr)) continue;
    std::uint32_t seen = a.room_epoch.load(std::memory_order_seq_cst);
    if (!is_full(a, a.mail.load(std::memory_order_seq_cst))) break;
    if (home.solo && here.on_loop) {  // no other thread makes room, and this one is the loop's
      std::uint64_t until = home.simulated ? forever : now_ns(here) + blocked_poll_ns;
      if (home.turn_once(until)) continue;
      refuse_message(a, m, home.port->external() ? errc::would_block : errc::would_deadlock,
                     "the mailbox is full, and only the thread that waits could make room");
      refused = true;
      break;
    }
    wait_parked(here, a.room_epoch, seen, blocked_poll_ns, m);
  }
  a.blocked_producers.fetch_sub(1, std::memory_order_seq_cst);
  return !refused;
}

void push_entry(actor_core& a) noexcept {
  scheduler& home = *a.home;
  context* here =
      this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == &home
          ? this_context
          : nullptr;
  home.push_ready(here, a, priority::normal);
}

void enqueue_exact(actor_core& a, cell& m) noexcept {
  actor_extra& extra = *a.more.load(std::memory_order_acquire);
  cell* dropped = nullptr;
  {
    std::lock_guard hold(extra.lock);
    if (!std::exchange(extra.constructor_came, true)) extra.constructor = &m;
    else extra.exact.push(m);
    if (extra.exact.count > a.capacity) dropped = extra.exact.pop();
  }
  raise_turn(a);
  if (dropped != nullptr)
    refuse_message(a, *dropped, errc::dropped, "a newer call took its place in the mailbox");
}

}  // namespace

void raise_turn(actor_core& a) noexcept {
  chaos::point(chaos::place::turn_before_raise);
  if (a.mail.raise()) push_entry(a);
}

void enqueue(context& here, actor_core& a, cell& m) noexcept {
  if (a.detour) [[unlikely]] {
    if (a.away && a.stage.load(std::memory_order_relaxed) == actor_core::life::starting) {
      // The constructor's call, which nobody else can be before: it waits for its arguments there.
      a.stage.store(actor_core::life::alive, std::memory_order_relaxed);
      return send_away(here, a, m);
    }
    if (here.face->has_engine && leave_through_engine(here, m)) return;
    if (a.locked_box) return enqueue_exact(a, m);
  }
  std::uint64_t seen = a.mail.load();
  bool wants_entry;
  do {
    if (is_full(a, seen)) [[unlikely]] {
      if (static_cast<mailbox_policy>(a.policy) == mailbox_policy::reject)
        return refuse_message(a, m, errc::queue_full,
                              "the actor's mailbox is full (mailbox_capacity)");
      if (!wait_for_room(here, a, m)) return;
      seen = a.mail.load();
    }
    chaos::point(chaos::place::mailbox_before_push);
  } while (!a.mail.try_send(seen, m, wants_entry));
  if (wants_entry) push_entry(a);
}

void message_ready(cell& m) noexcept {
  actor_core& a = *m.ops->link(m).actor;
  a.held_changed.store(true, std::memory_order_release);
  raise_turn(a);
  a.release();  // hold_for_countdown
  m.release();
}

// -- out

namespace {

/// A taken stack, oldest first.
cell* reversed(cell* newest) noexcept {
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
  // Everybody's calls wait for the constructor.
  if (a.stage.load(std::memory_order_relaxed) == actor_core::life::starting) return true;
  std::uint64_t caller = m.ops->link(m).caller;
  for (held_calls& h : extra->held)
    if (h.caller == caller) return true;
  return false;
}

void hold(actor_core& a, cell& m) noexcept {
  actor_extra* extra = extra_of(a);
  std::uint64_t caller = m.ops->link(m).caller;
  if (extra == nullptr)
    return refuse_message(a, m, errc::no_memory, "no memory to hold the call back");
  for (held_calls& h : extra->held)
    if (h.caller == caller) return h.calls.push(m);
  if (!try_allocate([&] { extra->held.push_back({caller, {}}); }))
    return refuse_message(a, m, errc::no_memory, "no memory to hold the call back");
  extra->held.back().calls.push(m);
  a.held_changed.store(true, std::memory_order_relaxed);  // its arguments may have come just now
}

void release_held(const actor_core& a, actor_extra& extra) noexcept {
  auto ready = [](cell* m) {
    return (m->unmet.load(std::memory_order_acquire) & cell::count_mask) == 0;
  };
  // Before the constructor has run it is the first that was held.
  bool starting = a.stage.load(std::memory_order_relaxed) == actor_core::life::starting;
  if (starting && !extra.held.empty() && !ready(extra.held.front().calls.first)) return;
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
      release_held(a_, *extra);
    if (cell* m = extra->ready.pop()) return m;
    if (a_.locked_box) return next_exact(*extra);
  }
  for (;;) {
    if (batch_ == nullptr) {
      std::uint64_t mail = a_.mail.grab();
      if (mail == 0) return nullptr;
      accept(mail);
    }
    cell* m = batch_;
    batch_ = m->next;
    if (--left_ % report_every == 0) report_left(left_);
    if (!must_wait(a_, extra, *m)) [[likely]]
      return m;
    hold(a_, *m);
    extra = a_.more.load(std::memory_order_relaxed);
  }
}

cell* mailbox_reader::next_exact(actor_extra& extra) noexcept {
  for (;;) {
    cell* m;
    {
      std::lock_guard lock(extra.lock);
      m = std::exchange(extra.constructor, nullptr);
      if (m == nullptr) m = extra.exact.pop();
    }
    if (m == nullptr || !must_wait(a_, &extra, *m)) return m;
    hold(a_, *m);
  }
}

void mailbox_reader::accept(std::uint64_t mail) noexcept {
  if (mail == 0) return;
  batch_ = reversed(mail_word::newest(mail));
  left_ = mail_word::count(mail);
  if (left_ >= report_every) report_left(left_);
}

void mailbox_reader::report_left(std::uint32_t left) noexcept {
  if (a_.batch_left.load(std::memory_order_relaxed) != left)
    a_.batch_left.store(left, std::memory_order_relaxed);
  // The producer that waits pays the heavy fence, and looks again by itself after a while.
  ports::light_fence();
  if (a_.blocked_producers.load(std::memory_order_relaxed) == 0 || left > a_.capacity / 2) return;
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
      return extra->constructor == nullptr && extra->exact.first == nullptr;
    }
  }
  return (a_.mail.load(std::memory_order_acquire) & mail_word::mail_mask) == 0;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
