// SPDX-License-Identifier: Apache-2.0
// Blocking waits. Inside a task, `get` runs on its own stack only what it waits for: it claims the
// awaited task, or the unready arguments below it (walk.cpp), and otherwise parks (park.cpp).
// Running anything else there deadlocks without any cycle.

#include "sched/wait.hpp"

#include <algorithm>
#include <mutex>

#include "sched/actor_turn.hpp"
#include "sched/frames.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::size_t stack_reserve = std::size_t{96} << 10;  // for one more level of helping
constexpr int spins_before_parking = 64;                      // a stolen child is often nearly done
constexpr std::uint32_t stale_every = 64;           // gets between two looks for stale entries
constexpr std::uint64_t look_again_ns = 1'000'000;  // where no memory is left to be woken

bool stack_is_low(const context& here) {
  if (here.stack_low == 0) return false;
  char probe;
  return reinterpret_cast<std::uintptr_t>(&probe) < here.stack_low + stack_reserve;
}

error too_deep_error(cell& want) {
  return error(errc::too_deep, error_layer::sched,
               {"tasks that wait for tasks are nested too deeply for this stack (stack_bytes)", "",
                function_name(want), ""});
}

void drop_stale_entries(worker& self) noexcept {
  while (cell* x = self.queue.pop()) {
    bool stale = x->ops->run != nullptr && x->ops->link == nullptr &&
                 (x->unmet.load(std::memory_order_relaxed) & cell::claimed) != 0;
    if (!stale) return self.push(*x);
    x->release();
  }
}

}  // namespace

bool run_if_newest(context& here, cell& want) noexcept {
  worker* self = here.self;
  if (self == nullptr || here.depth == 0 || stack_is_low(here)) return false;
  if (self->queue.newest() != &want) {
    // Entries of tasks that were claimed pile up below: a long task that waits for many drops them
    // here.
    if (here.tick() % stale_every == 0) drop_stale_entries(*self);
    return false;
  }
  if (take_newest(here, want)) want.ops->enter(here, want);
  return want.sealed();
}

bool take_newest(context& here, cell& entry) noexcept {
  worker* self = here.self;
  if (self == nullptr || self->queue.newest() != &entry) return false;
  cell* x = self->queue.pop();
  if (x != nullptr && x != &entry) self->push(*x);
  return x == &entry;  // else a thief was faster
}

namespace {

std::uint64_t time_left_ns(context& here, std::uint64_t deadline_ns) {
  if (deadline_ns == forever) return forever;
  std::uint64_t now = now_ns(here);
  return now < deadline_ns ? deadline_ns - now : 0;
}

const actor_core* actor_of(cell& x) {
  return x.ops->link != nullptr ? x.ops->link(x).actor : nullptr;
}

/// Counts cells that are sealed; shared by the waiting thread and by every node that has not fired.
struct wait_group {
  std::atomic<std::uint32_t> word{0};  // raised at each seal and by wake_parked
  std::mutex port_lock;                // another runtime's thread may seal while this one ends
  ports::port* port = nullptr;         // who waits there sleeps in its turn()
  void wake() noexcept {
    word.fetch_add(1, std::memory_order_release);
    ports::wake_all(word);
    std::lock_guard hold(port_lock);
    if (port != nullptr) port->wake();
  }
  void leave_port() noexcept {
    std::lock_guard hold(port_lock);
    port = nullptr;
  }
  std::atomic<std::uint32_t> references{1};
  void release() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
};

struct group_node : listener, waiter {
  wait_group* group = nullptr;
  std::atomic<std::uint32_t> references{2};
  static void fired(listener& self, cell&) noexcept {
    auto& me = static_cast<group_node&>(self);
    me.group->wake();
    me.release();
  }
  void release() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    group->release();
    delete this;
  }
};

