// SPDX-License-Identifier: Apache-2.0
#pragma once

// Receivers that keep what a link tells them, for tests.

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "node/link.hpp"
#include "ports/threads.hpp"

namespace ends {
using namespace beamlet;

/// What an agent was told.
struct agent_side final : node::link_events {
  std::vector<std::pair<std::uint32_t, wire::to_agent>> messages;
  std::vector<error> closed;
  std::function<void()> in_message;

  void on_message(std::uint32_t session, wire::to_agent message) override {
    messages.emplace_back(session, std::move(message));
    if (in_message) in_message();
  }
  void on_closed(std::uint32_t, const error& why) override { closed.push_back(why); }
};

/// What a session was told.
struct session_side final : node::agent_messages {
  std::vector<wire::to_session> messages;
  std::vector<ports::descriptor> segments;
  std::vector<error> lost;
  std::function<void()> in_message;

  void on_message(wire::to_session message, ports::descriptor segment) override {
    messages.push_back(std::move(message));
    if (segment) segments.push_back(std::move(segment));
    if (in_message) in_message();
  }
  void on_lost(const error& why) override { lost.push_back(why); }
};

/// The n-th of a row of messages that can be told apart.
inline wire::to_agent numbered(std::uint64_t n) { return wire::abandon{.ticket = n}; }
inline std::uint64_t number_of(const wire::to_agent& message) {
  auto* numbered = std::get_if<wire::abandon>(&message);
  REQUIRE(numbered != nullptr);
  return numbered->ticket;
}
inline wire::to_session numbered_answer(std::uint64_t n) { return wire::pressure{.size = n}; }
inline std::uint64_t number_of(const wire::to_session& message) {
  auto* numbered = std::get_if<wire::pressure>(&message);
  REQUIRE(numbered != nullptr);
  return numbered->size;
}

/// A message that fills so many bytes.
inline wire::to_agent heavy(std::size_t bytes) {
  wire::fulfil message;
  message.id.node = 1;
  message.made.body = wire::bytes(bytes);
  return message;
}

}  // namespace ends
