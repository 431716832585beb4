// SPDX-License-Identifier: Apache-2.0
#include "ports/uv/uv_port.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "ports/memory.hpp"
#include "ports/threads.hpp"
#include "tests/unit/ports/running.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace {
using namespace beamlet;
using ports::forever;
using uv_worlds::callers_loop;
using uv_worlds::guest_world;
using uv_worlds::make;
using uv_worlds::own_loop_world;

}  // namespace

#define PORT_SUITE_WORLDS own_loop_world, guest_world
#include "tests/conformance/port_suite.hpp"
#undef PORT_SUITE_WORLDS

namespace {

TEST_CASE_TEMPLATE("no wake of another thread is lost", World, own_loop_world, guest_world) {
  constexpr unsigned each = 5'000;
  World world;
  std::atomic<unsigned> sent{0};
  auto send = [&] {
    for (unsigned i = 0; i < each; ++i) {
      sent.fetch_add(1, std::memory_order_relaxed);
      world.port().wake();
    }
  };
  running first(send);
  running second(send);
  while (sent.load(std::memory_order_relaxed) < 2 * each) world.turn(forever);
  first.join();
  second.join();
  world.turn(0);
}

TEST_CASE_TEMPLATE("a turn ended by a wake sees what was written before", World, own_loop_world,
                   guest_world) {
  constexpr std::uint32_t rounds = 5'000;
  World world;
  std::uint32_t written = 0;  // plain: the wake and the turn order it
  std::atomic<std::uint32_t> answered{0};
  running other([&] {
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      written = round;
      world.port().wake();
      while (answered.load(std::memory_order_acquire) < round) {
        ports::wait_on(answered, round - 1, forever);
      }
    }
  });
  std::uint32_t unseen = 0;
  for (std::uint32_t round = 1; round <= rounds; ++round) {
    world.turn(forever);
    unseen += written != round;
    answered.store(round, std::memory_order_release);
    ports::wake_one(answered);
  }
  other.join();
  CHECK(unseen == 0);
}

TEST_CASE_TEMPLATE("nothing runs while nothing happens", World, own_loop_world, guest_world) {
  World world;
  world.turn(0);
  rusage before{}, after{};
  getrusage(RUSAGE_THREAD, &before);
  std::uint64_t until_ns = world.port().now_ns() + 100'000'000;
  while (world.port().now_ns() < until_ns) world.turn(until_ns);
  getrusage(RUSAGE_THREAD, &after);
  CHECK(after.ru_nvcsw - before.ru_nvcsw <= 10);
}

std::ptrdiff_t count_of(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

TEST_CASE_TEMPLATE("a port gives its descriptors back and starts no thread", World, own_loop_world,
                   guest_world) {
  { World warm_up; }
  std::ptrdiff_t descriptors = count_of("/proc/self/fd");
  std::ptrdiff_t threads = count_of("/proc/self/task");
  for (int i = 0; i < 20; ++i) {
    World world;
    world.turn(world.port().now_ns() + 1);
    CHECK(count_of("/proc/self/task") == threads);
  }
  CHECK(count_of("/proc/self/fd") == descriptors);
}

std::vector<struct sigaction> dispositions() {
  std::vector<struct sigaction> all;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) std::memset(&action, 0, sizeof action);
    all.push_back(action);
  }
  return all;
}

TEST_CASE("no part of this layer changes what the program does on a signal") {
  auto before = dispositions();
  {
    own_loop_world own;
    own.port().wake();
    own.turn(forever);
    guest_world guest;
    guest.turn(guest.port().now_ns() + 1);
    running body([] { ports::yield(); });
    body.join();
    ports::prepare_asymmetric_fences();
    ports::heavy_fence();
    ports::fork_generation();
  }
  auto after = dispositions();
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(i + 1);
    CHECK((before[i].sa_handler == after[i].sa_handler));
    CHECK(before[i].sa_flags == after[i].sa_flags);
  }
}

TEST_CASE_TEMPLATE("a process out of descriptors gets libuv's number", World, own_loop_world,
                   guest_world) {
  constexpr bool guest = std::is_same_v<World, guest_world>;
  std::optional<callers_loop> caller;
  if (guest) caller.emplace();
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto made = guest ? ports::make_uv_port(&caller->loop) : ports::make_uv_port();
  setrlimit(RLIMIT_NOFILE, &before);
  if (made.has_value()) {
    CHECK(guest);  // a loop that has its one eventfd already needs no more
  } else {
    CHECK(made.error() == errc::exhausted);
    CHECK(made.error().system() == UV_EMFILE);
  }
}

// -- the caller's own loop

TEST_CASE("a null loop is refused") {
  auto made = ports::make_uv_port(nullptr);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error() == errc::invalid_argument);
}