/// Registers at every cell that is not sealed, and takes the registrations back at the end.
class group_watch {
 public:
  bool start(cell* const* cells, std::size_t size, ports::port* port = nullptr) noexcept {
    group = new (std::nothrow) wait_group;
    if (group == nullptr) return false;
    group->port = port;
    for (std::size_t i = 0; i < size; ++i) {
      if (cells[i]->sealed()) continue;
      auto* node = new (std::nothrow) group_node;
      if (node == nullptr || !try_push_back(nodes_, std::pair(cells[i], node))) {
        delete node;
        return false;
      }
      node->fire = group_node::fired;
      node->group = group;
      group->references.fetch_add(1, std::memory_order_relaxed);
      node->target = waiter::to_listener(*node);
      if (!add_waiter(*cells[i], *node)) node->release();  // sealed just now: will never fire
    }
    return true;
  }
  ~group_watch() {
    for (auto& [x, node] : nodes_) {
      if (remove_waiter(*x, *node)) node->release();
      node->release();
    }
    if (group == nullptr) return;
    group->leave_port();
    group->release();
  }
  wait_group* group = nullptr;

 private:
  std::vector<std::pair<cell*, group_node*>> nodes_;
};

class counted_cell {
 public:
  explicit counted_cell(cell& x) noexcept : x_(x) { x.add_reference(); }
  counted_cell(const counted_cell&) = delete;
  counted_cell& operator=(const counted_cell&) = delete;
  ~counted_cell() { x_.release(); }

 private:
  cell& x_;
};

/// Sleeps until `want` is sealed, or `x`, which it waits for; until the time is over; or until
/// there is something to look at again. Both count: `want` may time out or be produced while `x`
/// goes on.
result<void> park(context& here, cell& want, cell& x, std::uint64_t deadline_ns, walk* w) noexcept {
  counted_cell keep(x);  // the walk may drop it meanwhile
  cell* const both[] = {&want, &x};
  group_watch watch;
  if (!watch.start(both, &want == &x ? 1 : 2)) return error(errc::no_memory, error_layer::sched);
  std::uint32_t seen = watch.group->word.load(std::memory_order_acquire);
  if (want.sealed() || x.sealed()) return {};
  park_guard parked(here, &x, actor_of(x), &watch.group->word);
  if (parked.ring())
    return error(errc::would_deadlock, error_layer::sched,
                 {"what this call waits for waits for this call", "", function_name(x), ""});
  if (w != nullptr && w->advance()) return {};
  if (here.home().now.load(std::memory_order_seq_cst) == phase::forked) return refuse(here);
  chaos::point(chaos::place::park_before_wait);
  ports::wait_on(watch.group->word, seen, time_left_ns(here, deadline_ns));
  return {};
}

/// The caller's own loop stands still while its thread waits here: timers are looked after
/// meanwhile.
std::uint64_t next_look(context& here, std::uint64_t deadline_ns) {
  bool callers_loop = here.on_loop && here.home().port->external();
  return callers_loop ? std::min(deadline_ns, here.home().timers.earliest()) : deadline_ns;
}
void look_after_timers(context& here) noexcept {
  if (here.on_loop && here.home().port->external()) here.home().fire_timers();
}

error timeout_error(cell& want) {
  return error(errc::timeout, error_layer::sched,
               {"not ready in time", "", function_name(want), ""});
}

/// A foreign thread that runs tasks has a queue for what these submit, as long as it does.
class helper_lease {
 public:
  explicit helper_lease(context& here) noexcept : here_(here), lent_(here.self == nullptr) {
    if (lent_) here.self = lease_helper(here.home());
  }
  helper_lease(const helper_lease&) = delete;
  helper_lease& operator=(const helper_lease&) = delete;
  ~helper_lease() {
    if (lent_ && here_.self != nullptr)
      return_helper(here_.home(), *std::exchange(here_.self, nullptr));
  }

 private:
  context& here_;
  bool lent_;
};

