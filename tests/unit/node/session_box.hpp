// SPDX-License-Identifier: Apache-2.0
#pragma once

// A session with a scripted agent: the test reads what the session said and says what the agent
// answers. Time is the test's: it moves only where the session waits and the script has run out.

#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "node/session.hpp"
#include "ports/shared_memory.hpp"
#include "tests/unit/heap.hpp"

namespace session_box {
namespace node = beamlet::node;
namespace ports = beamlet::ports;
namespace wire = beamlet::wire;
using beamlet::errc;
using beamlet::error;
using beamlet::object_id;
using beamlet::result;
using node::arrived;

inline constexpr std::uint64_t second = 1'000'000'000;

inline void drop(arrived& one) { one.bytes.drop(one.bytes.keeper); }
inline void drop(std::vector<arrived>& all) {
  for (arrived& one : std::exchange(all, {})) drop(one);
}
inline object_id other_id(std::uint64_t sequence) {  // minted by another session
  return {.node = 7, .boot = 1, .session = 9, .sequence = sequence, .guard = 5};
}
inline wire::object_here inline_object(const object_id& id, std::size_t bytes = 8,
                                       std::vector<object_id> contained = {}) {
  return {id, {.body = wire::bytes(bytes, std::byte{3}), .contained = std::move(contained)}};
}
inline wire::object_here stored_object(const object_id& id, wire::extent where) {
  return {id, {.body = where, .contained = {}}};
}
inline wire::object_here failed_object(const object_id& id, errc why) {
  return {id, {.body = error(why), .contained = {}}};
}

/// Both what the link shares with the test, and the agent that the test plays.
struct script {
  std::mutex lock;
  std::vector<wire::to_agent> said;
  std::size_t room = ~std::size_t{0};  // messages that are still taken
  error refusal;                       // instead
  std::function<error(const wire::to_agent&)> judge;
  std::deque<std::function<void()>> turns;  // what happens while the session waits
  std::uint64_t now = 1000;
  bool reads_here = true;
  bool given_up = false;
};

class script_link final : public node::agent_link {
 public:
  explicit script_link(std::shared_ptr<script> with) : with_(std::move(with)) {}
  result<void> send(wire::to_agent message) override {
    heap::counting outside(false);
    std::lock_guard hold(with_->lock);
    if (with_->refusal.code() != errc::ok) return with_->refusal;
    if (with_->room == 0) return errc::queue_full;
    if (with_->judge)
      if (error why = with_->judge(message); why.code() != errc::ok) return why;
    --with_->room;
    with_->said.push_back(std::move(message));
    return {};
  }
  void give_up() override { with_->given_up = true; }
  bool pump(std::uint64_t timeout_ns) override {
    if (with_->turns.empty()) {
      with_->now += timeout_ns;
      return false;
    }
    heap::counting outside(false);
    auto turn = std::move(with_->turns.front());
    with_->turns.pop_front();
    turn();
    return true;
  }
  bool read_by_this_thread() const override { return with_->reads_here; }

 private:
  std::shared_ptr<script> with_;
};

struct recorder final : node::session_host {
  struct call {
    wire::call what;
    std::vector<arrived> objects;
  };
  struct news {
    object_id id;
    error why;
    std::optional<arrived> value;
  };
  void on_execute(wire::call what, std::vector<arrived> objects) override {
    heap::counting outside(false);
    calls.push_back({std::move(what), std::move(objects)});
  }
  void on_abort(const object_id& task, std::uint32_t) override { aborted.push_back(task); }
  void on_sealed(const object_id& id, const error& why, std::optional<arrived> value) override {
    heap::counting outside(false);
    sealed.push_back({id, why, std::move(value)});
  }
  void on_actor_ended(const object_id& actor, const error& why) override {
    heap::counting outside(false);
    ended.emplace_back(actor, why);
  }
  void on_pressure(std::uint64_t bytes) override { pressure += bytes; }
  void on_drain() override { ++drains; }
  void on_lost(const error& why) override {
    heap::counting outside(false);
    lost.push_back(why);
  }

  std::vector<call> calls;
  std::vector<news> sealed;
  std::vector<object_id> aborted;
  std::vector<std::pair<object_id, error>> ended;
  std::vector<error> lost;
  std::uint64_t pressure = 0;
  int drains = 0;
};

struct box {
  box() : with(std::make_shared<script>()), session(host) {}

  /// What `open` needs, without the welcome.
  result<void> open_with(std::function<void()> answer) {
    if (answer) with->turns.push_back(std::move(answer));
    return session.open(std::make_unique<script_link>(with),
                        {.functions_hash = 11,
                         .program = "test",
                         .worker = false,
                         .slots = 1,
                         .now_ns = [s = with] { return s->now; },
                         .secret = {1, 2}},
                        second);
  }
  void open() {
    REQUIRE(open_with([this] { welcome(); }).has_value());
    said<wire::hello>();
    with->said.clear();
  }
  void welcome() { say(wire::welcome{.node = 7, .boot = 1, .session = 3, .inline_max = 65536}); }

  void say(wire::to_session message) {
    heap::counting inside(true);
    session.on_message(std::move(message), {});
  }
  /// Gives a segment, filled with `fill`; a writable one is mapped for writing by the session.
  /// Returns the number of the descriptor.
  int segment(std::uint32_t id, std::size_t bytes, bool writable, int fill = 0) {
    auto made = ports::create_shared_memory(bytes, "beamlet-test");
    REQUIRE(made.has_value());
    if (!writable) {
      auto mine = ports::map_shared_memory(made->writer.number(),
                                           {.bytes = bytes, .writable = true, .file = false});
      REQUIRE(mine.has_value());
      std::memset(mine->data(), fill, bytes);
      REQUIRE(ports::seal_against_writers(made->writer.number()).has_value());
    }
    const int number = made->writer.number();
    heap::counting inside(true);
    session.on_message(wire::new_segment{.segment = id, .size = bytes, .writable = writable},
                       std::move(made->writer));
    return number;
  }
  /// The next lease is granted there.
  void grant_next(wire::extent where) {
    with->turns.push_back([this, where] {
      auto asked = said<wire::lease>();
      REQUIRE(!asked.empty());
      say(wire::leased{asked.back().ticket, where});
    });
  }

  /// What was said of one kind since the last clear.
  template <class Message>
  std::vector<Message> said() const {
    std::vector<Message> found;
    std::lock_guard hold(with->lock);
    for (const wire::to_agent& each : with->said)
      if (const auto* one = std::get_if<Message>(&each)) found.push_back(*one);
    return found;
  }
  std::size_t count() const {
    std::lock_guard hold(with->lock);
    return with->said.size();
  }
  void forget() { with->said.clear(); }

  /// Asks; the answers are collected in `answers`.
  std::uint64_t require(std::vector<object_id> objects) {
    return session.require(objects, 0, ~std::uint64_t{0}, [this](auto what) {
      heap::counting outside(false);
      answers.push_back(std::move(what));
    });
  }

  std::shared_ptr<script> with;
  recorder host;
  std::vector<result<std::vector<arrived>>> answers;
  node::session session;
};

}  // namespace session_box
