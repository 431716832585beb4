// SPDX-License-Identifier: Apache-2.0
#include "ports/threads.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/memory.hpp"
#include "tests/unit/ports/running.hpp"

namespace threads_cases {

namespace {
using namespace beamlet;
using ports::thread;
using ports::thread_options;

int first_usable_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &set)) ++cpu;
  return cpu;
}

TEST_CASE("what a thread did is seen after it was joined") {
  int value = 0;
  running body([&] { value = 42; });
  body.join();
  CHECK(value == 42);
}

TEST_CASE("a thread that was moved from names none, and the new owner joins") {
  bool ran = false;
  auto body = [](void* flag) { *static_cast<bool*>(flag) = true; };
  auto started = thread::start({}, body, &ran);
  REQUIRE(started.has_value());
  thread first = *std::move(started);
  thread second = std::move(first);
  CHECK_FALSE(first.joinable());
  CHECK(second.joinable());
  second.join();
  CHECK_FALSE(second.joinable());
  CHECK(ran);
  CHECK_FALSE(thread().joinable());
}

TEST_CASE("a thread carries its name, cut to what the system takes") {
  for (std::string name : {"short", "exactly-fifteen", "a-name-that-is-longer-than-that"}) {
    char seen[64] = {};
    auto look = [&] { pthread_getname_np(pthread_self(), seen, sizeof seen); };
    running body(look, {.name = name.c_str()});
    body.join();
    CHECK(name.substr(0, 15) == seen);
  }
}

TEST_CASE("a thread has the stack that was asked for, which costs memory only where touched") {
  constexpr std::size_t bytes = 64 << 20;
  std::size_t got = 0;
  std::uint64_t resident_before = ports::resident_bytes();
  std::uint64_t resident_inside = 0;
  auto look = [&] {
    ports::stack_bounds stack = ports::current_stack();
    got = stack.high - stack.low;
    resident_inside = ports::resident_bytes();
  };
  running body(look, {.stack_bytes = bytes});
  body.join();
  CHECK(got >= bytes - (64 << 10));
  CHECK(got <= bytes + (64 << 10));
  CHECK(resident_inside < resident_before + bytes / 2);
}

// Uses 1 KiB a level, and the result so that no level can be left out.
unsigned deep(unsigned levels) {
  volatile char room[1024];
  room[0] = static_cast<char>(levels);
  return levels == 0 ? 0 : deep(levels - 1) + static_cast<unsigned char>(room[0]) % 2;
}

TEST_CASE("a stack of 16 MiB holds what one of 8 MiB could not") {
  unsigned odd = 0;
  running body([&] { odd = deep(10'000); }, {.stack_bytes = 16 << 20});
  body.join();
  CHECK(odd == 5'000);
}

TEST_CASE("the bounds of a stack hold a local variable, on any thread") {
  auto inside = [] {
    ports::stack_bounds stack = ports::current_stack();
    auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    return stack.low != 0 && stack.low <= here && here < stack.high;
  };
  CHECK(inside());
  bool inside_thread = false;
  running body([&] { inside_thread = inside(); });
  body.join();
  CHECK(inside_thread);
}

TEST_CASE("the hook runs on the new thread, before the body, with its index") {
  struct record {
    unsigned index = 0;
    std::uint64_t id = 0;
  } hooked;
  unsigned index_before_body = 0;
  std::uint64_t id_of_body = 0;
  auto hook = [](void* user, unsigned index) {
    *static_cast<record*>(user) = {index, thread::current_id()};
  };
  auto look = [&] {
    index_before_body = hooked.index;
    id_of_body = thread::current_id();
  };
  running body(look, {.hook = hook, .hook_user = &hooked, .index = 17});
  body.join();
  CHECK(index_before_body == 17);
  CHECK(hooked.id == id_of_body);
}

TEST_CASE("a thread that is bound to a processor may run on that one only") {
  int cpu = first_usable_cpu();
  cpu_set_t set;
  unsigned usable = 0;
  auto look = [&] {
    sched_getaffinity(0, sizeof set, &set);
    usable = ports::usable_cpus();
  };
  running body(look, {.cpu = cpu});
  body.join();
  CHECK(CPU_COUNT(&set) == 1);
  CHECK(CPU_ISSET(cpu, &set));
  CHECK(usable == 1);
}

TEST_CASE("a thread with options that cannot be is refused, and nothing runs") {
  bool ran = false;
  auto body = [](void* flag) { *static_cast<bool*>(flag) = true; };
  auto refused = [&](const thread_options& options) {
    auto started = thread::start(options, body, &ran);
    REQUIRE_FALSE(started.has_value());
    CHECK(started.error().system() != 0);
    CHECK(started.error().layer() == error_layer::ports);
    return started.error().code();
  };
  CHECK(refused({.stack_bytes = 1}) == errc::invalid_argument);
  CHECK(refused({.cpu = -2}) == errc::invalid_argument);
  CHECK(refused({.cpu = 60'000}) == errc::invalid_argument);
  CHECK(refused({.cpu = 2'000'000'000}) == errc::invalid_argument);
  CHECK(refused({.stack_bytes = SIZE_MAX - (1 << 20)}) == errc::exhausted);
  CHECK_FALSE(ran);
}

TEST_CASE("a new thread blocks the program's signals but not its faults") {
  sigset_t before, after, inside;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  running body([&] { pthread_sigmask(SIG_BLOCK, nullptr, &inside); });
  body.join();
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE, SIGALRM, SIGUSR1, SIGWINCH}) {
    CAPTURE(signal);
    CHECK(sigismember(&inside, signal) == 1);
  }
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) CHECK(sigismember(&inside, fault) == 0);
  for (int signal = 1; signal < 32; ++signal) {
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
  }
}

TEST_CASE("each thread has the number that the kernel gave it") {
  std::uint64_t inside = 0;
  std::uint64_t again = 0;
  std::uint64_t kernels = 0;
  auto look = [&] {
    inside = thread::current_id();
    again = thread::current_id();
    kernels = static_cast<std::uint64_t>(syscall(SYS_gettid));
  };
  running body(look);
  body.join();
  CHECK(inside == kernels);
  CHECK(inside == again);
  CHECK(inside != thread::current_id());
  CHECK(thread::current_id() == static_cast<std::uint64_t>(getpid()));
}

TEST_CASE("the processors that can be used are those that the process may run on, at most") {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  CHECK(ports::usable_cpus() >= 1);
  CHECK(ports::usable_cpus() <= static_cast<unsigned>(CPU_COUNT(&set)));
}

}  // namespace

}  // namespace threads_cases
