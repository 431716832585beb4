// SPDX-License-Identifier: Apache-2.0
#pragma once

// `beamlet::scope`: work that must not outlive a block. What is started through a scope has ended
// when the scope is left, on every path out of the block.

#include <beamlet/runtime/runtime.hpp>

#include <mutex>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

/// The body of a spawned coroutine as a task of its own.
template <class T>
async<T> run_spawned(async<T> body) {
  if constexpr (std::is_void_v<T>) co_await std::move(body);
  else co_return co_await std::move(body);
}

}  // namespace detail

/// Owns the work that was started through it.
///
/// Thread: any may start work; one joins.   Lifetime: must not outlive its runtime. The destructor
/// cancels what is left (recursively) and waits for it; inside a task the waiting thread helps.
class scope {
 public:
  explicit scope(runtime_handle runtime) noexcept : runtime_(runtime) {}
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  ~scope();

  /// Takes note of work that was started elsewhere; returns its ref.
  template <class T>
  ref<T> add(ref<T> work) {
    note(detail::ref_access::cell(work));
    return work;
  }
  /// Starts a task.   Errors: as `remote`, in the ref.
  template <class F, class... A>
  auto start(F function, A&&... a) {
    return add(runtime_.task(std::move(function)).remote(std::forward<A>(a)...));
  }
  /// Starts a coroutine as a task of its own.
  template <class T>
  ref<T> spawn(async<T> body) {
    return add(runtime_.task(&detail::run_spawned<T>).remote(std::move(body)));
  }

  /// Waits until everything has ended. Errors: the first failure among the work; timeout (what runs
  /// goes on), and those of `get`.
  result<void> join(std::chrono::nanoseconds timeout = no_timeout);
  /// Cancels what has not ended, recursively. Does not wait.
  void cancel();
  /// How many have not ended yet.
  std::size_t pending() const;

 private:
  void note(sched::cell* x);
  std::vector<sched::cell*> counted_copy() const;

  runtime_handle runtime_;
  mutable std::mutex lock_;
  std::vector<sched::cell*> work_;  // counted
  std::size_t sweep_at_ = 64;
  error first_failure_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
