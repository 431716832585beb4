// SPDX-License-Identifier: Apache-2.0
#pragma once

// `generator<T>`: a task that yields a stream of objects. The caller holds a `ref_stream<T>`; the
// generator waits when as many items as the stream's bound are produced and not yet taken.

#include <beamlet/runtime/plain_cell.hpp>
#include <beamlet/runtime/ref.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <deque>
#include <mutex>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

inline constexpr std::size_t stream_items_default = 16;
inline constexpr std::size_t stream_items_max = 1u << 20;

namespace detail {

/// Shared by producer and consumer. Items are counted cells; each is an object of its own.
struct stream_state : sched::listener, sched::waiter {
  std::mutex lock;
  std::deque<sched::cell*> produced;  // sealed, not taken yet
  std::deque<sched::cell*> wanted;    // handed out before they were produced
  error end;                          // ok: more may come; else what every later item fails with
  std::size_t items_max = stream_items_default;
  bool abandoned = false;                    // the consumer has gone
  sched::coroutine_root* waiting = nullptr;  // counted: the producer, when it is to be woken
  std::atomic<std::uint32_t> references{1};

  void add_reference() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  ~stream_state();

  /// Ends the stream when the generator's task is sealed, however it went.
  bool watch(sched::cell& task) noexcept;
  /// Producer. Hands a filled cell over that `take_wanted` gave; or another one, unless a consumer
  /// waits by now: then nothing is taken over and its cell is returned (counted).
  void deliver(sched::cell& wanted_item) noexcept;
  sched::cell* push(sched::cell& item) noexcept;
  /// False when the stream is full or the consumer has gone.
  bool has_room() noexcept;
  /// A cell that a consumer waits for already (counted); null when none does.
  sched::cell* take_wanted() noexcept;
  bool may_go_on(error& why) noexcept;
  void wait_for_room(sched::coroutine_root& root) noexcept;
  /// Consumer. The next produced item (counted), or null: then `end` says whether more may come.
  sched::cell* take_produced(error& why) noexcept;
  void abandon() noexcept;
  void finish(error why) noexcept;
};

}  // namespace detail

/// The coroutine type of a function that yields: `generator<frame> watch(int camera) { ... co_yield
/// f; }`. It may `co_await` whatever an `async` may. Failing or returning ends the stream.
///
/// Thread: runs on any worker.   Cost: one object per item.   Errors: what it fails with reaches
/// the consumer after the items before it; an abandoned stream cancels it at its next `co_yield`.
template <class T>
class generator {
 public:
  using value_type = T;
  struct yield_awaiter;
  struct promise_type : sched::promise_storage<void> {
    detail::stream_state* stream = nullptr;

    generator get_return_object() noexcept {
      auto h = std::coroutine_handle<promise_type>::from_promise(*this);
      this->self = h;
      return generator(h);
    }
    static generator get_return_object_on_allocation_failure() noexcept {
      return generator(nullptr);
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept {
      this->done = true;
      return {};
    }
    void unhandled_exception() noexcept {
      this->failure = sched::current_exception_error(this->root);
    }
    yield_awaiter yield_value(T item) { return yield_awaiter(std::move(item)); }
    void* operator new(std::size_t bytes) noexcept { return sched::coroutine_memory(bytes); }
    void operator delete(void* memory, std::size_t bytes) noexcept {
      sched::free_coroutine_memory(memory, bytes);
    }
  };
  using handle_type = std::coroutine_handle<promise_type>;