/// Inside a task, or on a foreign thread that helps with what it waits for.
result<void> wait_helping(context& here, cell& want, lent_cpu& lent) noexcept {
  helper_lease queue_of_our_own(here);
  counters::raise(here.count.helped);
  walk w(here, want);
  int spins = 0;
  while (!want.sealed()) {
    if (stack_is_low(here)) return too_deep_error(want);
    if (w.advance()) {
      spins = 0;
      continue;
    }
    if (w.deadlocked())
      return error(
          errc::would_deadlock, error_layer::sched,
          {"the call waited for is one to an actor that waits here", "", function_name(want), ""});
    if (++spins < spins_before_parking) {
      if (spins % 8 == 0) ports::yield();
      else ports::pause();
      continue;
    }
    lent.before_sleep();
    BEAMLET_TRY_VOID(park(here, want, w.bottom(), forever, &w));
    w.restart();  // what has changed may lie anywhere between the awaited cell and the bottom
    spins = 0;
  }
  return {};
}

result<void> wait_parking(context& here, cell& want, std::uint64_t deadline_ns,
                          lent_cpu& lent) noexcept {
  // A worker that is just being woken may come to this very core: it gets it at once.
  bool spins = deadline_ns == forever && here.home().somebody_awake();
  for (int i = 0; spins && i < spins_before_parking && !want.sealed(); ++i) ports::pause();
  while (!want.sealed()) {
    if (deadline_ns != forever && now_ns(here) >= deadline_ns) return timeout_error(want);
    lent.before_sleep();
    BEAMLET_TRY_VOID(park(here, want, want, next_look(here, deadline_ns), nullptr));
    look_after_timers(here);
  }
  return {};
}

/// One turn of the loop, which ends when another thread has sealed what is waited for: one that
/// runs blocking tasks, or of another runtime.
bool turn_for(context& here, cell& want, walk& w, std::uint64_t deadline_ns) noexcept {
  scheduler& home = here.home();
  counted_cell keep(w.bottom());
  cell* const both[] = {&want, &w.bottom()};
  w.restart();
  if (home.simulated) return home.turn_once(deadline_ns);
  group_watch watch;
  bool watched = watch.start(both, both[0] == both[1] ? 1 : 2, home.port.get());
  if (want.sealed() || both[1]->sealed()) return true;
  return home.turn_once(watched ? deadline_ns
                                : std::min(deadline_ns, now_ns(here) + look_again_ns));
}

/// No other thread runs tasks: this one makes everything go on, in a task only what it waits for.
result<void> wait_alone(context& here, cell& want, std::uint64_t deadline_ns,
                        lent_cpu& lent) noexcept {
  scheduler& home = here.home();
  walk w(here, want);
  while (!want.sealed()) {
    if (deadline_ns != forever && now_ns(here) >= deadline_ns) return timeout_error(want);
    if (stack_is_low(here)) return too_deep_error(want);
    bool moved = here.depth == 0 ? home.drive_once(deadline_ns) : w.advance();
    if (!moved && here.depth > 0 && !w.deadlocked()) {
      lent.before_sleep();
      moved = turn_for(here, want, w, deadline_ns);
    }
    if (moved) continue;
    if (w.deadlocked() || home.simulated)
      return error(errc::would_deadlock, error_layer::sched,
                   {"nothing that could still run would finish it", "", function_name(want), ""});
    if (home.port->external())
      return error(errc::would_block, error_layer::sched,
                   {"only the caller's event loop could finish it, and this thread is that loop's",
                    "", function_name(want), ""});
  }
  return {};
}

/// A foreign thread that works as long as it waits.
result<void> wait_working(context& here, cell& want, lent_cpu& lent) noexcept {
  if (here.self == nullptr) here.self = lease_helper(here.home());
  if (here.self == nullptr) return wait_helping(here, want, lent);
  for (int dry = 0; !want.sealed();) {
    if (cell* x = here.self->find()) {
      x->ops->enter(here, *x);
      dry = 0;
    } else if (++dry < spins_before_parking) {
      if (dry % 8 == 0) ports::yield();
      else ports::pause();
    } else {
      BEAMLET_TRY_VOID(park(here, want, want, forever, nullptr));
    }
  }
  return {};
}

}  // namespace

