// SPDX-License-Identifier: Apache-2.0
#pragma once

// The facade: `runtime` owns workers, loop and everything that runs; `runtime_handle` is the same
// API without owning, for code that runs inside.

#include <beamlet/base/result.hpp>
#include <beamlet/runtime/actor.hpp>
#include <beamlet/runtime/buffer.hpp>
#include <beamlet/runtime/device_task.hpp>
#include <beamlet/runtime/options.hpp>
#include <beamlet/runtime/task.hpp>
#include <beamlet/sched/observe.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {
struct runtime_core;
struct periodic_core;
result<void> wait_for(sched::scheduler& home, sched::cell* x,
                      std::chrono::nanoseconds timeout) noexcept;
result<void> wait_for_some(sched::scheduler& home, sched::cell* const* cells, std::size_t size,
                           std::size_t count, std::chrono::nanoseconds timeout) noexcept;
}  // namespace detail

/// What `wait` found, in the order of the refs given.
template <class T>
struct wait_result {
  std::vector<ref<T>> ready, unready;
};

/// A task that runs again and again, until this handle goes or `stop` is called.
class periodic_task {
 public:
  periodic_task() noexcept = default;
  explicit periodic_task(std::shared_ptr<detail::periodic_core> core) noexcept
      : core_(std::move(core)) {}
  periodic_task(periodic_task&&) noexcept = default;
  periodic_task& operator=(periodic_task&&) noexcept;
  ~periodic_task();
  /// No run starts after this returns; one that runs goes on.
  void stop() noexcept;

 private:
  std::shared_ptr<detail::periodic_core> core_;
};

/// A runtime's API, not owning it.
///
/// Thread: any; all methods may be called at the same time.   Lifetime: the runtime must not have
/// been destroyed (after `stop` every call answers errc::stopped).
class runtime_handle {
 public:
  explicit runtime_handle(detail::runtime_core* core = nullptr) noexcept : core_(core) {}

  /// A function pointer, lambda or function object as a task: `rt.task(add).remote(1, 2)`.
  template <class F>
  auto task(F function) const {
    return task_builder<F>(scheduler(), std::move(function));
  }
  /// Work for the device that is done with it first: `rt.device_task(ops::matmul{}).remote(a, b)`.
  /// See device_task.hpp.
  ///
  /// Thread: any.   Blocks: no.   Cost: a copy of the op; nothing happens before `remote`.
  device_task_builder device_task(compute::op what) const;
  device_task_builder device_task(kernel_call what) const;
  /// A kernel of the user's own, for device_task(): device_kernel.hpp. It is compiled for a device
  /// where it first runs, and a kernel that does not compile fails that task with the compiler's
  /// words.
  ///
  /// Thread: any.   Blocks: no, and starts the search for devices.   Errors: invalid_argument (an
  /// option, named), exhausted.   Limits: 1024 in a runtime, 6 inputs and outputs together, 128
  /// bytes of parameters.   Lifetime: kept until the runtime ends.
  result<device_kernel> kernel(kernel_options options) const;
  /// What devices there are and how they do. The first use looks for them, as does the first device
  /// task: in processes of their own, so that a driver that crashes or hangs costs its device only
  /// (needs `run_child` in main; without, the processor is the only device).
  ///
  /// Thread: any; inside a task it holds the thread.   Blocks: until they are known; a millisecond
  /// where an earlier run on this machine found out, else seconds; afterwards no.   Cost: a copy of
  /// all figures.   Errors: timeout, those of get().
  result<devices_report> devices(std::chrono::nanoseconds timeout = no_timeout) const;
  /// `rt.actor<detector>().remote("faces.onnx")`.
  template <class T>
  actor_builder<T> actor() const {
    return actor_builder<T>(scheduler(), name_space());
  }
  /// The named actor; errc::not_found when there is none, invalid_argument when its state is of
  /// another type. Also one with `isolation = process` of another program on the box, or of the
  /// program whose worker process this is; it is not known there what type its state has.
  ///
  /// Blocks: where no actor of this process has the name, until the agent has answered.
  template <class T>
  result<actor_handle<T>> get_actor(std::string_view name) const {
    return get_actor<T>(name, name_space());
  }
  template <class T>
  result<actor_handle<T>> get_actor(std::string_view name, std::string_view name_space) const;
  /// Ends an actor: calls that wait fail with errc::actor_died, one that runs sees
  /// `this_task::cancelled()`.
  template <class T>
  void kill(const actor_handle<T>& a) const {
    kill_core(a.core());
  }

  /// A value as an object. Cost: one block of memory; the value is moved in.
  template <class T>
  ref<std::decay_t<T>> put(T&& value) const;

  /// The object store's memory, for builders: a buffer or tensor that was built in it becomes an
  /// object, and reaches worker processes, without a copy. The heap for a runtime that can have no
  /// worker processes (`isolation::process`).
  ///
  /// Blocks: the first time, until the store's agent runs; `allocate`, until there is room.
  /// Errors of `allocate`: also exhausted, timeout, queue_full.   Lifetime: the runtime's.
  memory_source& memory() const;

