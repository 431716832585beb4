// SPDX-License-Identifier: Apache-2.0
// Workers: where the next piece of work comes from, and what running one task means.

#include "sched/scheduler.hpp"

#include "base/rng.hpp"
#include "sched/frames.hpp"
#include "sched/internal.hpp"
#include "sched/timeline.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
// Every so many picks a worker looks where it would otherwise look last, so that nothing starves
// there.
constexpr std::uint32_t fairness_ticks = 64;
// A theft takes one task and costs a heavy fence. Where there are many, the thief asks the owner to
// put half of them into its inbox, which anybody takes whole; only an owner that does not answer is
// robbed.
constexpr std::size_t share_min = 16;
constexpr std::size_t share_max = 1024;
constexpr unsigned rounds_before_theft = 12;
constexpr int pauses_of_a_look = 20;  // about a microsecond
constexpr std::uint32_t picks_of_a_hopper = 3;
constexpr std::uint32_t inbox_run = 64;  // consecutive foreign submissions that go to one worker
}  // namespace

worker::worker(scheduler& owner, unsigned number, bool is_spare)
    : home(owner),
      index(number),
      spare(is_spare),
      seed(owner.port->random_seed() ^ (number * 0x9e3779b97f4a7c15u)) {
  here.owner.store(&owner, std::memory_order_relaxed);
  here.face = &owner;
  here.self = this;
  here.current = owner.new_frame();
}

void worker::push(cell& x) noexcept {
  // Without memory for a larger ring: the inbox needs none.
  if (!queue.push(&x)) put_in_inbox(x, x);
  else if (asked_to_share.load(std::memory_order_relaxed)) share();
  home.notify();
}

/// A chain linked from the newest to the oldest.
void worker::put_in_inbox(cell& newest, cell& oldest) noexcept {
  cell* head = inbox.load(std::memory_order_relaxed);
  do oldest.next = head;
  while (!inbox.compare_exchange_weak(head, &newest, std::memory_order_seq_cst,
                                      std::memory_order_relaxed));
}

/// Puts the older half of the queue where a thief can take it at once.
void worker::share() noexcept {
  asked_to_share.store(false, std::memory_order_relaxed);
  std::size_t left = std::min(queue.size() / 2, share_max);
  cell* oldest = left > 0 ? queue.take_oldest() : nullptr;
  if (oldest == nullptr) return;
  cell* newest = oldest;
  while (--left > 0) {
    cell* x = queue.take_oldest();
    if (x == nullptr) break;
    x->next = newest;
    newest = x;
  }
  put_in_inbox(*newest, *oldest);
}

