// SPDX-License-Identifier: Apache-2.0
#include "ports/uv/uv_descriptors.hpp"

#include <beamlet/base/panic.hpp>

#include <new>
#include <string>

#include "ports/files.hpp"
#include "ports/port_error.hpp"
#include "ports/posix/signals_blocked.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// -- watches

// Lives until libuv has closed the handle, which is after the watch is gone.
struct watched_descriptor {
  uv_poll_t poll;
  void (*callback)(void* user, unsigned events);
  void* user;
  unsigned wanted = 0;

  static void on_ready(uv_poll_t* poll, int status, int events) {
    auto& self = *static_cast<watched_descriptor*>(poll->data);
    unsigned found = 0;
    if ((events & UV_READABLE) != 0) found |= ready_to_read;
    if ((events & UV_WRITABLE) != 0) found |= ready_to_write;
    if (status < 0) {  // libuv has stopped: whoever reads or writes now learns why
      found = self.wanted;
      self.apply();
    }
    if (found != 0) self.callback(self.user, found);
  }
  void apply() {
    int events = 0;
    if ((wanted & ready_to_read) != 0) events |= UV_READABLE;
    if ((wanted & ready_to_write) != 0) events |= UV_WRITABLE;
    if (events == 0) uv_poll_stop(&poll);
    else uv_poll_start(&poll, events, on_ready);
  }
};

class uv_watch final : public watch {
 public:
  uv_watch(watched_descriptor* watched, unsigned& count) : watched_(watched), count_(count) {
    ++count_;
  }
  ~uv_watch() override {
    --count_;
    // In a fork the loop's descriptor is still the parent's.
    if (generation_ != fork_generation()) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&watched_->poll),
             [](uv_handle_t* handle) { delete static_cast<watched_descriptor*>(handle->data); });
  }
  void want(unsigned events) override {
    if (watched_->wanted == events) return;
    watched_->wanted = events;
    watched_->apply();
  }

 private:
  watched_descriptor* watched_;
  unsigned& count_;
  std::uint32_t generation_ = fork_generation();
};

// -- files

uv_work_t* work_of(file_request& request) {
  static_assert(sizeof(uv_work_t) <= sizeof request.of_port.system);
  return std::launder(reinterpret_cast<uv_work_t*>(request.of_port.system));
}

void run_request(uv_work_t* work) { perform(*static_cast<file_request*>(work->data)); }

void finish_request(uv_work_t* work, int status) {
  file_request& request = *static_cast<file_request*>(work->data);
  if (status != 0) request.why = uv_failure("a file operation was not begun", status);
  request.of_port.remove();
  request.of_port.request = nullptr;
  if (request.done != nullptr) request.done(request);
}

}  // namespace

error uv_failure(const char* what, int code) {
  errc kind = errc::exhausted;
  if (code == UV_ENOMEM) kind = errc::no_memory;
  if (code == UV_EEXIST) kind = errc::already_exists;
  if (code == UV_EPERM) kind = errc::unsupported;
  if (code == UV_EBADF) kind = errc::invalid_argument;
  if (code == UV_ECANCELED) kind = errc::cancelled;
  return port_error(kind, std::string(what) + ": " + uv_strerror(code), code);
}

result<std::unique_ptr<watch>> make_uv_watch(uv_loop_t* loop, int descriptor,
                                             void (*callback)(void* user, unsigned events),
                                             void* user, unsigned& count) {
  auto* watched =
      new (std::nothrow) watched_descriptor{.poll = {}, .callback = callback, .user = user};
  if (watched == nullptr) return error(errc::no_memory, error_layer::ports);
  if (int failed = uv_poll_init(loop, &watched->poll, descriptor)) {
    delete watched;
    return uv_failure("a descriptor cannot be watched", failed);
  }
  watched->poll.data = watched;
  auto* handle = reinterpret_cast<uv_handle_t*>(&watched->poll);
  uv_unref(handle);
  auto* made = new (std::nothrow) uv_watch(watched, count);
  if (made != nullptr) return std::unique_ptr<watch>(made);
  uv_close(handle,
           [](uv_handle_t* closed) { delete static_cast<watched_descriptor*>(closed->data); });
  return error(errc::no_memory, error_layer::ports);
}

void start_uv_request(uv_loop_t* loop, file_request& request, file_request::link& in_flight) {
  BEAMLET_ASSERT(request.of_port.request == nullptr, "the request is in flight");
  request.why = {};
  request.opened = -1;
  request.count = 0;
  request.of_port.request = &request;
  request.of_port.insert_before(in_flight);
  uv_work_t* work = new (request.of_port.system) uv_work_t;
  work->data = &request;
  signals_blocked guard;  // libuv starts its threads when they are first needed
  int failed = uv_queue_work(loop, work, run_request, finish_request);
  BEAMLET_ASSERT(failed == 0, "libuv queues whatever work is given to it");
}

void cancel_uv_request(file_request& request) {
  if (request.of_port.request == nullptr) return;
  uv_cancel(reinterpret_cast<uv_req_t*>(work_of(request)));
}

void cancel_uv_requests(file_request::link& in_flight) {
  while (in_flight.linked()) {
    auto& each = static_cast<file_request::in_flight&>(*in_flight.next);
    each.remove();
    cancel_uv_request(*each.request);
  }
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
