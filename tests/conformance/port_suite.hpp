// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every port must do, whatever it stands on. A file that tests a port defines
// PORT_SUITE_WORLDS as a list of world types and includes this. A world is default-constructible,
// makes one port, and has:
//   port& port();                    the port under test
//   void turn(uint64_t until_ns);    port().turn(), or the caller's loop until the callback ran
// A contract that is broken shows as a failed check, or as a turn that never returns.

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <set>

#include "ports/port.hpp"

namespace port_suite {

constexpr std::uint64_t forever = UINT64_MAX;
constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t hour = 3600 * 1000 * millisecond;

// How many turns pass until `until_ns`: 1, but for the spurious returns that the contract allows.
template <class World>
unsigned turns_until(World& world, std::uint64_t until_ns) {
  unsigned turns = 0;
  while (world.port().now_ns() < until_ns) {
    world.turn(until_ns);
    ++turns;
  }
  return turns;
}

TEST_CASE_TEMPLATE("a turn until a past time returns", World, PORT_SUITE_WORLDS) {
  World world;
  world.turn(0);
  world.turn(world.port().now_ns());
  world.turn(world.port().now_ns() - 1);
}

TEST_CASE_TEMPLATE("a turn waits for its time and no longer polls", World, PORT_SUITE_WORLDS) {
  World world;
  world.turn(0);
  for (std::uint64_t wait_ns : {1 * millisecond, 3 * millisecond, 20 * millisecond}) {
    CHECK(turns_until(world, world.port().now_ns() + wait_ns) <= 3);
  }
}

TEST_CASE_TEMPLATE("a turn waits for a time between two milliseconds", World, PORT_SUITE_WORLDS) {
  World world;
  world.turn(0);
  for (unsigned i = 1; i <= 50; ++i) {
    CHECK(turns_until(world, world.port().now_ns() + i * 37'001) <= 3);
  }
}

TEST_CASE_TEMPLATE("a wake before the turn is not lost", World, PORT_SUITE_WORLDS) {
  World world;
  for (int i = 0; i < 100; ++i) {
    world.port().wake();
    world.turn(forever);
  }
}

TEST_CASE_TEMPLATE("a wake ends a turn before its time", World, PORT_SUITE_WORLDS) {
  World world;
  std::uint64_t until_ns = world.port().now_ns() + hour;
  world.port().wake();
  world.turn(until_ns);
  CHECK(world.port().now_ns() < until_ns);
}

TEST_CASE_TEMPLATE("wakes before a turn count as one", World, PORT_SUITE_WORLDS) {
  World world;
  for (int i = 0; i < 5; ++i) world.port().wake();
  world.turn(forever);
  CHECK(turns_until(world, world.port().now_ns() + 2 * millisecond) <= 3);
}

TEST_CASE_TEMPLATE("a turn that does not block takes a wake too", World, PORT_SUITE_WORLDS) {
  World world;
  world.port().wake();
  world.turn(0);
  CHECK(turns_until(world, world.port().now_ns() + 2 * millisecond) <= 3);
}

TEST_CASE_TEMPLATE("a shorter time follows a longer one", World, PORT_SUITE_WORLDS) {
  World world;
  std::uint64_t late_ns = world.port().now_ns() + hour;
  world.port().wake();
  world.turn(late_ns);
  CHECK(turns_until(world, world.port().now_ns() + 2 * millisecond) <= 3);
  CHECK(world.port().now_ns() < late_ns);
}

TEST_CASE_TEMPLATE("time never goes back and starts above 0", World, PORT_SUITE_WORLDS) {
  World world;
  std::uint64_t now = world.port().now_ns();
  std::uint64_t boot = world.port().boot_ns();
  CHECK(now > 0);
  CHECK(boot > 0);
  unsigned steps_back = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i % 100 == 0) world.turn(now + 1000);
    std::uint64_t later_now = world.port().now_ns();
    std::uint64_t later_boot = world.port().boot_ns();
    steps_back += (later_now < now) + (later_boot < boot);
    now = later_now;
    boot = later_boot;
  }
  CHECK(steps_back == 0);
}

TEST_CASE_TEMPLATE("no two seeds are alike", World, PORT_SUITE_WORLDS) {
  World world;
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 100; ++i) seeds.insert(world.port().random_seed());
  CHECK(seeds.size() == 100);
}

TEST_CASE_TEMPLATE("a choice is one of those that there are", World, PORT_SUITE_WORLDS) {
  World world;
  CHECK(world.port().choose(1) == 0);
  std::set<unsigned> chosen;
  for (int i = 0; i < 1000; ++i) chosen.insert(world.port().choose(7));
  CHECK(*chosen.begin() == 0);
  CHECK(*chosen.rbegin() < 7);
  CHECK(chosen.size() == (world.port().simulated() ? 7 : 1));
}

TEST_CASE_TEMPLATE("keeping alive or not changes no turn", World, PORT_SUITE_WORLDS) {
  World world;
  for (bool keep : {true, true, false, false, true}) {
    world.port().keep_alive(keep);
    world.port().wake();
    world.turn(forever);
    CHECK(turns_until(world, world.port().now_ns() + millisecond) <= 3);
  }
}

TEST_CASE_TEMPLATE("a port is closed once, and time goes on", World, PORT_SUITE_WORLDS) {
  World world;
  std::uint64_t before = world.port().now_ns();
  world.port().wake();
  world.port().close();
  world.port().close();
  CHECK(world.port().now_ns() >= before);
}

TEST_CASE_TEMPLATE("ports come and go beside one that stays", World, PORT_SUITE_WORLDS) {
  World stays;
  for (int i = 0; i < 50; ++i) {
    World goes;
    goes.port().wake();
    goes.turn(forever);
  }
  stays.port().wake();
  stays.turn(forever);
}

}  // namespace port_suite
