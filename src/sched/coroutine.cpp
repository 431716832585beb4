// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/coroutine.hpp"

#include <new>

#include "beamlet/sched/actor_core.hpp"
#include "sched/actor_turn.hpp"
#include "sched/frames.hpp"
#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct wake_node : listener, timer {
  waiter entry;
  coroutine_root* root = nullptr;  // counted
  cell* want = nullptr;            // counted; null: a timer alone
  bool listed = false, timed = false;
  std::atomic<bool> time_over{false};
  std::atomic<std::uint32_t> references{1};
};

namespace {

void release_node(wake_node& n) noexcept {
  if (n.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (n.want != nullptr) n.want->release();
  n.root->release();
  n.~wake_node();
  pool_put<sizeof(wake_node), alignof(wake_node)>(&n);
}

void enter_root(context& here, cell& self);
void destroy_root(cell& self);
constexpr cell_ops root_ops{.enter = enter_root, .destroy = destroy_root};

void list_root(scheduler& home, coroutine_root& r) noexcept {
  std::lock_guard hold(home.roots_lock);
  r.following = home.roots;
  if (r.following != nullptr) r.following->previous = &r;
  home.roots = &r;
}

void unlist_root(scheduler& home, coroutine_root& r) noexcept {
  std::lock_guard hold(home.roots_lock);
  (r.previous != nullptr ? r.previous->following : home.roots) = r.following;
  if (r.following != nullptr) r.following->previous = r.previous;
}

void set_awaiting(coroutine_root& r, cell* x, bool until = false) noexcept {
  if (x != nullptr) x->add_reference();
  while (r.locked.exchange(true, std::memory_order_acquire)) ports::pause();
  cell* old = std::exchange(r.awaiting, x);
  r.awaits_until = until;
  r.locked.store(false, std::memory_order_release);
  if (old != nullptr) old->release();
}

/// Its next wait fails: it was cancelled, or its runtime ends.
bool must_end(const coroutine_root& r) noexcept {
  return r.home->now.load(std::memory_order_relaxed) >= phase::cancelling ||
         attempt_cancelled(*r.attempt);
}

/// Runs until the coroutine waits for something outside, or has finished.
bool advance(coroutine_root& r) noexcept {
  promise_base* p = r.at;
  for (;;) {
    if (awaiter_base* pending = p->pending) {
      error why;
      auto verdict = pending->check(*pending, why);
      if (verdict == awaiter_base::verdict::not_yet) {
        if (!must_end(r)) return false;
        pending->abandon(*pending);
        why = error(errc::cancelled, error_layer::sched, {"", "", function_name(*r.target), ""});
        verdict = awaiter_base::verdict::fail;
      }
      p->pending = nullptr;
      if (verdict == awaiter_base::verdict::fail) fail_coroutine(*p, std::move(why));
      else p->self.resume();
    } else {
      p->self.resume();
    }
    if (!p->done) {
      p = r.at;  // it waits; what it waits for may be there already
    } else if (p->continuation != nullptr) {
      p = p->continuation;  // it waited for the child: its awaiter is asked next
    } else {
      return true;
    }
  }
}

/// The coroutine's own attempt is current while it runs, so that its children have one parent
/// across waits.
class root_guard {
 public:
  root_guard(context& here, coroutine_root& r) noexcept
      : here_(here), outer_(here.current), root_(here.root) {
    r.attempt->outer = outer_;
    here.current = r.attempt;
    here.root = &r;
    ++here.depth;
  }
  ~root_guard() {
    here_.current = outer_;
    here_.root = root_;
    --here_.depth;
  }

 private:
  context& here_;
  frame* outer_;
  coroutine_root* root_;
};

outcome end_root(coroutine_root& r) noexcept {
  set_awaiting(r, nullptr);
  outcome how = r.deliver(*r.top, *r.target);
  r.destroy_frame(*r.top);
  r.top = r.at = nullptr;
  return how;
}

void end_attempt(scheduler& home, frame& f) noexcept {
  bool was_cancelled =
      home.ancestors_matter.load(std::memory_order_relaxed) && attempt_cancelled(f);
  if (was_cancelled)
    f.cancelled.store(f.generation.load(std::memory_order_relaxed), std::memory_order_release);
  f.running.store(nullptr, std::memory_order_relaxed);
  f.actor.store(nullptr, std::memory_order_relaxed);
  f.outer = nullptr;
  if (was_cancelled) return home.retire_frame(f);
  f.generation.fetch_add(1, std::memory_order_release);
  home.free_frame(f);
}

/// REQUIRES: the turn is ours.
void run_root(context& here, coroutine_root& r) noexcept {
  const bool hosts_calls = here.home().hosts_calls;
  do {
    bool ended;
    if (hosts_calls) lend_cpu_away(here.home(), *r.target, false);
    {
      root_guard inside(here, r);
      ended = advance(r);
    }
    if (!ended) {
      if (hosts_calls) lend_cpu_away(here.home(), *r.target, true);
      chaos::point(chaos::place::turn_before_leave);
      continue;
    }
    scheduler& home = here.home();
    cell& target = *r.target;
    outcome how = end_root(r);
    unlist_root(home, r);
    end_attempt(home, *std::exchange(r.attempt, nullptr));
    finish_coroutine(here, target, how);
    target.release();
    return;  // the turn stays taken: nothing runs any more
  } while (!r.turns.leave());
}

void enter_root(context& here, cell& self) {
  auto& r = static_cast<coroutine_root&>(self);
  if (r.turns.enter()) run_root(here, r);
  r.release();
}

void destroy_root(cell& self) {
  auto& r = static_cast<coroutine_root&>(self);
  r.~coroutine_root();
  pool_put<sizeof(coroutine_root), alignof(coroutine_root)>(&r);
}

void arm_timer(wake_node& n, scheduler& home, std::uint64_t deadline_ns) noexcept {
  n.when_ns = deadline_ns;
  static_cast<timer&>(n).fire = [](timer& self) noexcept {
    auto& t = static_cast<wake_node&>(self);
    bool early = t.root->home->now.load(std::memory_order_relaxed) >=
                 phase::cancelling;  // stop() fires them all
    if (!early) t.time_over.store(true, std::memory_order_release);
    wake_root(*t.root);
    release_node(t);
  };
  n.timed = home.add_timer(n);
  if (n.timed) return;
  n.time_over.store(
      true, std::memory_order_release);  // no memory for the timer: rather too early than never
  wake_root(*n.root);
  release_node(n);
}

}  // namespace

coroutine_root* make_root(cell& target, promise_base& top) noexcept {
  context* here = this_context;
  void* memory = pool_get<sizeof(coroutine_root), alignof(coroutine_root)>();
  if (memory == nullptr) return nullptr;
  auto* r = new (memory) coroutine_root;
  frame* f = here->home().new_frame();
  if (f == nullptr) {
    destroy_root(*r);
    return nullptr;
  }
  const frame& now = *here->current;
  f->parent.store(now.parent.load(std::memory_order_relaxed), std::memory_order_release);
  f->parent_generation.store(now.parent_generation.load(std::memory_order_relaxed),
                             std::memory_order_release);
  f->running.store(&target, std::memory_order_relaxed);
  f->actor.store(now.actor.load(std::memory_order_relaxed), std::memory_order_relaxed);
  begin_attempt(here->home(), *f, target);
  r->ops = &root_ops;
  r->home = target.home;
  r->target = &target;
  r->attempt = f;
  r->at = r->top = &top;
  r->on_loop = here->on_loop && !here->home().solo;
  top.root = r;
  r->turns.start_running();
  return r;
}

outcome run_root_first(coroutine_root& r) noexcept {
  context& here = *this_context;
  scheduler& home = here.home();
  cell& target = *r.target;
  {
    root_guard inside(here, r);
    r.at->self.resume();
    if (r.top->done) goto finished;  // the common case: nothing to wait for
  }
  {
    cell_extra* extra = extra_of(target);
    if (extra == nullptr) {  // cannot be found by those who wait: rather fail than lose it
      fail_coroutine(*r.top, error(errc::no_memory, error_layer::sched));
      goto finished;
    }
    target.add_reference();
    r.add_reference();  // the target's: a get may look at the root as long as it holds the target
    extra->root.store(&r, std::memory_order_release);
    r.since_ns = now_ns(here);
    list_root(home, r);
    if (home.hosts_calls) lend_cpu_away(home, target, true);
    chaos::point(chaos::place::turn_before_leave);
    bool again = must_end(r);
    if (again || !r.turns.leave()) {  // woken already
      run_root(here, r);
    }
    r.release();
    return outcome::suspended;
  }
finished:
  outcome how = end_root(r);
  end_attempt(home, *std::exchange(r.attempt, nullptr));
  r.release();
  return how;
}

void wake_root(coroutine_root& r) noexcept {
  chaos::point(chaos::place::turn_before_raise);
  if (!r.turns.raise()) return;
  r.add_reference();
  scheduler& home = *r.home;
  if (r.on_loop) return home.post_to_loop(r);
  context* here =
      this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == &home
          ? this_context
          : nullptr;
  home.push_ready(here, r, priority::normal);
}

bool help_root(context& here, coroutine_root& r) noexcept {
  if (r.on_loop && !here.on_loop) return false;
  bool entry = take_newest(here, r);
  bool mine = entry ? r.turns.enter() : r.turns.claim();
  if (mine) run_root(here, r);
  if (entry) r.release();
  return mine;
}

cell* awaited_by(coroutine_root& r) noexcept {
  while (r.locked.exchange(true, std::memory_order_acquire)) ports::pause();
  // Without other threads somebody must run it, at the risk of a late deadline.
  cell* x = !r.awaits_until || r.home->solo ? r.awaiting : nullptr;
  if (x != nullptr) x->add_reference();
  r.locked.store(false, std::memory_order_release);
  return x;
}

// -- waiting for a cell or a time

bool cell_wait::start(promise_base& p, awaiter_base& by, cell& want,
                      std::uint64_t deadline_ns) noexcept {
  coroutine_root& r = *p.root;
  scheduler& home = *r.home;
  if (want.ops != nullptr && want.ops->link != nullptr && !want.sealed()) {
    actor_core* to = want.ops->link(want).actor;
    actor_core* mine = r.attempt->actor.load(std::memory_order_relaxed);
    if (to == mine && !mine->type->reentrant && mine->concurrency == 1) {
      fail_coroutine(
          p, error(errc::would_deadlock, error_layer::sched,
                   {"the call awaited is one to the waiting actor itself, which is not reentrant",
                    "", function_name(want), ""}));
      return true;
    }
  }
  void* memory = pool_get<sizeof(wake_node), alignof(wake_node)>();
  if (memory == nullptr) {
    fail_coroutine(p, error(errc::no_memory, error_layer::sched));
    return true;
  }
  node = new (memory) wake_node;
  node->root = &r;
  r.add_reference();
  node->want = &want;
  want.add_reference();
  static_cast<listener*>(node)->fire = [](listener& self, cell&) noexcept {
    auto& n = static_cast<wake_node&>(self);
    wake_root(*n.root);
    release_node(n);
  };
  node->entry.target = waiter::to_listener(*node);
  p.pending = &by;
  r.at = &p;
  set_awaiting(r, &want, deadline_ns != forever);
  node->references.store(deadline_ns != forever ? 3 : 2, std::memory_order_relaxed);
  node->listed = add_waiter(want, node->entry);
  if (!node->listed) {
    node->references.store(1, std::memory_order_relaxed);
    p.pending = nullptr;
    stop();
    return false;
  }
  if (deadline_ns != forever) arm_timer(*node, home, deadline_ns);
  return true;
}

bool cell_wait::start_timer(promise_base& p, awaiter_base& by, std::uint64_t ns) noexcept {
  coroutine_root& r = *p.root;
  void* memory = pool_get<sizeof(wake_node), alignof(wake_node)>();
  if (memory == nullptr) {
    fail_coroutine(p, error(errc::no_memory, error_layer::sched));
    return true;
  }
  node = new (memory) wake_node;
  node->root = &r;
  r.add_reference();
  p.pending = &by;
  r.at = &p;
  node->references.store(2, std::memory_order_relaxed);
  std::uint64_t now = r.home->port->now_ns();
  arm_timer(*node, *r.home, ns < forever - now ? now + ns : forever - 1);
  return true;
}

bool cell_wait::timed_out() const noexcept {
  return node != nullptr && node->time_over.load(std::memory_order_acquire);
}

void cell_wait::stop() noexcept {
  if (node == nullptr) return;
  wake_node& n = *std::exchange(node, nullptr);
  if (n.listed && remove_waiter(*n.want, n.entry)) release_node(n);
  if (n.timed && n.root->home->remove_timer(n)) release_node(n);
  release_node(n);
}

void* coroutine_memory(std::size_t bytes) noexcept { return pool_get(bytes); }
void free_coroutine_memory(void* memory, std::size_t bytes) noexcept { pool_put(memory, bytes); }

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
