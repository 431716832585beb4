// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/time.hpp>
#include <beamlet/runtime/runtime.hpp>

#include <chrono>
#include <string>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What the code that runs on this thread may ask about itself. Outside a task: false, empty, 0.
namespace this_task {

/// True when the task, or one that it descends from, was cancelled, or its runtime ends. Long work
/// asks this.
///
/// Thread: any.   Blocks: no.   Cost: a few nanoseconds.
bool cancelled() noexcept;
/// The name from its options, else its function's.
std::string name();
/// 0 at the first try, then counted up.
std::uint32_t attempt() noexcept;
/// The runtime that runs this task; empty outside of one.
runtime_handle runtime() noexcept;

}  // namespace this_task

namespace this_actor {

/// Ends the actor whose method runs here, after this call; later calls fail with errc::actor_died.
/// Errors: not_found outside of an actor.
result<void> exit() noexcept;
/// True in an actor whose worker process died before (`max_restarts`), in its constructor too:
/// what state it had is gone.
bool was_restarted() noexcept;

}  // namespace this_actor

namespace sched {

/// `co_await sleep_for(50ms)`.
struct sleep_awaiter : awaiter_base {
  explicit sleep_awaiter(std::uint64_t ns) noexcept;
  sleep_awaiter(sleep_awaiter&&) = delete;
  ~sleep_awaiter() { wait.stop(); }
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return wait.start_timer(h.promise(), *this, sleep_ns);
  }
  void await_resume() const noexcept {}
  std::uint64_t sleep_ns;
  cell_wait wait;
};

}  // namespace sched

/// Suspends the coroutine for that long. Errors: cancelled; no_memory.
inline sched::sleep_awaiter sleep_for(std::chrono::nanoseconds time) noexcept {
  return sched::sleep_awaiter(static_cast<std::uint64_t>(base::saturated_ns(time)));
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
