// SPDX-License-Identifier: Apache-2.0
#include "node/local_link.hpp"

#include <utility>
#include <variant>

#include "node/link_error.hpp"
#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

class local_session_link final : public session_link {
 public:
  explicit local_session_link(std::shared_ptr<local_channel> channel)
      : channel_(std::move(channel)) {}
  ~local_session_link() override { close(); }
  result<void> send(wire::to_session message, int segment) override {
    auto kept = channel_;  // the agent may let go of this link in a call that comes back
    return kept->to_session(std::move(message), segment);
  }
  void close() override {
    auto kept = channel_;
    kept->agent_leaves();
  }

 private:
  std::shared_ptr<local_channel> channel_;
};

class local_agent_link final : public agent_link {
 public:
  explicit local_agent_link(std::shared_ptr<local_channel> channel)
      : channel_(std::move(channel)) {}
  ~local_agent_link() override { channel_->session_leaves(); }
  result<void> send(wire::to_agent message) override {
    return channel_->to_agent(std::move(message));
  }
  void give_up() override { channel_->session_gives_up(); }
  bool pump(std::uint64_t) override { return false; }
  bool read_by_this_thread() const override { return false; }

 private:
  std::shared_ptr<local_channel> channel_;
};

std::size_t local_bytes_of(const wire::value& value) {
  auto* inline_bytes = std::get_if<wire::bytes>(&value.body);
  return inline_bytes == nullptr ? 0 : inline_bytes->size();
}

// What a queued message holds beyond its own size, roughly: the parts that a program can make big.
std::size_t local_bytes_of(const wire::to_agent& message) {
  std::size_t bytes = 0;
  if (auto* fulfil = std::get_if<wire::fulfil>(&message)) {
    bytes = local_bytes_of(fulfil->made);
  } else if (auto* done = std::get_if<wire::done>(&message)) {
    for (const auto& each : done->results) bytes += local_bytes_of(each);
  } else if (auto* submit = std::get_if<wire::submit>(&message)) {
    for (const auto& each : submit->what.arguments) bytes += each.inline_value.size();
  }
  return bytes;
}

}  // namespace

local_channel::ends local_channel::make(ports::port& port, agent_messages& receiver) {
  auto channel = std::make_shared<local_channel>(port, receiver);
  return {.channel = channel,
          .agent_end = std::make_unique<local_session_link>(channel),
          .session_end = std::make_unique<local_agent_link>(channel)};
}

result<void> local_channel::to_agent(wire::to_agent message) {
  std::size_t bytes = local_bytes_of(message);
  std::lock_guard hold(lock_);
  if (agent_gone_ || given_up_) return agent_lost_error();
  if (queue_.size() == local_queue_messages_max || queue_bytes_ + bytes > local_queue_bytes_max) {
    return link_error(errc::queue_full, "the agent has not taken what was sent before");
  }
  queue_bytes_ += bytes;
  queue_.push_back(std::move(message));
  if (!waiting_.exchange(true, std::memory_order_relaxed)) port_.wake();
  return {};
}

bool local_channel::hand_over(link_events& events, std::uint32_t session) {
  // What was written before wake() is visible after the turn that returned for it.
  if (!waiting_.load(std::memory_order_relaxed)) return true;
  bool last = false;
  {
    std::lock_guard hold(lock_);
    waiting_.store(false, std::memory_order_relaxed);
    std::swap(queue_, taken_);
    queue_bytes_ = 0;
    last = session_gone_ || given_up_;
  }
  // Only this thread says that the agent is gone, perhaps in one of these calls.
  for (std::size_t i = 0; i < taken_.size() && !agent_gone_; ++i) {
    events.on_message(session, std::move(taken_[i]));
  }
  taken_.clear();
  if (taken_.capacity() > 1024) taken_ = {};  // a burst is over
  if (agent_gone_) return false;
  if (last) events.on_closed(session, error(errc::closed, error_layer::node));
  return !last;
}

result<void> local_channel::to_session(wire::to_session message, int segment) {
  ports::descriptor copy;
  if (segment >= 0) {
    BEAMLET_TRY(copy, ports::duplicate(segment));
  }
  std::lock_guard calling(calling_);
  if (deaf_) return error(errc::closed, error_layer::node);
  receiver_.on_message(std::move(message), std::move(copy));
  return {};
}

void local_channel::agent_leaves() {
  {
    std::lock_guard hold(lock_);
    agent_gone_ = true;
    queue_.clear();
  }
  std::lock_guard calling(calling_);
  if (!std::exchange(deaf_, true)) receiver_.on_lost(agent_lost_error());
}

void local_channel::session_leaves() {
  {
    std::lock_guard calling(calling_);
    deaf_ = true;
  }
  std::lock_guard hold(lock_);
  session_gone_ = true;
  if (!agent_gone_ && !waiting_.exchange(true, std::memory_order_relaxed)) port_.wake();
}

// The agent lets go of its end then, which is how the session hears of it.
void local_channel::session_gives_up() {
  std::lock_guard hold(lock_);
  given_up_ = true;
  if (!agent_gone_ && !waiting_.exchange(true, std::memory_order_relaxed)) port_.wake();
}

bool local_channel::session_gone() const {
  std::lock_guard hold(lock_);
  return session_gone_;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
