// SPDX-License-Identifier: Apache-2.0
#pragma once

// The uv port in its two places, for suites and tests: a loop of its own, and the caller's.

#include <doctest/doctest.h>

#include <memory>

#include <uv.h>

#include "ports/threads.hpp"
#include "ports/uv/uv_port.hpp"

namespace uv_worlds {
namespace ports = beamlet::ports;

inline std::unique_ptr<ports::port> make(void* loop = nullptr) {
  auto made = loop == nullptr ? ports::make_uv_port() : ports::make_uv_port(loop);
  REQUIRE(made.has_value());
  return *std::move(made);
}

struct own_loop_world {
  std::unique_ptr<ports::port> made = make();
  ports::port& port() { return *made; }
  void turn(std::uint64_t until_ns) { made->turn(until_ns); }
};

// The caller's loop, which has to be closed in the end: a handle left open fails there.
struct callers_loop {
  uv_loop_t loop;
  callers_loop() { REQUIRE(uv_loop_init(&loop) == 0); }
  ~callers_loop() {
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
  }
};

// A driver as the runtime's: one turn is over when the callback has run.
struct guest_world {
  callers_loop caller;
  std::unique_ptr<ports::port> made = make(&caller.loop);
  bool called = false;

  guest_world() {
    made->drive([](void* flag) { *static_cast<bool*>(flag) = true; }, &called);
    run_until_called();  // drive() promises one call
  }
  ports::port& port() { return *made; }
  void turn(std::uint64_t until_ns) {
    made->set_deadline(until_ns);
    run_until_called();
    made->set_deadline(ports::forever);
  }
  void run_until_called() {
    made->keep_alive(true);
    while (!called) uv_run(&caller.loop, UV_RUN_ONCE);
    called = false;
    made->keep_alive(false);
  }
};
}  // namespace uv_worlds
