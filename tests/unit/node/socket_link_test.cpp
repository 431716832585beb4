// SPDX-License-Identifier: Apache-2.0
#include "node/socket_link.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/node/ends.hpp"
#include "tests/unit/ports/running.hpp"
#include "tests/unit/ports/uv_worlds.hpp"
#include "wire/encoding.hpp"

namespace socket_link_test {

using namespace ends;
using node::link_limits;
using node::socket_agent_link;
using node::socket_session_link;
using ports::forever;

std::pair<ports::local_socket, ports::local_socket> socket_pair() {
  auto made = ports::local_socket::make_pair(link_limits);
  REQUIRE(made.has_value());
  return *std::move(made);
}

// An agent's end on a port that the test turns.
struct agent_end {
  ports::port& port;
  agent_side told;
  std::unique_ptr<socket_session_link> link;

  agent_end(ports::port& on, ports::local_socket socket)
      : port(on), link(std::make_unique<socket_session_link>(on, std::move(socket))) {
    REQUIRE(link->start(told, 7).has_value());
  }
  template <class Condition>
  void turn_until(Condition met) {
    while (!met()) port.turn(forever);
  }
  void turn_until_closed() {
    turn_until([this] { return !told.closed.empty(); });
  }
  void turn_until_count(std::size_t count) {
    turn_until([&] { return told.messages.size() >= count; });
  }
};

struct connection {
  std::unique_ptr<ports::port> port = uv_worlds::make();
  std::optional<agent_end> agent;
  session_side told;
  std::unique_ptr<socket_agent_link> session;

  connection() {
    auto sockets = socket_pair();
    agent.emplace(*port, std::move(sockets.first));
    auto made = socket_agent_link::make(std::move(sockets.second), told);
    REQUIRE(made.has_value());
    session = *std::move(made);
  }
  void pump_until_count(std::size_t count) {
    while (told.messages.size() < count) session->pump(forever);
  }
  void pump_until_lost() {
    while (told.lost.empty()) session->pump(forever);
  }
};

// A connection whose session's end is a socket in the hands of the test.
struct hostile_session {
  std::unique_ptr<ports::port> port = uv_worlds::make();
  std::optional<ports::local_socket> socket;
  std::optional<agent_end> agent;

  hostile_session() {
    auto sockets = socket_pair();
    agent.emplace(*port, std::move(sockets.first));
    socket.emplace(std::move(sockets.second));
  }
};

struct hostile_agent {
  std::optional<ports::local_socket> socket;
  session_side told;
  std::unique_ptr<socket_agent_link> session;

  hostile_agent() {
    auto sockets = socket_pair();
    socket.emplace(std::move(sockets.first));
    auto made = socket_agent_link::make(std::move(sockets.second), told);
    REQUIRE(made.has_value());
    session = *std::move(made);
  }
  error lost() {
    while (told.lost.empty()) session->pump(forever);
    CHECK(told.messages.empty());
    return told.lost.front();
  }
};

template <class Message>
wire::bytes encoded(const Message& message) {
  auto made = wire::encode(message);
  REQUIRE(made.has_value());
  return *std::move(made);
}

TEST_CASE("messages arrive in the order in which they were sent") {
  connection between;
  for (std::uint64_t n = 0; n < 100; ++n) {
    REQUIRE(between.session->send(numbered(n)).has_value());
    REQUIRE(between.agent->link->send(numbered_answer(n), -1).has_value());
  }
  between.agent->turn_until_count(100);
  between.pump_until_count(100);
  for (std::uint64_t n = 0; n < 100; ++n) {
    CHECK(number_of(between.agent->told.messages[n].second) == n);
    CHECK(between.agent->told.messages[n].first == 7);
    CHECK(number_of(between.told.messages[n]) == n);
  }
}

TEST_CASE("an agent is told that a session has left, after all that it had sent") {
  connection between;
  REQUIRE(between.session->send(numbered(1)).has_value());
  between.session.reset();
  between.agent->turn_until_closed();
  CHECK(between.agent->told.messages.size() == 1);
  REQUIRE(between.agent->told.closed.size() == 1);
  CHECK(between.agent->told.closed[0] == errc::closed);
  auto sent = between.agent->link->send(numbered_answer(1), -1);
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error() == errc::closed);
}

