// SPDX-License-Identifier: Apache-2.0
// Each child reports through its exit status: the number of the first thing that was wrong, 0 if
// none.
#include <doctest/doctest.h>

#include <unistd.h>
#include <uv.h>

#include "ports/threads.hpp"
#include "ports/uv/uv_port.hpp"
#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/running.hpp"

namespace fork_cases {

namespace {
using namespace beamlet;

TEST_CASE("a fork has another generation, process and thread number, the parent keeps its own") {
  std::uint32_t generation = ports::fork_generation();
  std::uint32_t process = ports::process_id();
  std::uint64_t id = ports::thread::current_id();
  CHECK(process == static_cast<std::uint32_t>(getpid()));
  auto look = [&] {
    if (ports::fork_generation() == generation) return 1;
    if (ports::process_id() != static_cast<std::uint32_t>(getpid())) return 2;
    if (ports::thread::current_id() == id) return 3;
    return 0;
  };
  CHECK(in_forked_process(look) == 0);
  CHECK(ports::fork_generation() == generation);
  CHECK(ports::process_id() == process);
}

TEST_CASE("a fork of a fork has yet another generation") {
  std::uint32_t first = ports::fork_generation();
  auto look = [&] {
    std::uint32_t second = ports::fork_generation();
    return in_forked_process([&] {
      std::uint32_t third = ports::fork_generation();
      return third == second || third == first ? 1 : 0;
    });
  };
  CHECK(in_forked_process(look) == 0);
}

TEST_CASE("a fork does not wait for the threads of its parent") {
  std::atomic<std::uint32_t> stop{0};
  running waiter([&] {
    while (stop.load() == 0) ports::wait_on(stop, 0, ports::forever);
  });
  auto join = [&] {
    waiter.thread().join();
    return waiter.thread().joinable() ? 1 : 0;
  };
  CHECK(in_forked_process(join) == 0);
  CHECK(waiter.thread().joinable());
  stop.store(1);
  ports::wake_all(stop);
}

TEST_CASE("a fork that destroys its parent's port leaves the parent's at work") {
  auto made = ports::make_uv_port();
  REQUIRE(made.has_value());
  std::unique_ptr<ports::port> port = *std::move(made);
  port->turn(0);
  port->wake();
  auto destroy = [&] {
    port.reset();
    return 0;
  };
  CHECK(in_forked_process(destroy) == 0);
  port->turn(ports::forever);
  port->wake();
  port->turn(ports::forever);
}

TEST_CASE("a fork that closes its parent's guest never hears of it again") {
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  auto made = ports::make_uv_port(&loop);
  REQUIRE(made.has_value());
  std::unique_ptr<ports::port> port = *std::move(made);
  unsigned calls = 0;
  port->drive([](void* count) { ++*static_cast<unsigned*>(count); }, &calls);
  auto destroy = [&] {
    port.reset();
    if (uv_loop_fork(&loop) != 0) return 1;
    uv_run(&loop, UV_RUN_NOWAIT);
    return calls == 0 ? 0 : 2;
  };
  CHECK(in_forked_process(destroy) == 0);
  port->keep_alive(true);
  while (calls == 0) uv_run(&loop, UV_RUN_ONCE);
  port->close();
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("the heavy fence holds in a fork") {
  ports::prepare_asymmetric_fences();
  auto fence = [] {
    ports::heavy_fence();
    return 0;
  };
  CHECK(in_forked_process(fence) == 0);
}

}  // namespace

}  // namespace fork_cases
