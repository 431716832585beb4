// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of the scheduler that templates need inline: who am I (context), which attempt submits
// (frame), and the verbs that move a cell. Everything else of `sched` is private.

#include <beamlet/base/error.hpp>
#include <beamlet/base/result.hpp>
#include <beamlet/sched/cell.hpp>
#include <beamlet/sched/pool.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class worker;
struct coroutine_root;
struct actor_core;
class timeline_ring;

/// One attempt at running something: a task, an actor's call or a coroutine; every thread has a
/// bottom one. Frames are reused but never freed before their scheduler, so a child may look at its
/// parent's at any time; the generation tells whether the parent is still the same attempt.
struct frame {
  std::atomic<std::uint32_t> generation{1};
  std::atomic<std::uint32_t> cancelled{0};  // the generation that was cancelled
  std::atomic<std::uint32_t> parent_generation{0};
  std::atomic<frame*> parent{nullptr};
  std::atomic<cell*> running{nullptr};
  std::atomic<actor_core*> actor{nullptr};  // whose call it is
  frame* outer = nullptr;                   // the level below on the same stack
  frame* deeper = nullptr;                  // the frame for the next level on the same stack
  frame* all = nullptr;                     // every frame of the scheduler
};

enum class phase : std::uint8_t { running, draining, cancelling, stopped, forked };

/// What the templates see of a scheduler.
class scheduler_face {
 public:
  std::atomic<phase> now{phase::running};
  /// Set when something has been cancelled recursively: from then on starts look at their
  /// ancestors.
  std::atomic<bool> ancestors_matter{false};
  /// More is queued than `tasks_max` allows; looked at again once per `load_check_every`
  /// submissions.
  std::atomic<bool> full{false};
  /// Every run is timed, for the timeline, not only one in many.
  std::atomic<bool> traces{false};
  /// Set once, before anything runs: cells may leave through the engine.
  bool has_engine = false;
  /// Who made it: this_task::runtime() hands it out.
  void* facade = nullptr;

 protected:
  ~scheduler_face() = default;
};

/// Counters of one thread; written by it alone, read by `stats`.
struct counters {
  std::atomic<std::uint64_t> submitted{0}, completed{0}, failed{0}, cancelled{0}, retried{0};
  std::atomic<std::uint64_t> messages{0}, stolen{0}, parked{0}, slept{0}, helped{0};

