// SPDX-License-Identifier: Apache-2.0
#pragma once

// What coroutines have in common, whatever they return: the promise, what it waits for, and the
// root, which is the coroutine's place in the queues.

#include <beamlet/sched/core.hpp>
#include <beamlet/sched/turn.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
class async;

namespace sched {

/// The value of what returns nothing.
struct unit {
  friend bool operator==(unit, unit) { return true; }
};

struct awaiter_base {
  enum class verdict : std::uint8_t { not_yet, resume, fail };
  verdict (*check)(awaiter_base& self, error& e) noexcept = nullptr;
  /// Takes back whatever would wake the coroutine.
  void (*abandon)(awaiter_base& self) noexcept = nullptr;
};

struct promise_base {
  promise_base* continuation = nullptr;
  coroutine_root* root = nullptr;
  awaiter_base* pending = nullptr;
  std::coroutine_handle<> self;
  error failure;
  bool done = false;
};

struct coroutine_root : cell {
  turn turns;
  bool on_loop = false;
  std::atomic<bool> locked{false};  // guards the next two
  cell* awaiting = nullptr;         // counted
  bool awaits_until = false;        // a deadline: who helped could miss it
  promise_base* at = nullptr;       // the innermost that is suspended
  promise_base* top = nullptr;
  outcome (*deliver)(promise_base& from, cell& to) noexcept = nullptr;
  void (*destroy_frame)(promise_base& top) noexcept = nullptr;
  cell* target = nullptr;  // counted until it is sealed
  frame* attempt = nullptr;
  std::uint64_t since_ns = 0;
  coroutine_root* previous = nullptr;
  coroutine_root* following = nullptr;
};

/// Starts the coroutine that is the body of `target` (a task's or message's cell, `value_cell` of
/// T).
template <class T>
outcome start_coroutine(cell& target, async<T> body);

coroutine_root* make_root(cell& target, promise_base& top) noexcept;
/// The first run, inside `cell_ops::run` of the target.
outcome run_root_first(coroutine_root& root) noexcept;
/// Something that the coroutine waits for is there. Spurious calls are harmless.
void wake_root(coroutine_root& root) noexcept;
/// Ends a coroutine at its `co_await` with an error, without resuming it.
inline void fail_coroutine(promise_base& p, error e) noexcept {
  p.failure = std::move(e);
  p.done = true;
}

void* coroutine_memory(std::size_t bytes) noexcept;
void free_coroutine_memory(void* memory, std::size_t bytes) noexcept;
#if BEAMLET_HAS_EXCEPTIONS
error current_exception_error(coroutine_root* root) noexcept;
#else
inline error current_exception_error(coroutine_root*) noexcept { return errc::unknown; }
#endif

/// One thing that will wake a coroutine: a cell, a timer, or both. Lives on the heap, so that it
/// may be abandoned while it fires.
struct wake_node;

/// Waits for a cell, at most until `deadline_ns`.
struct cell_wait {
  wake_node* node = nullptr;
  /// Suspends `p` until the cell is sealed. False: it is sealed already.
  /// Fails the coroutine itself (and returns true) when it would wait for its own actor.
  bool start(promise_base& p, awaiter_base& by, cell& want, std::uint64_t deadline_ns) noexcept;
  /// Suspends `p` for that long. Always true.
  bool start_timer(promise_base& p, awaiter_base& by, std::uint64_t ns) noexcept;
  bool timed_out() const noexcept;
  void stop() noexcept;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
