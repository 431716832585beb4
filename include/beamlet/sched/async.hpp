// SPDX-License-Identifier: Apache-2.0
#pragma once

// `async<T>`: the body of a task or actor method that waits without holding a thread. Lazy,
// move-only, awaited once. A child starts inline in its parent's `co_await`; when it has finished,
// the parent goes on without a switch; else the coroutine's root is queued like a task once what it
// waits for is there. No symmetric transfer: g++ 12 overflows the stack with it at -O0 and -O1.

#include <beamlet/base/result.hpp>
#include <beamlet/base/time.hpp>
#include <beamlet/sched/core.hpp>
#include <beamlet/sched/coroutine.hpp>

#include <coroutine>
#include <memory>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
class async;

namespace sched {

template <class T>
struct async_promise;

template <class T>
struct promise_storage : promise_base {
  ~promise_storage() {
    if (has_value) std::destroy_at(&value);
  }
  promise_storage() {}
  template <class U = T>
  requires std::is_constructible_v<T, U&&> &&(!std::is_same_v<std::remove_cvref_t<U>, error>)&&(
      !std::is_same_v<std::remove_cvref_t<U>, errc>)void return_value(U&& v) {
    std::construct_at(&value, std::forward<U>(v));
    has_value = true;
  }
  void return_value(result<T> r) {
    if (r.has_value()) return return_value(*std::move(r));
    failure = std::move(r).error();
  }
  void return_value(const error& e) { failure = e; }
  void return_value(errc code) { failure = error(code); }
  T take() { return std::move(value); }
  union {
    T value;
  };
  bool has_value = false;
};

template <>
struct promise_storage<void> : promise_base {
  void return_void() {}
  void take() {}
};

template <class T>
struct async_promise : promise_storage<T> {
  async<T> get_return_object() noexcept;
  static async<T> get_return_object_on_allocation_failure() noexcept;
  std::suspend_always initial_suspend() noexcept { return {}; }
  std::suspend_always final_suspend() noexcept {
    this->done = true;
    return {};
  }
  void unhandled_exception() noexcept { this->failure = current_exception_error(this->root); }

  void* operator new(std::size_t bytes) noexcept { return coroutine_memory(bytes); }
  void operator delete(void* memory, std::size_t bytes) noexcept {
    free_coroutine_memory(memory, bytes);
  }
};

/// Waits for another coroutine. `Plain`: its failure becomes the waiting coroutine's own.
template <class T, bool Plain>
struct async_awaiter : awaiter_base {
  explicit async_awaiter(async<T>&& a) : child(std::move(a)) {
    check = [](awaiter_base& self, error& e) noexcept {
      auto& promise = static_cast<async_awaiter&>(self).promise();
      if (Plain && promise.failure.code() != errc::ok) {
        e = std::move(promise.failure);
        return verdict::fail;
      }
      return verdict::resume;
    };
    abandon = [](awaiter_base&) noexcept {};
  }
  async_promise<T>& promise() noexcept { return child.handle_.promise(); }
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> parent) noexcept {
    promise_base& waiting = parent.promise();
    if (!child.handle_) {  // its memory could not be had
      if (!Plain) return false;
      fail_coroutine(waiting, errc::no_memory);
      return true;
    }
    promise_base& p = promise();
    p.continuation = &waiting;
    p.root = waiting.root;
    waiting.pending = this;
    p.self.resume();
    if (!p.done) return true;
    waiting.pending = nullptr;
    if (!Plain || p.failure.code() == errc::ok) return false;
    fail_coroutine(waiting, std::move(p.failure));
    return true;
  }
  auto await_resume() {
    if constexpr (Plain) {
      return promise().take();
    } else {
      if (!child.handle_) return result<T>(errc::no_memory);
      if (promise().failure.code() != errc::ok) return result<T>(std::move(promise().failure));
      if constexpr (std::is_void_v<T>) return result<void>();
      else return result<T>(promise().take());
    }
  }
  async<T> child;
};

}  // namespace sched

/// The coroutine type: `async<int> f(std::string name) { ... co_await ...; co_return 1; }`.
///
/// `co_await a` gives the value; a failure ends the awaiting coroutine with the same error, without
/// an exception. `co_await a.as_result()` gives `result<T>`. `co_return` takes a value, a
/// `result<T>`, an `error` or an `errc`.
///
/// Thread: a suspended one goes on on any worker (those started on the loop stay there).   Cost:
/// one block of memory from the pool per coroutine; awaiting what is ready costs a call.   Errors:
/// no_memory when that block cannot be had, cancelled at the next wait after a cancel.   Lifetime:
/// destroying it cancels it. Parameters by value or as `ref`; a capturing lambda must outlive the
/// coroutine.
template <class T = void>
class [[nodiscard]] async {
 public:
  using promise_type = sched::async_promise<T>;
  using value_type = T;

  async() noexcept = default;
  async(async&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  async& operator=(async&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~async() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && noexcept { return sched::async_awaiter<T, true>(std::move(*this)); }
  /// Awaits value or error as `result<T>`.
  auto as_result() && noexcept { return sched::async_awaiter<T, false>(std::move(*this)); }

 private:
  friend promise_type;
  template <class U, bool Plain>
  friend struct sched::async_awaiter;
  template <class U>
  friend sched::outcome sched::start_coroutine(sched::cell&, async<U>);
  explicit async(std::coroutine_handle<promise_type> h) noexcept : handle_(h) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace sched {

template <class T>
async<T> async_promise<T>::get_return_object() noexcept {
  auto h = std::coroutine_handle<async_promise>::from_promise(*this);
  this->self = h;
  return async<T>(h);
}

template <class T>
async<T> async_promise<T>::get_return_object_on_allocation_failure() noexcept {
  return async<T>();
}

template <class T>
inline constexpr bool is_async = false;
template <class T>
inline constexpr bool is_async<async<T>> = true;

template <class T>
outcome start_coroutine(cell& target, async<T> body) {
  if (!body.handle_) {
    target.set_failure(error(errc::no_memory, error_layer::sched));
    return outcome::failed;
  }
  auto& promise = body.handle_.promise();
  coroutine_root* root = make_root(target, promise);
  if (root == nullptr) {
    target.set_failure(error(errc::no_memory, error_layer::sched));
    return outcome::failed;
  }
  root->deliver = [](promise_base& p, cell& to) noexcept {
    auto& typed = static_cast<async_promise<T>&>(p);
    outcome how = outcome::failed;
    if (p.failure.code() != errc::ok) {
      to.set_failure(named(to, std::move(p.failure)));
    } else {
      if constexpr (std::is_void_v<T>) new (static_cast<value_cell<unit>&>(to).place()) unit{};
      else new (static_cast<value_cell<T>&>(to).place()) T(typed.take());
      how = outcome::value;
    }
    return how;
  };
  root->destroy_frame = [](promise_base& p) noexcept {
    std::coroutine_handle<async_promise<T>>::from_promise(static_cast<async_promise<T>&>(p))
        .destroy();
  };
  body.handle_ = nullptr;
  return run_root_first(*root);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
