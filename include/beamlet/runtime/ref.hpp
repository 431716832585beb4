// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>
#include <beamlet/sched/async.hpp>
#include <beamlet/sched/cell.hpp>
#include <beamlet/sched/extra.hpp>

#include <chrono>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

template <class T>
class ref;

namespace detail {

/// What a cell holds for a function that returns T.
template <class T>
using stored = std::conditional_t<std::is_void_v<T>, sched::unit, T>;

template <class T>
inline constexpr bool is_ref = false;
template <class T>
inline constexpr bool is_ref<ref<T>> = true;

/// Access for the library's own templates; users never need it.
struct ref_access {
  template <class T>
  static sched::value_cell<stored<T>>* cell(const ref<T>& r) noexcept {
    return r.cell_;
  }
  template <class T>
  static ref<T> adopt(sched::cell* counted) noexcept {
    ref<T> r;
    r.cell_ = static_cast<sched::value_cell<stored<T>>*>(counted);
    r.count_ref();
    return r;
  }
};

/// True when nobody but the holder of one ref can see the object.
template <class S>
bool is_last_ref(const sched::value_cell<S>& x) noexcept {
  if constexpr (sched::value_cell<S>::counts_refs) {
    sched::cell_extra* extra = x.extra.load(std::memory_order_acquire);
    bool published = extra != nullptr && extra->away.load(std::memory_order_acquire) != nullptr;
    if (!published) return x.refs.load(std::memory_order_acquire) == 1;
  }
  return x.references.load(std::memory_order_acquire) == 1;
}

}  // namespace detail

namespace sched {

/// Turns the bytes of a sealed cell into its value, once, on the first reader's thread. The state
/// is value or failed afterwards.
void open_bytes(cell& x) noexcept;

/// For a listener that may have to wait for the value. True: this thread must not, so it fires
/// again soon, on another one or with nothing else on the stack.
bool fires_later(listener& l, cell& x) noexcept;

/// REQUIRES: sealed. The error, or null when there is a value to read.
inline const error* error_of(cell& x) noexcept {
  std::uintptr_t s = x.state.load(std::memory_order_acquire);
  if (s == cell::value) [[likely]]
    return nullptr;
  if (s == cell::bytes) {
    open_bytes(x);
    s = x.state.load(std::memory_order_acquire);
  }
  return s == cell::failed ? &x.failure() : nullptr;
}

/// `co_await ref`: the value, by copy, or by move when this is the last ref. `Plain`: a failure
/// becomes the waiting coroutine's own.
template <class T, bool Plain>
struct ref_awaiter : awaiter_base {
  ref_awaiter(ref<T> r, std::uint64_t timeout) noexcept
      : awaited(std::move(r)), timeout_ns(timeout) {
    check = [](awaiter_base& self, error& e) noexcept {
      return static_cast<ref_awaiter&>(self).look(e);
    };
    abandon = [](awaiter_base& self) noexcept { static_cast<ref_awaiter&>(self).wait.stop(); };
  }
  ref_awaiter(ref_awaiter&&) = delete;
  ~ref_awaiter() { wait.stop(); }

  cell* target() const noexcept { return detail::ref_access::cell(awaited); }
  bool await_ready() const noexcept {
    cell* x = target();
    return x != nullptr && x->state.load(std::memory_order_acquire) == cell::value && may_take();
  }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    promise_base& p = h.promise();
    cell* x = target();
    if (x == nullptr) return fail_now(p, error(errc::invalid_ref, error_layer::sched));
    if (!x->sealed()) {
      std::uint64_t deadline = timeout_ns == forever ? forever : now_ns(*this_context) + timeout_ns;
      if (wait.start(p, *this, *x, deadline)) return true;
    }
    const error* e = error_of(*x);
    if (e != nullptr) return fail_now(p, *e);
    return !may_take() && fail_now(p, shared_error());
  }
  auto await_resume() {
    wait.stop();
    if constexpr (Plain) {
      return take();
    } else {
      if (failed.code() != errc::ok) return result<T>(std::move(failed));
      if constexpr (std::is_void_v<T>) return result<void>();
      else return result<T>(take());
    }
  }

  ref<T> awaited;
  std::uint64_t timeout_ns;
  cell_wait wait;
  error failed;