  static void raise(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

struct function_counter {
  std::atomic<std::uint32_t> calls{0}, errors{0}, samples{0};
  std::atomic<std::uint64_t> sampled_ns{0};
};

/// One thread's view of one scheduler. Owned by the worker or by the foreign thread; a foreign
/// thread's loses its home when the scheduler ends first.
struct context {
  std::atomic<scheduler*> owner{nullptr};
  scheduler& home() const noexcept { return *owner.load(std::memory_order_relaxed); }
  scheduler_face* face = nullptr;
  worker* self = nullptr;  // null: a foreign thread without a queue of its own
  frame* current = nullptr;
  coroutine_root* root = nullptr;  // the coroutine that runs here now
  std::uint32_t depth = 0;         // tasks on this stack
  std::uintptr_t stack_low = 0;    // 0: unknown
  bool in_callback = false;        // inside a callback of the event loop
  bool on_loop = false;            // the loop's thread
  std::atomic<actor_core*> hazard{nullptr};
  counters count;

  static constexpr std::size_t cache_size = 16;
  struct {
    const void* key;
    std::uint32_t index;
  } functions[cache_size] = {};
  std::atomic<function_counter*> table{nullptr};
  std::uint32_t table_size = 0;
  std::mutex table_lock;  // held while the table moves and while it is read from elsewhere
  timeline_ring* timeline = nullptr;    // null: off
  std::atomic<std::uint32_t> ticks{0};  // picks of work; thieves look at how fast they go
  std::uint32_t tick() noexcept {
    std::uint32_t now = ticks.load(std::memory_order_relaxed) + 1;
    ticks.store(now, std::memory_order_relaxed);
    return now;
  }

  context() = default;
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context();
};

/// The context this thread used last; another scheduler's is looked up.
extern thread_local constinit context* this_context;

/// A callback of the user's runs: it must not wait, and what it destroys ends in the background.
class callback_guard {
 public:
  callback_guard() noexcept : here_(this_context), outer_(here_ != nullptr && here_->in_callback) {
    if (here_ != nullptr) here_->in_callback = true;
  }
  callback_guard(const callback_guard&) = delete;
  callback_guard& operator=(const callback_guard&) = delete;
  ~callback_guard() {
    if (here_ != nullptr) here_->in_callback = outer_;
  }

 private:
  context* here_;
  bool outer_;
};

/// This thread's context in `home`, made when it has none. Null only when there is no memory.
context* find_context(scheduler& home) noexcept;
inline context* context_in(scheduler& home) noexcept {
  context* here = this_context;
  return here != nullptr && here->owner.load(std::memory_order_relaxed) == &home
             ? here
             : find_context(home);
}

/// What a function is called in errors, stats and the timeline. `key` identifies it within the
/// process.
struct function_identity {
  const void* key;
  std::string_view (
      *type)() noexcept;  // the spelled type; asked for once, where no name is registered
};
std::uint32_t find_function(context& here, const function_identity& identity) noexcept;
inline std::uint32_t function_index(context& here, const function_identity& identity) noexcept {
  auto slot = (reinterpret_cast<std::uintptr_t>(identity.key) >> 4) % context::cache_size;
  if (here.functions[slot].key == identity.key) return here.functions[slot].index;
  return find_function(here, identity);
}
/// The same for the name that a call was given in its options.
std::uint32_t named_function(context& here, std::string_view name) noexcept;
std::string function_name(const cell& x);

/// Puts a claimed-by-nobody, ready cell into a queue. Owns the reference that the queue holds.
void schedule(context& here, cell& ready) noexcept;
/// The countdown of `x` reached zero: schedules it, or what its options ask for first. `flags` are
/// those that the last decrement saw: whether it was claimed is decided there.
void become_ready(cell& x, std::uint32_t flags) noexcept;
/// A fresh cell with options (`cell_extra`) enters here instead of `schedule`.
void submit_special(context& here, cell& x) noexcept;
/// Why a submission is not taken.
error refuse(const context& here);
inline bool accepts(const context& here) noexcept {
  return here.face->now.load(std::memory_order_relaxed) <= phase::draining &&
         !here.face->full.load(std::memory_order_relaxed);
}
/// The exact bound costs as much as a task; this one holds within a batch per thread.
inline constexpr std::uint64_t load_check_every = 1024;
void check_load(context& here) noexcept;
inline void count_submission(context& here) noexcept {
  std::uint64_t n = here.count.submitted.load(std::memory_order_relaxed) + 1;
  here.count.submitted.store(n, std::memory_order_relaxed);
  if (n % load_check_every == 0) [[unlikely]]
    check_load(here);
}
/// `x` waits for a cell of another runtime, whose end `x` would not learn of: stop() fails it.
void note_bridge(context& here, cell& x) noexcept;

/// `cell_ops::enter` of every task.
void enter_task(context& here, cell& self);
/// Runs a claimed, ready task on this stack and seals it.
void run_claimed(context& here, cell& self, std::uint32_t flags_before) noexcept;

/// Registers `argument` of `task`; the countdown was raised by the caller for it.
/// Returns false when the argument is sealed already.
inline bool await_argument(cell& task, cell& argument, waiter& w) noexcept {
  w.target = waiter::to_task(task);
  return add_waiter(argument, w);
}

/// The common case of fork and join: the awaited task is the newest of this worker's own queue, and
/// runs here. False: it is not sealed yet.
bool run_if_newest(context& here, cell& want) noexcept;

inline constexpr std::uint64_t forever = ~std::uint64_t{0};
/// Waits until `want` is sealed. Errors: timeout, would_block, would_deadlock, too_deep, stopped,
/// forked.
result<void> wait_sealed(context& here, cell& want, std::uint64_t deadline_ns) noexcept;
/// Waits until `count` of the cells are sealed. The same errors.
result<void> wait_some(context& here, cell* const* cells, std::size_t size, std::size_t count,
                       std::uint64_t deadline_ns) noexcept;
std::uint64_t now_ns(const context& here) noexcept;

/// The error that a task gets whose argument failed: the first cause stays named.
error passed_on(const cell& task, const error& cause);
/// Adds the function's name to an error that its body returned.
error named(const cell& task, error e);
#if BEAMLET_HAS_EXCEPTIONS
/// Inside a catch block: type, message and function of what was thrown. std::bad_alloc is
/// no_memory.
error describe_exception(const cell& task) noexcept;
error exception_error(const cell& task, std::string_view type, std::string_view message);
#endif

/// A cell that has failed with no_memory and is never freed; returned where none could be
/// allocated.
cell& no_memory_cell() noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
