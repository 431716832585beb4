// SPDX-License-Identifier: Apache-2.0
// Clients that misbehave without dying: only they suffer.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>

#include "tests/kill9/box.hpp"

namespace {
using namespace kill9;

/// Until the client has done so many rounds in all; meanwhile this process works, too.
void await_rounds(box& b, std::size_t seat, std::uint64_t rounds) {
  while (b.seat(seat).rounds < rounds) {
    b.expect_running(seat);
    b.work(1);
  }
}

/// The others go on, nothing of theirs is wrong, and in the end nothing is left.
void expect_no_harm(box& b, std::size_t other) {
  await_rounds(b, other, b.seat(other).rounds + 20);
  b.expect_steady();
  b.on_agent([](node::agent& agent) { CHECK(agent.check() == ""); });
  b.expect_nothing_left();
}

/// One client does this for so many rounds, beside a good one.
void expect_only_it_suffers(std::uint64_t seed, conduct what, std::uint64_t rounds) {
  box b(seed);
  b.start(0, what);
  b.start(1);
  await_rounds(b, 0, rounds);
  expect_no_harm(b, 1);
}
}  // namespace

TEST_CASE("while a client is stopped the others go on, and its end gives all back") {
  box b(1);
  for (std::size_t seat : {0, 1}) b.start(seat);
  for (std::size_t seat : {0, 1}) await_rounds(b, seat, 20);
  REQUIRE(kill(static_cast<pid_t>(b.client(0).id()), SIGSTOP) == 0);
  expect_no_harm(b, 1);
}

TEST_CASE("a client that scribbles over what it has sealed harms nobody else") {
  expect_only_it_suffers(2, conduct::scribbles, 100);
}

TEST_CASE("a client that sends garbage loses its connections, and nobody else anything") {
  expect_only_it_suffers(3, conduct::sends_garbage, 120);
}

TEST_CASE("a client that asks for a TiB is refused, and goes on with less") {
  expect_only_it_suffers(4, conduct::asks_too_much, 20);
}

TEST_CASE("a client that never seals holds no more than its quota, and its end gives it back") {
  expect_only_it_suffers(5, conduct::never_seals, 20);
}

TEST_CASE("a client that leaks pins holds no more than its quota, and its end unpins") {
  expect_only_it_suffers(6, conduct::leaks_pins, 20);
}

TEST_CASE("a client's fork keeps the connection, but nothing of the client after its end") {
  expect_only_it_suffers(7, conduct::forks, 20);
}