TEST_CASE("who polls is what a port says it is") {
  CHECK_FALSE(own_loop_world().port().external());
  CHECK(guest_world().port().external());
  CHECK_FALSE(own_loop_world().port().simulated());
}

TEST_CASE("an idle guest does not keep the caller's loop running, one with work does") {
  callers_loop caller;
  auto port = make(&caller.loop);
  port->set_deadline(port->now_ns() + 3600'000'000'000);
  CHECK(uv_run(&caller.loop, UV_RUN_DEFAULT) == 0);
  port->keep_alive(true);
  CHECK(uv_loop_alive(&caller.loop) != 0);
  port->keep_alive(false);
  CHECK(uv_run(&caller.loop, UV_RUN_DEFAULT) == 0);
}

struct guest_calls {
  ports::port* port = nullptr;
  unsigned count = 0;
  unsigned close_at = 0;
  std::uint64_t last_ns = 0;
  std::uint64_t next_deadline_ns = forever;

  static void run(void* user) {
    auto& self = *static_cast<guest_calls*>(user);
    self.last_ns = self.port->now_ns();
    if (++self.count == self.close_at) return self.port->close();
    if (self.next_deadline_ns != forever) self.port->set_deadline(self.next_deadline_ns);
  }
};

TEST_CASE("a wake before the callback was given is not lost") {
  callers_loop caller;
  auto port = make(&caller.loop);
  port->wake();
  uv_run(&caller.loop, UV_RUN_NOWAIT);
  guest_calls calls{.port = port.get()};
  port->drive(guest_calls::run, &calls);
  port->keep_alive(true);
  while (calls.count == 0) uv_run(&caller.loop, UV_RUN_ONCE);
}

TEST_CASE("a deadline calls once, and not before its time") {
  callers_loop caller;
  auto port = make(&caller.loop);
  guest_calls calls{.port = port.get()};
  port->drive(guest_calls::run, &calls);
  port->keep_alive(true);
  while (calls.count == 0) uv_run(&caller.loop, UV_RUN_ONCE);
  std::uint64_t deadline_ns = port->now_ns() + 5'300'000;
  port->set_deadline(deadline_ns);
  while (calls.count == 1) uv_run(&caller.loop, UV_RUN_ONCE);
  CHECK(calls.last_ns >= deadline_ns);
  uv_run(&caller.loop, UV_RUN_NOWAIT);
  CHECK(calls.count == 2);
}

TEST_CASE("a callback that sets a past deadline each time leaves room for the caller's handles") {
  for (std::uint64_t past_ns : {std::uint64_t{0}, std::uint64_t{1}}) {
    callers_loop caller;
    auto port = make(&caller.loop);
    guest_calls calls{.port = port.get(), .next_deadline_ns = past_ns};
    port->drive(guest_calls::run, &calls);
    uv_timer_t timer;
    uv_timer_init(&caller.loop, &timer);
    auto stop = [](uv_timer_t* t) { uv_close(reinterpret_cast<uv_handle_t*>(t), nullptr); };
    uv_timer_start(&timer, stop, 3, 0);
    uv_run(&caller.loop, UV_RUN_DEFAULT);
    CHECK(calls.count > 1);
  }
}

TEST_CASE("after close the callback never runs, whatever was pending") {
  callers_loop caller;
  auto port = make(&caller.loop);
  guest_calls calls{.port = port.get()};
  port->drive(guest_calls::run, &calls);
  port->set_deadline(port->now_ns() + 1);
  port->wake();
  port->close();
  port.reset();
  uv_run(&caller.loop, UV_RUN_DEFAULT);
  CHECK(calls.count == 0);
}

TEST_CASE("a guest may close itself in its callback, by wake and by deadline") {
  for (unsigned close_at : {1U, 2U}) {
    callers_loop caller;
    auto port = make(&caller.loop);
    guest_calls calls{.port = port.get(), .close_at = close_at};
    calls.next_deadline_ns = port->now_ns() + 1'000'000;
    port->drive(guest_calls::run, &calls);
    port->keep_alive(true);
    uv_run(&caller.loop, UV_RUN_DEFAULT);
    CHECK(calls.count == close_at);
  }
}

TEST_CASE("two guests share one loop") {
  callers_loop caller;
  auto first = make(&caller.loop);
  auto second = make(&caller.loop);
  guest_calls calls_first{.port = first.get()};
  guest_calls calls_second{.port = second.get()};
  first->drive(guest_calls::run, &calls_first);
  second->drive(guest_calls::run, &calls_second);
  first->close();
  second->keep_alive(true);
  while (calls_second.count == 0) uv_run(&caller.loop, UV_RUN_ONCE);
  CHECK(calls_first.count == 0);
}

}  // namespace