  generator(generator&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  generator& operator=(generator&&) = delete;
  ~generator() {
    if (handle_) handle_.destroy();
  }
  /// For the library: the coroutine, which the caller destroys.
  handle_type release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  explicit generator(handle_type h) noexcept : handle_(h) {}
  handle_type handle_;
};

template <class T>
struct generator<T>::yield_awaiter : sched::awaiter_base {
  explicit yield_awaiter(T v) : item(std::move(v)) {
    check = [](awaiter_base& self, error& e) noexcept {
      auto& me = static_cast<yield_awaiter&>(self);
      if (!me.stream->may_go_on(e)) return verdict::not_yet;
      return e.code() == errc::ok ? verdict::resume : verdict::fail;
    };
    abandon = [](awaiter_base&) noexcept {};
  }
  bool await_ready() const noexcept { return false; }
  bool await_suspend(handle_type h) noexcept {
    auto& p = h.promise();
    stream = p.stream;
    sched::cell* wanted = stream->take_wanted();
    if (wanted != nullptr) {
      new (static_cast<sched::value_cell<T>*>(wanted)->place()) T(std::move(item));
    } else {
      sched::value_cell<T>* x = detail::plain_cell<T>::make(p.root->home);
      if (x == nullptr) {
        sched::fail_coroutine(p, error(errc::no_memory, error_layer::runtime));
        return true;
      }
      new (x->place()) T(std::move(item));
      wanted = stream->push(*x);
      if (wanted != nullptr) {
        new (static_cast<sched::value_cell<T>*>(wanted)->place()) T(std::move(x->get()));
        x->state.store(sched::cell::value, std::memory_order_relaxed);
        x->release();
      }
    }
    if (wanted != nullptr) stream->deliver(*wanted);
    if (stream->has_room()) return false;
    p.pending = this;
    p.root->at = &p;
    stream->wait_for_room(*p.root);
    return true;
  }
  void await_resume() const noexcept {}
  T item;
  detail::stream_state* stream = nullptr;
};

/// What a call of a generator function returns: the items as refs, in order.
///
/// Thread: one consumer at a time.   Lifetime: dropping it cancels the generator at its next
/// `co_yield`; the refs taken stay.
template <class T>
class ref_stream {
 public:
  ref_stream() noexcept = default;
  ref_stream(detail::stream_state* counted, ref<void> completion) noexcept
      : state_(counted), completion_(std::move(completion)) {}
  ref_stream(ref_stream&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), completion_(std::move(other.completion_)) {}
  ref_stream& operator=(ref_stream other) noexcept {
    std::swap(state_, other.state_);
    std::swap(completion_, other.completion_);
    return *this;
  }
  ~ref_stream() {
    if (state_ == nullptr) return;
    state_->abandon();
    state_->release();
  }

  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// The next item's ref; may be pending. After the last item it fails with errc::end_of_stream,
  /// after an error of the generator with that.
  ///
  /// Blocks: no.   Cost: one object.
  ref<T> next() {
    if (state_ == nullptr)
      return detail::failed_ref<T>(error(errc::end_of_stream, error_layer::runtime));
    error why;
    if (sched::cell* x = state_->take_produced(why)) return detail::ref_access::adopt<T>(x);
    if (why.code() != errc::ok) return detail::failed_ref<T>(std::move(why));
    return want();
  }
  /// Ready when the generator has ended: without a value, or with its error.
  const ref<void>& completion() const noexcept { return completion_; }

 private:
  ref<T> want() {
    auto* x = detail::plain_cell<T>::make(detail::ref_access::cell(completion_)->home);
    sched::cell_extra* extra = x != nullptr ? sched::extra_of(*x) : nullptr;
    if (extra == nullptr) {
      if (x != nullptr) x->release();
      return detail::failed_ref<T>(error(errc::no_memory, error_layer::runtime));
    }
    detail::ref_access::cell(completion_)->add_reference();
    extra->producer.store(detail::ref_access::cell(completion_), std::memory_order_relaxed);
    x->add_reference();  // the stream's
    error why;
    std::unique_lock hold(state_->lock);
    if (!state_->produced.empty() || state_->end.code() != errc::ok) {  // it came meanwhile
      hold.unlock();
      x->release();
      x->set_failure(error(errc::unknown));
      x->state.store(sched::cell::failed, std::memory_order_relaxed);
      x->release();
      return next();
    }
    state_->wanted.push_back(x);
    return detail::ref_access::adopt<T>(x);
  }

  detail::stream_state* state_ = nullptr;
  ref<void> completion_;
};

namespace detail {

/// A generator function with the stream that its call was given; what it returns starts the
/// coroutine.
template <class T>
struct started_generator {
  generator<T> body;
  stream_state* stream;
};

template <class R>
inline constexpr bool is_started_generator = false;
template <class T>
inline constexpr bool is_started_generator<started_generator<T>> = true;

template <class T>
sched::outcome start_generator(sched::cell& target, started_generator<T> started) {
  auto handle = started.body.release();
  sched::coroutine_root* root = handle ? sched::make_root(target, handle.promise()) : nullptr;
  if (root == nullptr) {
    if (handle) handle.destroy();
    target.set_failure(error(errc::no_memory, error_layer::runtime));
    return sched::outcome::failed;
  }
  handle.promise().stream = started.stream;
  root->deliver = [](sched::promise_base& p, sched::cell& to) noexcept {
    if (p.failure.code() != errc::ok) {
      to.set_failure(sched::named(to, std::move(p.failure)));
      return sched::outcome::failed;
    }
    new (static_cast<sched::value_cell<sched::unit>&>(to).place()) sched::unit{};
    return sched::outcome::value;
  };
  root->destroy_frame = [](sched::promise_base& p) noexcept {
    using promise = typename generator<T>::promise_type;
    std::coroutine_handle<promise>::from_promise(static_cast<promise&>(p)).destroy();
  };
  return sched::run_root_first(*root);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