  /// Waits for the object and returns a copy; the last ref, given as an rvalue, is moved out of.
  ///
  /// Blocks: until it is ready. Inside a task the thread meanwhile runs what is waited for.
  /// Errors: what the task failed with (type, message, function, first cause); timeout (the task
  /// goes on); would_deadlock, would_block (inside a callback of the event loop), too_deep,
  /// stopped, forked, invalid_ref.
  template <class T>
  result<T> get(const ref<T>& object, std::chrono::nanoseconds timeout = no_timeout) const;
  template <class T>
  result<T> get(ref<T>&& object, std::chrono::nanoseconds timeout = no_timeout) const;
  /// All of them, in order; the first error instead.
  template <class T>
  auto get(const std::vector<ref<T>>& objects, std::chrono::nanoseconds timeout = no_timeout) const;
  /// Waits and returns a view that holds the object, without a copy.
  template <class T>
  result<pinned<T>> pin(const ref<T>& object, std::chrono::nanoseconds timeout = no_timeout) const;
  /// Waits until `num_returns` of the objects are ready or have failed, or the timeout; then tells
  /// which are. A timeout is no error here. Errors: as `get`.
  template <class T>
  result<wait_result<T>> wait(const std::vector<ref<T>>& objects, wait_options options = {}) const;
  /// Queued work fails with errc::cancelled, a coroutine at its next wait, a running function sees
  /// `this_task::cancelled()`. `recursive`: also what it has submitted. `force`: the worker process
  /// that runs it is killed. Errors: unsupported (`force` for a task that runs in this process: it
  /// was asked to end), invalid_ref.
  template <class T>
  result<void> cancel(const ref<T>& object, bool force = false, bool recursive = true) const;
  /// Calls `callback(result<T>)` once, on the thread that seals the object (at once when it is
  /// ready). It must not block.
  template <class T, class F>
  void on_ready(const ref<T>& object, F callback) const;
  /// A tuple's elements as refs of their own.
  template <class... T>
  std::tuple<ref<T>...> split(const ref<std::tuple<T...>>& object) const;

  /// Runs `function` every `interval` from now on; a run that takes longer than the interval delays
  /// the next.
  template <class F>
  periodic_task every(std::chrono::nanoseconds interval, F function) const {
    return start_periodic(interval, std::function<void()>(std::move(function)));
  }

  /// Counts, queue lengths, per function calls, errors and time. Cost: linear in threads and
  /// functions.
  runtime_stats stats() const;
  /// Who waits for what, since when. For people.
  std::string dump() const;
  /// What ran when, as Chrome trace JSON (needs `timeline_events` at start): this process's
  /// threads, every worker process that ran calls of this runtime, also those that have ended, and
  /// each such call from when it left to when it was back. All are on one clock, CLOCK_MONOTONIC,
  /// which processes of one machine share; 0 is this runtime's start.
  ///
  /// A worker process tells what it ran when it ends a call, or orderly ends: of a call that runs
  /// now there is nothing yet, and one that is killed takes with it what it did in its last calls.
  /// Blocks: for the agent's answer, a second at most.   Errors: io, unsupported.
  /// Limits: of what one call runs in its process, the newest 1024 on each thread.
  result<void> write_timeline(const std::string& path) const;
  std::string_view name_space() const noexcept;
  unsigned workers() const noexcept;

  /// For the library.
  sched::scheduler& scheduler() const noexcept;
  explicit operator bool() const noexcept { return core_ != nullptr; }

 protected:
  void kill_core(sched::actor_core* a) const noexcept;
  periodic_task start_periodic(std::chrono::nanoseconds interval,
                               std::function<void()> function) const;

  detail::runtime_core* core_;
};

/// A runtime: workers, loop, objects, actors. Several may live in one process and be started and
/// stopped any number of times; refs and handles may outlive it.
///
/// Destroying it stops it as `stop()` does: work that has not started is dropped and its refs fail
/// with errc::stopped, what runs sees `this_task::cancelled()` and is waited for. From one of its
/// own tasks or callbacks the end goes on in the background instead. In a fork of the process it
/// does nothing: the child has no threads.
class runtime : public runtime_handle {
 public:
  /// Errors: invalid_argument (an option out of range, named), already_exists (two functions under
  /// one name), exhausted (no thread to be had), no_memory.
  static result<runtime> start(const runtime_options& options = {});

  runtime() noexcept = default;
  runtime(runtime&& other) noexcept : runtime_handle(std::exchange(other.core_, nullptr)) {}
  runtime& operator=(runtime&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~runtime();

  /// Ends everything, once; later calls return the same report. From one of the runtime's own tasks
  /// or callbacks: errc::would_deadlock, and nothing happens.
  result<stop_report> stop(const stop_options& options = {});
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet

#include <beamlet/runtime/runtime_inline.hpp>