cell* worker::take_inbox(worker& from) noexcept {
  if (from.inbox.load(std::memory_order_acquire) == nullptr) return nullptr;
  cell* x = from.inbox.exchange(nullptr, std::memory_order_acq_rel);
  if (x == nullptr) return nullptr;
  chaos::point(chaos::place::inbox_taken);
  // The list is newest first: pushed in that order, popping gives the oldest first.
  while (cell* older = x->next) {
    if (!queue.push(x)) {  // no memory: the rest goes back whole
      cell* last = x;
      while (last->next != nullptr) last = last->next;
      cell* head = inbox.load(std::memory_order_relaxed);
      do last->next = head;
      while (!inbox.compare_exchange_weak(head, x, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
      return queue.pop();
    }
    x = older;
  }
  if (queue.size() > 0) home.notify();
  return x;
}

cell* worker::find_elsewhere() noexcept {
  unsigned used = home.workers_used.load(std::memory_order_acquire);
  if (used > 1) {
    auto first = static_cast<unsigned>(base::splitmix64(seed) % used);
    for (unsigned i = 0; i < used; ++i) {
      worker& other = *home.workers[(first + i) % used];
      if (&other == this) continue;
      if (cell* x = find_at(other)) return x;
    }
  }
  return home.low.pop();
}

/// Whether it picks up work every few hundred nanoseconds: what it has queued last it takes at
/// once, and a theft would only move its work back and forth between the cores.
bool worker::hops() const noexcept {
  std::uint32_t before = here.ticks.load(std::memory_order_relaxed);
  for (int i = 0; i < pauses_of_a_look; ++i) ports::pause();
  return here.ticks.load(std::memory_order_relaxed) - before >= picks_of_a_hopper;
}

cell* worker::find_at(worker& other) noexcept {
  cell* x = take_inbox(other);
  if (x == nullptr) {
    std::size_t many = other.queue.size();
    if (many == 0) return nullptr;
    bool answers = many >= share_min || (patience_ != ~0u && other.hops());
    if (answers && many == 1) return nullptr;
    if (answers && patience_ < rounds_before_theft) {
      ++patience_;
      if (!other.asked_to_share.load(std::memory_order_relaxed))
        other.asked_to_share.store(true, std::memory_order_relaxed);
      return nullptr;
    }
    x = other.queue.steal();
  }
  if (x == nullptr) return nullptr;
  patience_ = 0;
  counters::raise(here.count.stolen);
  return x;
}

cell* worker::find() noexcept {
  cell* x = look();
  if (x != nullptr) here.tick();
  return x;
}

cell* worker::look() noexcept {
  if (++looks_ % fairness_ticks == 0) {
    // In turn: the lowest priority, what foreign threads sent, the oldest of our own.
    cell* x = nullptr;
    switch (looks_ / fairness_ticks % 3) {
      case 0: x = home.low.pop(); break;
      case 1: x = take_inbox(*this); break;
      default: x = queue.take_oldest(); break;
    }
    if (x != nullptr) return x;
  }
  if (cell* x = home.high.pop()) return x;
  if (asked_to_share.load(std::memory_order_relaxed)) share();
  if (cell* x = queue.pop()) return x;
  if (cell* x = take_inbox(*this)) return x;
  return find_elsewhere();
}

bool worker::run_one() noexcept {
  cell* x = find();
  if (x == nullptr) return false;
  x->ops->enter(here, *x);
  return true;
}

// -- queues

void scheduler::push_foreign(context* here, cell& ready) noexcept {
  unsigned used = workers_wanted;  // spares come and go: their inboxes get nothing
  worker& to = *workers[(here != nullptr ? here->tick()
                                         : next_inbox.fetch_add(1, std::memory_order_relaxed)) /
                        inbox_run % used];
  chaos::point(chaos::place::inbox_before_push);
  cell* head = to.inbox.load(std::memory_order_relaxed);
  do ready.next = head;
  while (!to.inbox.compare_exchange_weak(head, &ready, std::memory_order_seq_cst,
                                         std::memory_order_relaxed));
  notify();
  if (solo) port->wake();
}

void scheduler::push_ready(context* here, cell& ready, priority urgency) noexcept {
  if (urgency != priority::normal) {
    (urgency == priority::high ? high : low).push(ready);
    notify();
    if (solo && (here == nullptr || !here->on_loop)) port->wake();
    return;
  }
  if (here != nullptr && here->self != nullptr) return here->self->push(ready);
  push_foreign(here, ready);
}

void schedule(context& here, cell& ready) noexcept {
  if (worker* self = here.self) return self->push(ready);
  here.home().push_foreign(&here, ready);
}

void become_ready(cell& x, std::uint32_t flags) noexcept {
  if (flags & cell::message) return message_ready(x);
  if (flags & cell::claimed)
    return x.release();  // its claimer runs it: the queue's reference is not needed
  scheduler& home = *x.home;
  context* here =
      this_context != nullptr && &this_context->home() == &home ? this_context : nullptr;
  if ((flags & cell::special) || (home.has_engine && !(flags & cell::local))) {
    if (here == nullptr) here = find_context(home);
    return home.admit(*here, x);
  }
  home.push_ready(here, x, priority::normal);
}

// -- running a task

void enter_task(context& here, cell& self) {
  chaos::point(chaos::place::claim_before);
  std::uint32_t before = claim(self);
  if (!(before & cell::claimed)) run_claimed(here, self, before);
  self.release();
}

bool refused_at_start(context& here, cell& x, std::uint32_t flags, error& why) {
  scheduler& home = here.home();
  phase now = home.now.load(std::memory_order_relaxed);
  if (now >= phase::cancelling) {
    home.dropped.fetch_add(1, std::memory_order_relaxed);
    why = error(errc::stopped, error_layer::sched,
                {"the runtime stopped before the task was started", "", function_name(x), ""});
    return true;
  }
  bool ancestor = home.ancestors_matter.load(std::memory_order_relaxed) && ancestor_cancelled(x);
  if ((flags & cell::cancelled) || ancestor) {
    why = error(
        errc::cancelled, error_layer::sched,
        {ancestor ? "the task that submitted it was cancelled" : "", "", function_name(x), ""});
    return true;
  }
  cell_extra* extra = x.extra.load(std::memory_order_acquire);
  if (extra != nullptr && extra->deadline_ns != forever &&
      home.port->now_ns() > extra->deadline_ns) {
    why = error(errc::deadline, error_layer::sched, {"", "", function_name(x), ""});
    return true;
  }
  return false;
}

namespace {

void finish(context& here, cell& x, std::uintptr_t state) noexcept {
  counters::raise(here.count.completed);
  if (state == cell::failed) {
    errc code = x.failure().code();
    counters::raise(code == errc::cancelled ? here.count.cancelled : here.count.failed);
  }
  chaos::point(chaos::place::seal_before);
  seal(x, state);
  if (here.home().now.load(std::memory_order_relaxed) != phase::running) note_progress(here.home());
}

}  // namespace

void run_claimed(context& here, cell& x, std::uint32_t flags) noexcept {
  cell_extra* extra = x.extra.load(std::memory_order_relaxed);
  scheduler_face& face = *here.face;
  bool slow = (flags & cell::cancelled) != 0 || extra != nullptr ||
              face.now.load(std::memory_order_relaxed) != phase::running ||
              face.ancestors_matter.load(std::memory_order_relaxed);
  if (slow) {
    error why;
    if (refused_at_start(here, x, flags, why)) {
      drop_arguments(x);
      x.set_failure(std::move(why));
      if (extra != nullptr) here.home().give_back(x);
      return finish(here, x, cell::failed);
    }
  }
  frame_guard inside(here, x);
  task_sample sample(here, x);
  outcome how = x.ops->run(x);
  sample.end(how == outcome::failed);
  inside.leave();
  if (how == outcome::suspended) return;  // the coroutine seals it
  if (extra != nullptr) {
    here.home().give_back(x);
    if (how == outcome::failed && retry(here, x)) return;
    drop_arguments(x);
    return finish(here, x, kept_state(x, how));
  }
  drop_arguments(x);
  finish(here, x, how == outcome::value ? cell::value : cell::failed);
}

void finish_coroutine(context& here, cell& x, outcome how) noexcept {
  if (x.ops->link != nullptr) return finish_suspended_call(here, x, how);
  if (x.extra.load(std::memory_order_relaxed) != nullptr) here.home().give_back(x);
  drop_arguments(x);
  finish(here, x, kept_state(x, how));
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
