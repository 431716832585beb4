// SPDX-License-Identifier: Apache-2.0
#include "node/local_link.hpp"

#include <atomic>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/node/ends.hpp"
#include "tests/unit/ports/running.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace local_link_test {

using namespace ends;
using node::local_channel;
using ports::forever;

struct local_connection {
  std::unique_ptr<ports::port> port = uv_worlds::make();
  agent_side agent;
  session_side session;
  local_channel::ends ends = local_channel::make(*port, session);

  // As an agent's thread does.
  bool turn(std::uint64_t until_ns = forever) {
    port->turn(until_ns);
    return ends.channel->hand_over(agent, 7);
  }
};

TEST_CASE("messages within a process arrive in order, those to a session at once") {
  local_connection between;
  for (std::uint64_t n = 0; n < 100; ++n) {
    REQUIRE(between.ends.session_end->send(numbered(n)).has_value());
    REQUIRE(between.ends.agent_end->send(numbered_answer(n), -1).has_value());
    CHECK(between.session.messages.size() == n + 1);
  }
  CHECK(between.agent.messages.empty());
  CHECK(between.turn());
  REQUIRE(between.agent.messages.size() == 100);
  for (std::uint64_t n = 0; n < 100; ++n) {
    CHECK(number_of(between.agent.messages[n].second) == n);
    CHECK(between.agent.messages[n].first == 7);
    CHECK(number_of(between.session.messages[n]) == n);
  }
  CHECK_FALSE(between.ends.session_end->read_by_this_thread());
  CHECK_FALSE(between.ends.session_end->pump(forever));  // nothing to read: it must not wait
}

TEST_CASE("an agent is told that a session of its process has left, after what it had sent") {
  local_connection between;
  REQUIRE(between.ends.session_end->send(numbered(1)).has_value());
  between.ends.session_end.reset();
  CHECK(between.ends.channel->session_gone());
  CHECK_FALSE(between.turn());
  CHECK(between.agent.messages.size() == 1);
  REQUIRE(between.agent.closed.size() == 1);
  CHECK(between.agent.closed[0] == errc::closed);
  auto sent = between.ends.agent_end->send(numbered_answer(1), -1);
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error() == errc::closed);
  between.ends.agent_end.reset();
  CHECK(between.session.lost.empty());  // nobody is there to be told
}

TEST_CASE("a session is told once that the agent of its process is gone") {
  local_connection between;
  REQUIRE(between.ends.session_end->send(numbered(1)).has_value());
  between.ends.agent_end->close();
  between.ends.agent_end.reset();
  REQUIRE(between.session.lost.size() == 1);
  CHECK(between.session.lost[0] == errc::agent_lost);
  auto sent = between.ends.session_end->send(numbered(2));
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error() == errc::agent_lost);
  between.port.reset();  // nothing wakes it any more
  between.ends.session_end.reset();
}

TEST_CASE("a local link may be destroyed in the call that it makes") {
  local_connection between;
  SUBCASE("the agent's end") {
    between.agent.in_message = [&] { between.ends.agent_end.reset(); };
    REQUIRE(between.ends.session_end->send(numbered(1)).has_value());
    REQUIRE(between.ends.session_end->send(numbered(2)).has_value());
    CHECK_FALSE(between.turn());
    CHECK(between.agent.messages.size() == 1);
    CHECK(between.agent.closed.empty());
    CHECK(between.session.lost.size() == 1);
  }
  SUBCASE("the session's end") {
    between.session.in_message = [&] { between.ends.session_end.reset(); };
    REQUIRE(between.ends.agent_end->send(numbered_answer(1), -1).has_value());
    CHECK_FALSE(between.ends.agent_end->send(numbered_answer(2), -1).has_value());
    CHECK(between.session.messages.size() == 1);
    CHECK_FALSE(between.turn());
    CHECK(between.agent.closed.size() == 1);
  }
}

TEST_CASE("an agent that takes nothing makes a session's queue full") {
  local_connection between;
  SUBCASE("by the number of messages") {
    for (std::size_t n = 0; n < node::local_queue_messages_max; ++n) {
      REQUIRE(between.ends.session_end->send(numbered(n)).has_value());
    }
  }
  SUBCASE("by their bytes") {
    constexpr std::size_t bytes = std::size_t{16} << 20;
    for (std::size_t n = 0; n < node::local_queue_bytes_max / bytes; ++n) {
      REQUIRE(between.ends.session_end->send(heavy(bytes)).has_value());
    }
  }
  auto refused = between.ends.session_end->send(heavy(1));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == errc::queue_full);
  CHECK(between.turn());
  CHECK(between.ends.session_end->send(heavy(1)).has_value());
}

TEST_CASE("a session of the process gets a descriptor of its own") {
  local_connection between;
  int both[2];
  REQUIRE(pipe2(both, O_CLOEXEC) == 0);
  ports::descriptor reading(both[0]), writing(both[1]);
  REQUIRE(between.ends.agent_end->send(wire::new_segment{}, writing.number()).has_value());
  REQUIRE(between.session.segments.size() == 1);
  CHECK(between.session.segments[0].number() != writing.number());
  writing.close();
  REQUIRE(write(between.session.segments[0].number(), "x", 1) == 1);
  char byte = 0;
  CHECK(read(reading.number(), &byte, 1) == 1);
  auto refused = between.ends.agent_end->send(wire::new_segment{}, writing.number() - 1);
  CHECK(refused.has_value());  // -2: none
}

TEST_CASE("four threads send to an agent, each in its order, while it answers and one leaves") {
  local_connection between;
  constexpr std::uint64_t each = 2000, threads = 4;
  auto send_all = [&](std::uint64_t thread) {
    for (std::uint64_t n = 0; n < each; ++n) {
      REQUIRE(between.ends.session_end->send(numbered(thread << 32 | n)).has_value());
    }
  };
  std::uint64_t answered = 0;
  between.agent.in_message = [&] {
    if (between.ends.agent_end->send(numbered_answer(0), -1).has_value()) ++answered;
  };
  running leaving([&] {
    running a([&] { send_all(0); }), b([&] { send_all(1); }), c([&] { send_all(2); });
    running d([&] { send_all(3); });
    a.join(), b.join(), c.join(), d.join();
    between.ends.session_end.reset();
    auto seen = between.session.messages.size();  // nobody touches the receiver from here on
    between.session.messages.clear();
    CHECK(seen <= threads * each);
  });
  while (between.turn()) {}
  leaving.join();
  REQUIRE(between.agent.messages.size() == threads * each);
  std::uint64_t next[threads] = {};
  for (const auto& [session, message] : between.agent.messages) {
    std::uint64_t number = number_of(message);
    CHECK((number & 0xffff'ffff) == next[number >> 32]++);
  }
  CHECK(answered <= threads * each);
}

}  // namespace local_link_test
