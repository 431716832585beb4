// SPDX-License-Identifier: Apache-2.0
#include <beamlet/base/panic.hpp>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include <pthread.h>
#include <sched.h>

#include "ports/port_error.hpp"
#include "ports/posix/signals_blocked.hpp"
#include "ports/posix/system.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// What the new thread needs of thread_options; it frees this itself, as start() does not wait for
// it.
struct thread_start {
  void (*body)(void*);
  void* argument;
  void (*hook)(void* user, unsigned index);
  void* hook_user;
  unsigned index;
  char name[32];
};

void* run_thread(void* argument) {
  thread_start start = *static_cast<thread_start*>(argument);
  delete static_cast<thread_start*>(argument);
  if (start.name[0] != '\0') name_thread(start.name);
  if (start.hook != nullptr) start.hook(start.hook_user, start.index);
  start.body(start.argument);
  return nullptr;
}

error start_error(const thread_options& options, int system) {
  if (system == EAGAIN || system == ENOMEM) {
    return port_error(errc::exhausted, "the system gives no thread or no stack for one", system);
  }
  std::string message = "a thread cannot have stack_bytes = " + std::to_string(options.stack_bytes);
  message += " and cpu = " + std::to_string(options.cpu) + " on this system";
  return port_error(errc::invalid_argument, std::move(message), system);
}

int create_thread(const thread_options& options, thread_start* start, pthread_t& made) {
  pthread_attr_t attributes;
  if (int failed = pthread_attr_init(&attributes)) return failed;
  int failed = 0;
  if (options.stack_bytes != 0) {
    failed = pthread_attr_setstacksize(&attributes, options.stack_bytes);
  }
  if (failed == 0 && options.cpu != -1) failed = bind_thread(attributes, options.cpu);
  if (failed == 0) {
    signals_blocked guard;
    failed = pthread_create(&made, &attributes, run_thread, start);
  }
  pthread_attr_destroy(&attributes);
  return failed;
}

}  // namespace

static_assert(sizeof(pthread_t) == sizeof(std::uintptr_t), "threads.hpp holds it as an integer");

thread::thread() noexcept = default;

thread::thread(thread&& other) noexcept
    : handle_(other.handle_), generation_(other.generation_), joinable_(other.joinable_) {
  other.joinable_ = false;
}

thread::~thread() {
  BEAMLET_ASSERT(!joinable_ || generation_ != fork_generation(), "a thread must be joined");
}

result<thread> thread::start(const thread_options& options, void (*body)(void*), void* argument) {
  auto* start = new (std::nothrow)
      thread_start{body, argument, options.hook, options.hook_user, options.index, {}};
  if (start == nullptr) return error(errc::no_memory, error_layer::ports);
  for (std::size_t i = 0; options.name != nullptr && options.name[i] != 0; ++i) {
    if (i == sizeof start->name - 1) break;  // the system's limit: the rest is cut
    start->name[i] = options.name[i];
  }
  thread made;
  made.generation_ = fork_generation();
  pthread_t handle;
  if (int failed = create_thread(options, start, handle)) {
    delete start;
    return start_error(options, failed);
  }
  std::memcpy(&made.handle_, &handle, sizeof handle);
  made.joinable_ = true;
  return made;
}

void thread::join() {
  BEAMLET_ASSERT(joinable_, "a thread can be joined once");
  joinable_ = false;
  if (generation_ != fork_generation()) return;
  pthread_t handle;
  std::memcpy(&handle, &handle_, sizeof handle);
  int failed = pthread_join(handle, nullptr);
  BEAMLET_ASSERT(failed == 0, "a thread cannot join itself");
}

void thread::detach() {
  BEAMLET_ASSERT(joinable_, "a thread can be detached once, before it is joined");
  joinable_ = false;
  if (generation_ != fork_generation()) return;
  pthread_t handle;
  std::memcpy(&handle, &handle_, sizeof handle);
  pthread_detach(handle);
}

void yield() { sched_yield(); }

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