TEST_CASE("a session is told once that its agent is gone, after all that it had sent") {
  connection between;
  REQUIRE(between.agent->link->send(numbered_answer(1), -1).has_value());
  between.agent->link->close();
  between.pump_until_lost();
  CHECK(between.told.messages.size() == 1);
  CHECK_FALSE(between.session->pump(forever));  // returns, as nothing can come any more
  CHECK(between.told.lost.size() == 1);
  CHECK(between.told.lost[0] == errc::agent_lost);
  auto sent = between.session->send(numbered(1));
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error() == errc::agent_lost);
  CHECK(between.agent->told.closed.empty());  // it closed the link itself
}

TEST_CASE("a link may be closed or destroyed in the call that it makes") {
  for (bool destroy : {false, true}) {
    CAPTURE(destroy);
    connection between;
    agent_end& agent = *between.agent;
    agent.told.in_message = [&] { destroy ? agent.link.reset() : agent.link->close(); };
    REQUIRE(between.session->send(numbered(1)).has_value());
    REQUIRE(between.session->send(numbered(2)).has_value());
    agent.turn_until_count(1);
    between.pump_until_lost();
    CHECK(agent.told.messages.size() == 1);
    CHECK(agent.told.closed.empty());
  }
}

TEST_CASE("a session that sends garbage ends its own link and no other") {
  hostile_session bad, good;
  SUBCASE("no frame") {
    std::string_view bytes = "this is no frame, and it is long enough to be seen as none";
    REQUIRE(write(bad.socket->number(), bytes.data(), bytes.size()) > 0);
  }
  SUBCASE("no message") {
    wire::bytes bytes(64, std::byte{0xa5});
    REQUIRE(bad.socket->send(bytes).has_value());
  }
  SUBCASE("a message that only an agent sends") {
    wire::bytes bytes = encoded(wire::to_session(wire::drain{}));
    bytes.resize(bytes.size() / 2);
    REQUIRE(bad.socket->send(bytes).has_value());
  }
  SUBCASE("a descriptor") {
    int number = bad.socket->number();
    REQUIRE(bad.socket->send(encoded(numbered(1)), std::span(&number, 1)).has_value());
  }
  SUBCASE("a frame that never ends") {
    auto header = ports::frame_header(1000, 0);
    REQUIRE(write(bad.socket->number(), header.data(), header.size()) > 0);
    bad.socket->release();
  }
  bad.agent->turn_until_closed();
  CHECK(bad.agent->told.messages.empty());
  CHECK(bad.agent->told.closed.size() == 1);
  CHECK(bad.agent->told.closed[0] != errc::closed);
  REQUIRE(good.socket->send(encoded(numbered(3))).has_value());
  good.agent->turn_until_count(1);
  CHECK(good.agent->told.closed.empty());
}

TEST_CASE("an agent that sends garbage is lost, and the reason is told") {
  hostile_agent agent;
  SUBCASE("no message") {
    wire::bytes bytes(64, std::byte{0xa5});
    REQUIRE(agent.socket->send(bytes).has_value());
  }
  SUBCASE("a segment without a descriptor") {
    REQUIRE(agent.socket->send(encoded(wire::to_session(wire::new_segment{}))).has_value());
  }
  SUBCASE("a descriptor without a segment") {
    int number = agent.socket->number();
    REQUIRE(agent.socket->send(encoded(numbered_answer(1)), std::span(&number, 1)).has_value());
  }
  error why = agent.lost();
  CHECK(why == errc::agent_lost);
  CHECK_FALSE(why.cause().empty());
}

TEST_CASE("a segment's descriptor arrives with its message, and stays the sender's") {
  connection between;
  int both[2];
  REQUIRE(pipe2(both, O_CLOEXEC) == 0);
  ports::descriptor reading(both[0]), writing(both[1]);
  wire::new_segment message{.segment = 5, .size = 4096, .writable = true};
  REQUIRE(between.agent->link->send(message, writing.number()).has_value());
  between.pump_until_count(1);
  REQUIRE(between.told.segments.size() == 1);
  CHECK(std::get<wire::new_segment>(between.told.messages[0]).segment == 5);
  REQUIRE(write(between.told.segments[0].number(), "a", 1) == 1);
  REQUIRE(write(writing.number(), "b", 1) == 1);
  char bytes[2];
  REQUIRE(read(reading.number(), bytes, 2) == 2);
  CHECK(std::string_view(bytes, 2) == "ab");
}