namespace {

/// A task of one runtime may wait in another: what it runs meanwhile belongs to that one.
class as_current {
 public:
  explicit as_current(context& here) noexcept : outer_(std::exchange(this_context, &here)) {}
  as_current(const as_current&) = delete;
  as_current& operator=(const as_current&) = delete;
  ~as_current() { this_context = outer_; }

 private:
  context* outer_;
};

}  // namespace

result<void> wait_sealed(context& here, cell& want, std::uint64_t deadline_ns) noexcept {
  if (want.sealed()) return {};
  scheduler& home = here.home();
  if (home.now.load(std::memory_order_relaxed) == phase::forked ||
      (home.now.load(std::memory_order_relaxed) == phase::stopped))
    return refuse(here);
  if (here.in_callback)
    return error(errc::would_block, error_layer::sched,
                 {"a callback of the event loop must not wait", "", function_name(want), ""});
  lent_cpu lent(here);
  as_current current(here);
  if (home.solo && (home.simulated || here.on_loop))
    return wait_alone(here, want, deadline_ns, lent);
  bool in_task = here.depth > 0;
  help how = in_task ? help::awaited : home.solo ? help::nothing : home.options.get_helps;
  bool callers_loop = here.on_loop && home.port->external();
  if (deadline_ns != forever || how == help::nothing || callers_loop)
    return wait_parking(here, want, deadline_ns, lent);
  if (!in_task && how == help::anything) return wait_working(here, want, lent);
  return wait_helping(here, want, lent);
}

// -- several

namespace {

std::size_t count_sealed(cell* const* cells, std::size_t size) {
  return static_cast<std::size_t>(
      std::count_if(cells, cells + size, [](cell* x) { return x->sealed(); }));
}

/// Helps the first that can be helped. False: none can.
bool help_any(context& here, cell* const* cells, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    if (cells[i]->sealed()) continue;
    walk w(here, *cells[i]);
    if (w.advance()) return true;
  }
  return false;
}

}  // namespace

result<void> wait_some(context& here, cell* const* cells, std::size_t size, std::size_t count,
                       std::uint64_t deadline_ns) noexcept {
  count = std::min(count, size);
  if (count_sealed(cells, size) >= count) return {};
  scheduler& home = here.home();
  if (home.now.load(std::memory_order_relaxed) >= phase::stopped) return refuse(here);
  if (here.in_callback)
    return error(errc::would_block, error_layer::sched,
                 {"a callback of the event loop must not wait", "", "", ""});
  lent_cpu lent(here);
  as_current current(here);
  bool alone = home.solo && (home.simulated || here.on_loop);
  group_watch watch;
  if (!home.simulated && !watch.start(cells, size, alone ? home.port.get() : nullptr))
    return error(errc::no_memory, error_layer::sched);
  for (;;) {
    std::uint32_t seen = alone ? 0 : watch.group->word.load(std::memory_order_acquire);
    if (count_sealed(cells, size) >= count) return {};
    if (deadline_ns != forever && now_ns(here) >= deadline_ns)
      return error(errc::timeout, error_layer::sched);
    if (alone) {
      bool moved = here.depth == 0 ? home.drive_once(deadline_ns) : help_any(here, cells, size);
      if (!moved && here.depth > 0) {
        lent.before_sleep();
        moved = home.turn_once(deadline_ns);
      }
      if (!moved)
        return error(errc::would_deadlock, error_layer::sched,
                     {"nothing that could still run would finish what is waited for", "", "", ""});
      continue;
    }
    if (here.depth > 0 && deadline_ns == forever && help_any(here, cells, size)) continue;
    park_guard parked(here, nullptr, nullptr, &watch.group->word);
    // Once more, now that whoever brings work knows of us.
    if (here.depth > 0 && deadline_ns == forever && help_any(here, cells, size)) continue;
    if (home.now.load(std::memory_order_seq_cst) == phase::forked) return refuse(here);
    lent.before_sleep();
    ports::wait_on(watch.group->word, seen, time_left_ns(here, next_look(here, deadline_ns)));
    look_after_timers(here);
  }
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
