// SPDX-License-Identifier: Apache-2.0
#include "ports/doorbell.hpp"

#include <doctest/doctest.h>

#include <utility>

#include "ports/local_socket.hpp"
#include "ports/port.hpp"
#include "ports/threads.hpp"
#include "tests/unit/ports/running.hpp"

namespace doorbell_cases {

namespace {
using namespace beamlet;
using ports::forever;
using ports::ready_to_read;
using ports::ready_to_write;
using ports::wait_ready;

struct bell_and_sockets {
  ports::doorbell bell;
  std::pair<ports::local_socket, ports::local_socket> sockets;
};

bell_and_sockets make_both() {
  auto bell = ports::doorbell::make();
  auto sockets = ports::local_socket::make_pair();
  REQUIRE(bell.has_value());
  REQUIRE(sockets.has_value());
  return {*std::move(bell), *std::move(sockets)};
}

TEST_CASE("a wait ends when the bell is rung, also before it began, until it is cleared") {
  auto both = make_both();
  int socket = both.sockets.first.number();
  CHECK_FALSE(wait_ready(socket, ready_to_read, both.bell, 1).rung);
  for (int i = 0; i < 100'000; ++i) both.bell.ring();  // never blocks, however full it is
  ports::waited seen = wait_ready(socket, ready_to_read, both.bell, forever);
  CHECK(seen.rung);
  CHECK(seen.events == 0);
  CHECK(wait_ready(socket, ready_to_read, both.bell, forever).rung);
  both.bell.clear();
  CHECK_FALSE(wait_ready(socket, ready_to_read, both.bell, 0).rung);
  running other([&] { both.bell.ring(); });
  while (!wait_ready(socket, ready_to_read, both.bell, forever).rung) {}
}

TEST_CASE("a wait tells what the descriptor is ready for, of what was asked") {
  auto both = make_both();
  int socket = both.sockets.first.number();
  CHECK(wait_ready(socket, ready_to_read | ready_to_write, both.bell, forever).events ==
        ready_to_write);
  std::byte byte{};
  REQUIRE(both.sockets.second.send({&byte, 1}).has_value());
  CHECK(wait_ready(socket, ready_to_read, both.bell, forever).events == ready_to_read);
  both.sockets.second.release();
  unsigned all = ready_to_read | ready_to_write;
  CHECK(wait_ready(socket, all, both.bell, forever).events == all);  // the end counts as both
}
}  // namespace

}  // namespace doorbell_cases
