// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <vector>

#include "ports/sim/sim_port.hpp"

namespace {
using beamlet::ports::sim_port;

struct sim_world {
  sim_port made{7};
  beamlet::ports::port& port() { return made; }
  void turn(std::uint64_t until_ns) { made.turn(until_ns); }
};
}  // namespace

#define PORT_SUITE_WORLDS sim_world
#include "tests/conformance/port_suite.hpp"
#undef PORT_SUITE_WORLDS

namespace {

constexpr std::uint64_t no_limit = UINT64_MAX;

// A little program: what it does next hangs on what the port says.
std::uint64_t trace_of_run(std::uint64_t seed) {
  sim_port port(seed);
  port.note(port.random_seed());
  for (unsigned i = 1; i < 100; ++i) {
    if (port.choose(3) == 0) port.wake();
    port.turn(port.now_ns() + port.choose(1000));
    port.note(i);
  }
  return port.trace();
}

TEST_CASE("equal seeds give equal runs, other seeds other ones") {
  CHECK(trace_of_run(1) == trace_of_run(1));
  CHECK(trace_of_run(0) == trace_of_run(0));
  CHECK(trace_of_run(0) != trace_of_run(1));
  CHECK(trace_of_run(1) != trace_of_run(2));
}

TEST_CASE("the trace tells events apart by order, number and kind") {
  auto trace = [](std::vector<std::uint64_t> notes) {
    sim_port port(1);
    for (std::uint64_t note : notes) port.note(note);
    return port.trace();
  };
  CHECK(trace({1, 2}) == trace({1, 2}));
  CHECK(trace({1, 2}) != trace({2, 1}));
  CHECK(trace({}) != trace({0}));
  CHECK(trace({0}) != trace({0, 0}));

  sim_port chose(1);
  unsigned chosen = chose.choose(1000);
  CHECK(chose.trace() != trace({chosen}));
}

TEST_CASE("virtual time moves in a turn only, and at once to its end") {
  sim_port port(1);
  std::uint64_t start = port.now_ns();
  port.note(1);
  port.choose(5);
  CHECK(port.now_ns() == start);
  port.turn(start + 123);
  CHECK(port.now_ns() == start + 123);
  port.turn(start);
  CHECK(port.now_ns() == start + 123);
}

TEST_CASE("a wake holds virtual time still for one turn") {
  sim_port port(1);
  std::uint64_t start = port.now_ns();
  port.wake();
  port.turn(start + 5);
  CHECK(port.now_ns() == start);
  port.turn(start + 5);
  CHECK(port.now_ns() == start + 5);
}

TEST_CASE("a world with nothing left to do says that it has stalled") {
  sim_port port(1);
  CHECK_FALSE(port.stalled());
  port.turn(no_limit);
  CHECK(port.stalled());
  port.wake();
  port.turn(no_limit);
  CHECK_FALSE(port.stalled());
  port.turn(no_limit);
  CHECK(port.stalled());
  port.turn(port.now_ns() + 1);
  CHECK_FALSE(port.stalled());
}

TEST_CASE("a simulated port says so and is nobody's guest") {
  sim_port port(1);
  CHECK(port.simulated());
  CHECK_FALSE(port.external());
}

}  // namespace