TEST_CASE("a session that does not read fills its queue, and gets all of it when it reads") {
  connection between;
  std::uint64_t sent = 0;
  for (;; ++sent) {
    auto told = between.agent->link->send(
        wire::here{
            .ticket = sent,
            .objects = {{.id = {}, .what = {.body = wire::bytes(1 << 20), .contained = {}}}}},
        -1);
    if (told.has_value()) continue;
    CHECK(told.error() == errc::queue_full);
    break;
  }
  CHECK(sent >= 16);  // the largest message fits
  running reader([&] { between.pump_until_count(sent); });
  // The agent's turns send what is queued; they end when the session says that it has everything.
  std::atomic<bool> all = false;
  between.told.in_message = [&] {
    if (between.told.messages.size() == sent) all = true, between.port->wake();
  };
  while (!all) between.port->turn(forever);
  reader.join();
  for (std::uint64_t n = 0; n < sent; ++n) {
    CHECK(std::get<wire::here>(between.told.messages[n]).ticket == n);
  }
}

TEST_CASE("what an agent has not taken yet is sent by the session's next pumps") {
  connection between;
  std::size_t sent = 0;
  while (between.session->send(heavy(1 << 20)).has_value()) ++sent;
  CHECK(sent >= 16);
  running agent([&] {
    between.agent->turn_until_count(sent);
    CHECK(between.agent->link->send(numbered_answer(1), -1).has_value());
  });
  between.pump_until_count(1);
  agent.join();
  auto refused = between.session->send(heavy(wire::limits::message_bytes_max));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == errc::too_large);
  CHECK(between.session->send(numbered(1)).has_value());  // the link goes on
}

TEST_CASE("a pump with nothing to read returns when its time has passed") {
  connection between;
  CHECK_FALSE(between.session->pump(0));
  CHECK_FALSE(between.session->pump(1'000'000));
}

TEST_CASE("while it is attached the port's turns read, afterwards whoever pumps") {
  connection between;
  auto loop = uv_worlds::make();
  CHECK(between.session->read_by_this_thread());
  REQUIRE(between.session->attach(*loop).has_value());
  CHECK(between.session->read_by_this_thread());
  running other([&] { CHECK_FALSE(between.session->read_by_this_thread()); });
  other.join();
  REQUIRE(between.agent->link->send(numbered_answer(1), -1).has_value());
  while (between.told.messages.empty()) loop->turn(forever);
  REQUIRE(between.agent->link->send(numbered_answer(2), -1).has_value());
  between.pump_until_count(2);  // allowed on the loop's thread
  between.session->detach();
  REQUIRE(between.agent->link->send(numbered_answer(3), -1).has_value());
  running pumping([&] { between.pump_until_count(3); });
  pumping.join();
  CHECK(number_of(between.told.messages[2]) == 3);
  REQUIRE(between.session->attach(*loop).has_value());
  between.agent->link->close();
  while (between.told.lost.empty()) loop->turn(forever);
  loop->turn(loop->now_ns() + 1'000'000);  // a lost link does not keep the loop busy
  between.session->detach();
}

TEST_CASE("sends from four threads all arrive, each thread's in order") {
  connection between;
  auto loop = uv_worlds::make();
  REQUIRE(between.session->attach(*loop).has_value());
  std::atomic<bool> over = false;
  running looping([&] {
    while (!over) loop->turn(forever);
    between.session->detach();
  });
  constexpr std::uint64_t each = 200, threads = 4;
  auto send_all = [&](std::uint64_t thread) {
    for (std::uint64_t n = 0; n < each; ++n) {
      wire::fulfil message{.id = {.node = thread, .sequence = n}, .made = {}};
      message.made.body = wire::bytes(n % 50 == 0 ? 900'000 : 2'000);
      while (!between.session->send(message).has_value()) ports::yield();
    }
  };
  running a([&] { send_all(0); }), b([&] { send_all(1); }), c([&] { send_all(2); });
  running d([&] { send_all(3); });
  between.agent->turn_until_count(threads * each);
  std::uint64_t next[threads] = {};
  for (const auto& [session, message] : between.agent->told.messages) {
    const object_id& id = std::get<wire::fulfil>(message).id;
    REQUIRE(id.node < threads);
    CHECK(id.sequence == next[id.node]++);
  }
  over = true;
  loop->wake();
}

}  // namespace socket_link_test
