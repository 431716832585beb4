// SPDX-License-Identifier: Apache-2.0
#include "ports/uv/uv_port.hpp"

#include <beamlet/base/panic.hpp>

#include <atomic>
#include <new>
#include <thread>
#include <utility>

#include <uv.h>

#include "ports/port_error.hpp"
#include "ports/posix/system.hpp"
#include "ports/threads.hpp"
#include "ports/uv/uv_descriptors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// A timer of `loop` with this many milliseconds ends at `ns` or up to 1 ms later, never before. It
// counts from the time that the loop has cached, which is cut from the same clock: no need to
// refresh that.
std::uint64_t timer_ms(const uv_loop_t* loop, std::uint64_t ns) {
  std::uint64_t end_ms = ns / 1'000'000 + (ns % 1'000'000 != 0);
  std::uint64_t start_ms = uv_now(loop);
  return end_ms > start_ms ? end_ms - start_ms : 0;
}

// An async handle that loses nothing. uv_async_send() looks at its own flag without a barrier, so a
// coalesced call may miss that the loop has just cleared it; ours is exchanged, and also tells
// thread sanitizer which writes the loop sees.
class wake_flag {
 public:
  void send(uv_async_t& handle) {
    if (!raised_.exchange(true, std::memory_order_acq_rel)) uv_async_send(&handle);
  }
  void take() { raised_.exchange(false, std::memory_order_acq_rel); }

 private:
  std::atomic<bool> raised_{false};
};

class uv_port_base : public port {
 public:
  std::uint64_t now_ns() const override { return uv_hrtime(); }
  std::uint64_t boot_ns() const override { return boot_clock_ns(); }
  std::uint64_t random_seed() override {
    std::uint64_t seed = 0;
    if (uv_random(nullptr, nullptr, &seed, sizeof seed, 0, nullptr) == 0) return seed;
    return uv_hrtime() * 0x9e3779b97f4a7c15 ^ reinterpret_cast<std::uintptr_t>(this) ^ process_id();
  }
  unsigned choose(unsigned count) override {
    BEAMLET_ASSERT(count != 0, "choose() among nothing");
    return 0;
  }
  bool simulated() const override { return false; }

  result<std::unique_ptr<watch>> watch_descriptor(int descriptor,
                                                  void (*callback)(void* user, unsigned events),
                                                  void* user) override {
    return make_uv_watch(used_loop(), descriptor, callback, user, watches_);
  }
  void start(file_request& request) override { start_uv_request(used_loop(), request, in_flight_); }
  void cancel(file_request& request) override { cancel_uv_request(request); }

 protected:
  virtual uv_loop_t* used_loop() = 0;
  void end_requests() {
    BEAMLET_ASSERT(watches_ == 0, "a watch outlives its port");
    cancel_uv_requests(in_flight_);
  }
  // The descriptors of a loop are shared with a fork: touching them there would disturb the
  // parent's.
  bool in_fork() const { return generation_ != fork_generation(); }

 private:
  std::uint32_t generation_ = fork_generation();
  unsigned watches_ = 0;
  file_request::link in_flight_;
};

// -- a loop of its own

class own_loop_port final : public uv_port_base {
 public:
  int open() {
    if (int failed = uv_loop_init(&loop_)) return failed;
    if (int failed = uv_async_init(&loop_, &async_, on_wake)) {
      uv_loop_close(&loop_);
      return failed;
    }
    uv_timer_init(&loop_, &timer_);
    async_.data = this;
    open_ = true;
    return 0;
  }
  ~own_loop_port() override { own_loop_port::close(); }

  void turn(std::uint64_t until_ns) override;
  void wake() override { flag_.send(async_); }
  bool external() const override { return false; }
  void drive(void (*)(void*), void*) override {
    BEAMLET_ASSERT(false, "drive() needs an external port");
  }
  void set_deadline(std::uint64_t) override {
    BEAMLET_ASSERT(false, "set_deadline() needs an external port");
  }
  void keep_alive(bool) override {}
  void close() override;

 private:
  static void on_wake(uv_async_t* async) { static_cast<own_loop_port*>(async->data)->flag_.take(); }
  // libuv runs due timers before it polls and would then poll without a limit: stopped, it does not
  // block.
  static void on_time(uv_timer_t* timer) { uv_stop(timer->loop); }

  uv_loop_t* used_loop() override {
    BEAMLET_ASSERT(open_, "the port is closed");
    return &loop_;
  }

  uv_loop_t loop_;
  uv_async_t async_;
  uv_timer_t timer_;
  wake_flag flag_;
  bool open_ = false;
  bool turning_ = false;
};