 private:
  /// What cannot be copied goes to the holder of the last ref.
  bool may_take() const noexcept {
    if constexpr (std::is_void_v<T>) return true;
    else
      return std::is_copy_constructible_v<T> ||
             detail::is_last_ref(*detail::ref_access::cell(awaited));
  }
  static error shared_error() {
    return error(
        errc::invalid_argument, error_layer::sched,
        {"the object cannot be copied and other refs share it: co_await the last ref as an rvalue",
         "", "", ""});
  }
  verdict look(error& e) noexcept {
    cell* x = target();
    if (x->sealed()) {
      const error* why = error_of(*x);
      if (why == nullptr && may_take()) return verdict::resume;
      e = why != nullptr ? *why : shared_error();
    } else if (wait.timed_out()) {
      e = error(errc::timeout, error_layer::sched,
                {"not ready in time", "", function_name(*x), ""});
    } else {
      return verdict::not_yet;
    }
    if (Plain) return verdict::fail;
    failed = std::move(e);
    return verdict::resume;
  }
  /// Returns what await_suspend returns: a plain wait stays suspended for good, the other goes on
  /// at once.
  bool fail_now(promise_base& p, error e) noexcept {
    if constexpr (Plain) {
      fail_coroutine(p, std::move(e));
      return true;
    } else {
      failed = std::move(e);
      return false;
    }
  }
  T take() {
    if constexpr (!std::is_void_v<T>) {
      auto& x = *detail::ref_access::cell(awaited);
      if constexpr (std::is_copy_constructible_v<T>) {
        if (!detail::is_last_ref(x)) return x.get();
      }
      return std::move(x.get());
    }
  }
};

}  // namespace sched

/// A future and a reference to an immutable object (Ray's ObjectRef). Copying counts, moving costs
/// nothing.
///
/// Thread: a value type; copies may be used on any thread.   Lifetime: may outlive its runtime: a
/// value that was ready stays readable through another runtime, what was pending holds
/// errc::stopped. In coroutines: `co_await r`, `co_await r.as_result()`, `co_await r.within(50ms)`.
template <class T>
class ref {
 public:
  using value_type = T;

  ref() noexcept = default;
  ref(const ref& other) noexcept : cell_(other.cell_) {
    if (cell_ == nullptr) return;
    cell_->add_reference();
    count_ref();
  }
  ref(ref&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  ref& operator=(ref other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~ref() {
    if (cell_ == nullptr) return;
    if constexpr (cell_type::counts_refs)
      if (cell_ != &sched::no_memory_cell()) cell_->refs.fetch_sub(1, std::memory_order_acq_rel);
    cell_->release();
  }

  /// False for a default-constructed or moved-from ref.
  explicit operator bool() const noexcept { return cell_ != nullptr; }
  /// True when `get` would not wait.
  bool ready() const noexcept { return cell_ != nullptr && cell_->sealed(); }
  /// Two refs are equal when they point to the same object.
  friend bool operator==(const ref& a, const ref& b) noexcept { return a.cell_ == b.cell_; }

  auto operator co_await() const& { return sched::ref_awaiter<T, true>(*this, sched::forever); }
  auto operator co_await() && {
    return sched::ref_awaiter<T, true>(std::move(*this), sched::forever);
  }
  /// Awaits value or error as `result<T>`.
  auto as_result() const { return sched::ref_awaiter<T, false>(*this, sched::forever); }
  /// Awaits as `result<T>`, at most so long; errc::timeout leaves the task alone.
  auto within(std::chrono::nanoseconds timeout) const {
    return sched::ref_awaiter<T, false>(*this,
                                        static_cast<std::uint64_t>(base::saturated_ns(timeout)));
  }

 private:
  friend detail::ref_access;
  using cell_type = sched::value_cell<detail::stored<T>>;
  void count_ref() noexcept {
    if constexpr (cell_type::counts_refs)
      if (cell_ != &sched::no_memory_cell()) cell_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  cell_type* cell_ = nullptr;
};

/// A held read-only view of an object.
///
/// Lifetime: the object stays as long as the pin.   Cost: a reference count.
template <class T>
class pinned {
 public:
  explicit pinned(ref<T> object) noexcept : object_(std::move(object)) {}
  const T& operator*() const noexcept { return detail::ref_access::cell(object_)->get(); }
  const T* operator->() const noexcept { return &**this; }
  const T* get() const noexcept { return &**this; }

 private:
  ref<T> object_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
