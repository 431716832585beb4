// SPDX-License-Identifier: Apache-2.0
#include "node/reading_link.hpp"

#include <atomic>
#include <mutex>
#include <new>
#include <utility>

#include "beamlet/base/time.hpp"
#include "node/socket_link.hpp"
#include "ports/uv/uv_port.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

// What the link and its thread share.
class reading_link::reader final : public agent_messages {
 public:
  explicit reader(agent_messages& receiver) : receiver_(receiver) {}

  result<void> connect(ports::local_socket socket) {
    BEAMLET_TRY(link_, socket_agent_link::make(std::move(socket), *this));
    BEAMLET_TRY(port_, ports::make_uv_port());
    return link_->attach(*port_);
  }
  socket_agent_link& link() { return *link_; }

  void run() {
    thread_id_.store(ports::thread::current_id(), std::memory_order_relaxed);
    port_->turn(0);  // from now on the link knows whose thread reads
    running_.store(1, std::memory_order_release);
    ports::wake_all(running_);
    while (!ends_.load(std::memory_order_acquire)) port_->turn(base::never_ns);
    std::lock_guard hold(waking_);
    link_.reset();
    port_->close();
    closed_ = true;
  }
  void wait_until_running() {
    while (running_.load(std::memory_order_acquire) == 0)
      ports::wait_on(running_, 0, ports::forever);
  }
  bool is_this_thread() const {
    return thread_id_.load(std::memory_order_relaxed) == ports::thread::current_id();
  }
  void end() {
    {
      std::lock_guard calling(calling_);
      deaf_ = true;
    }
    std::lock_guard hold(waking_);
    ends_.store(true, std::memory_order_release);
    if (!closed_) port_->wake();
  }

  void on_message(wire::to_session message, ports::descriptor segment) override {
    std::lock_guard calling(calling_);
    if (!deaf_) receiver_.on_message(std::move(message), std::move(segment));
  }
  void on_lost(const error& why) override {
    std::lock_guard calling(calling_);
    if (!deaf_) receiver_.on_lost(why);
  }

 private:
  agent_messages& receiver_;
  std::unique_ptr<ports::port> port_;
  std::unique_ptr<socket_agent_link> link_;
  std::atomic<std::uint64_t> thread_id_{0};
  std::atomic<std::uint32_t> running_{0};
  std::atomic<bool> ends_{false};
  std::mutex waking_;  // the port lives as long as it is held
  bool closed_ = false;
  // Held in a call of the receiver, so that it can be destroyed after the link is; taken again by a
  // receiver that lets go of the link in such a call.
  std::recursive_mutex calling_;
  bool deaf_ = false;
};

reading_link::reading_link(std::shared_ptr<reader> reader)
    : reader_(std::move(reader)), generation_(ports::fork_generation()) {}

result<std::unique_ptr<agent_link>> reading_link::make(ports::local_socket socket,
                                                       agent_messages& receiver) {
  auto shared = std::make_shared<reader>(receiver);
  BEAMLET_TRY_VOID(shared->connect(std::move(socket)));
  std::unique_ptr<reading_link> made(new reading_link(shared));
  auto own = std::make_unique<std::shared_ptr<reader>>(std::move(shared));
  auto body = [](void* user) {
    std::unique_ptr<std::shared_ptr<reader>> kept(static_cast<std::shared_ptr<reader>*>(user));
    (*kept)->run();
  };
  BEAMLET_TRY(made->thread_, ports::thread::start({.name = "beamlet-box"}, body, own.get()));
  (void)own.release();
  made->reader_->wait_until_running();
  return std::unique_ptr<agent_link>(std::move(made));
}

reading_link::~reading_link() {
  if (generation_ != ports::fork_generation()) {
    // A fork has no such thread, and shares what the port polls with: it stays as it is.
    (void)new (std::nothrow) std::shared_ptr<reader>(std::move(reader_));
    return;
  }
  if (!thread_.joinable()) return;
  reader_->end();
  if (reader_->is_this_thread()) thread_.detach();
  else thread_.join();
}

result<void> reading_link::send(wire::to_agent message) {
  return reader_->link().send(std::move(message));
}

void reading_link::give_up() { reader_->link().give_up(); }

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