void own_loop_port::turn(std::uint64_t until_ns) {
  BEAMLET_ASSERT(open_, "turn() after close()");
  BEAMLET_ASSERT(!turning_, "turn() inside turn()");
  turning_ = true;
  bool limited = until_ns != forever;
  bool past = limited && until_ns <= now_ns();
  if (limited && !past) uv_timer_start(&timer_, on_time, timer_ms(&loop_, until_ns), 0);
  uv_run(&loop_, past ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  uv_timer_stop(&timer_);
  turning_ = false;
}

void own_loop_port::close() {
  BEAMLET_ASSERT(!turning_, "close() inside turn()");
  if (!open_) return;
  open_ = false;
  if (in_fork()) return;
  end_requests();
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  int failed = uv_loop_close(&loop_);
  BEAMLET_ASSERT(failed == 0, "a handle of the port's loop is still open");
}

// -- a guest in the caller's loop

// Lives until libuv has closed both handles, which is after the port may be gone.
struct guest_handles {
  uv_async_t async;
  uv_timer_t timer;
  wake_flag flag;
  void (*callback)(void*) = nullptr;
  void* user = nullptr;
  unsigned open_count = 0;
  bool kept_alive = false;

  void hold_loop(bool hold) {
    auto* handle = reinterpret_cast<uv_handle_t*>(&async);
    hold ? uv_ref(handle) : uv_unref(handle);
  }
  static void run(guest_handles& self) {
    if (self.callback != nullptr) self.callback(self.user);
  }
  static void on_wake(uv_async_t* async) {
    auto& self = *static_cast<guest_handles*>(async->data);
    self.flag.take();
    self.hold_loop(self.kept_alive);
    run(self);
  }
  static void on_time(uv_timer_t* timer) { run(*static_cast<guest_handles*>(timer->data)); }
  static void on_closed(uv_handle_t* handle) {
    auto* self = static_cast<guest_handles*>(handle->data);
    if (--self->open_count == 0) delete self;
  }
};

class guest_port final : public uv_port_base {
 public:
  int open(uv_loop_t* loop) {
    handles_ = new (std::nothrow) guest_handles;
    if (handles_ == nullptr) return UV_ENOMEM;
    if (int failed = uv_async_init(loop, &handles_->async, guest_handles::on_wake)) {
      delete std::exchange(handles_, nullptr);
      return failed;
    }
    uv_timer_init(loop, &handles_->timer);
    handles_->async.data = handles_->timer.data = handles_;
    handles_->open_count = 2;
    uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->timer));
    keep_alive(false);
    return 0;
  }
  ~guest_port() override { guest_port::close(); }

  void turn(std::uint64_t) override {
    BEAMLET_ASSERT(false, "turn() on an external port: its loop belongs to the caller");
  }
  void wake() override {
    handles_->flag.send(handles_->async);
    if (std::this_thread::get_id() == loop_thread_) handles_->hold_loop(true);
  }
  bool external() const override { return true; }
  void drive(void (*callback)(void*), void* user) override {
    handles_->callback = callback;
    handles_->user = user;
    if (callback != nullptr) wake();  // in the place of those that found no callback
  }
  void set_deadline(std::uint64_t ns) override;
  void keep_alive(bool keep) override { handles_->hold_loop(handles_->kept_alive = keep); }
  void close() override;

 private:
  uv_loop_t* used_loop() override {
    BEAMLET_ASSERT(handles_ != nullptr, "the port is closed");
    return handles_->async.loop;
  }

  guest_handles* handles_ = nullptr;
  const std::thread::id loop_thread_ = std::this_thread::get_id();
};

void guest_port::set_deadline(std::uint64_t ns) {
  uv_timer_stop(&handles_->timer);
  if (ns == forever) return;
  // A timer of 0 ms started by a timer's callback would run before anything else of the loop, for
  // ever.
  if (ns <= now_ns()) return handles_->flag.send(handles_->async);
  uv_timer_start(&handles_->timer, guest_handles::on_time, timer_ms(handles_->timer.loop, ns), 0);
}

void guest_port::close() {
  guest_handles* handles = std::exchange(handles_, nullptr);
  if (handles == nullptr) return;
  handles->callback = nullptr;
  if (in_fork()) return;
  end_requests();
  uv_close(reinterpret_cast<uv_handle_t*>(&handles->async), guest_handles::on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&handles->timer), guest_handles::on_closed);
}

template <class Port, class... Arguments>
result<std::unique_ptr<port>> make_port(Arguments... arguments) {
  auto made = std::unique_ptr<Port>(new (std::nothrow) Port);
  if (made == nullptr) return error(errc::no_memory, error_layer::ports);
  if (int failed = made->open(arguments...))
    return uv_failure("the event loop could not be set up", failed);
  return std::unique_ptr<port>(std::move(made));
}

}  // namespace

result<std::unique_ptr<port>> make_uv_port() { return make_port<own_loop_port>(); }

result<std::unique_ptr<port>> make_uv_port(void* uv_loop) {
  if (uv_loop == nullptr) return port_error(errc::invalid_argument, "the caller's loop is null");
  return make_port<guest_port>(static_cast<uv_loop_t*>(uv_loop));
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
