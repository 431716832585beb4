// SPDX-License-Identifier: Apache-2.0
#include "node/socket_link.hpp"

#include <optional>
#include <span>
#include <utility>

#include "node/link_error.hpp"
#include "ports/threads.hpp"
#include "sched/no_throw.hpp"
#include "wire/encoding.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
constexpr int looks_before_sleep_max = 16;  // some 10 microseconds in all
constexpr int pauses_between_looks = 8;

error out_of_memory() { return error(errc::no_memory, error_layer::node); }
}  // namespace

// -- the agent's end

socket_session_link::~socket_session_link() {
  close();
  if (gone_ != nullptr) *gone_ = true;
}

result<void> socket_session_link::start(link_events& events, std::uint32_t session) {
  events_ = &events;
  session_ = session;
  BEAMLET_TRY(watch_, port_.watch_descriptor(socket_.number(), on_ready, this));
  writing_ = socket_.unsent_bytes() > 0;
  watch_->want(ports::ready_to_read | (writing_ ? ports::ready_to_write : 0U));
  return {};
}

result<void> socket_session_link::send(wire::to_session message, int segment) {
  if (closed_) return error(errc::closed, error_layer::node);
  BEAMLET_TRY(auto bytes, wire::encode(message));
  auto descriptors = std::span(&segment, segment >= 0 ? 1 : 0);
  auto sent = socket_.send(bytes, descriptors);
  bool unsent = socket_.unsent_bytes() > 0;
  if (watch_ && unsent != writing_) {
    writing_ = unsent;
    watch_->want(ports::ready_to_read | (unsent ? ports::ready_to_write : 0U));
  }
  return sent;
}

void socket_session_link::close() {
  closed_ = true;
  watch_.reset();  // before its descriptor
  ports::descriptor ended = socket_.release();
}

void socket_session_link::on_ready(void* user, unsigned events) {
  auto& self = *static_cast<socket_session_link*>(user);
  if ((events & ports::ready_to_write) != 0) {
    // Nothing may throw through libuv, and the agent looks after its own memory.
    if (!sched::try_allocate([&self] { self.flush(); })) return self.lose(out_of_memory());
  }
  if ((events & ports::ready_to_read) != 0) self.read();
}

void socket_session_link::flush() {
  // A peer that is gone is told by reading, after what it had sent.
  bool failed = !socket_.flush().has_value();
  if (!failed && socket_.unsent_bytes() > 0) return;
  writing_ = false;
  watch_->want(ports::ready_to_read);
}

void socket_session_link::read() {
  bool gone = false;
  gone_ = &gone;
  error why = read_frames(gone);
  if (gone) return;
  gone_ = nullptr;
  if (closed_ || why.code() == errc::ok) return;
  // A program of another version learns why, if it can read as much as this.
  if (why.code() == errc::unsupported)
    (void)sched::try_allocate(
        [&] { (void)send(wire::refused{.ticket = 0, .why = why, .fatal = true}, -1); });
  lose(why);
}

void socket_session_link::lose(const error& why) {
  close();
  events_->on_closed(session_, why);
}

// The first error; none when more may come, or the link was closed meanwhile.
error socket_session_link::read_frames(const bool& gone) {
  error why = out_of_memory();
  (void)sched::try_allocate([&] { why = read_all_frames(gone); });
  return why;
}

error socket_session_link::read_all_frames(const bool& gone) {
  BEAMLET_TRY_VOID(socket_.fill());
  while (!closed_) {
    BEAMLET_TRY(auto frame, socket_.next());
    if (!frame) break;
    if (!frame->descriptors.empty()) {
      return link_error(errc::malformed, "a session sent a descriptor");
    }
    BEAMLET_TRY(auto message, wire::decode_to_agent(frame->bytes));
    events_->on_message(session_, std::move(message));
    if (gone) break;
  }
  return {};
}

// -- the session's end

socket_agent_link::socket_agent_link(ports::local_socket socket, ports::doorbell bell,
                                     agent_messages& receiver)
    : looks_before_sleep_(ports::usable_cpus() > 1 ? looks_before_sleep_max : 0),
      socket_(std::move(socket)),
      bell_(std::move(bell)),
      receiver_(receiver) {}

result<std::unique_ptr<socket_agent_link>> socket_agent_link::make(ports::local_socket socket,
                                                                   agent_messages& receiver) {
  BEAMLET_TRY(auto bell, ports::doorbell::make());
  return std::unique_ptr<socket_agent_link>(
      new socket_agent_link(std::move(socket), std::move(bell), receiver));
}

result<void> socket_agent_link::attach(ports::port& port) {
  BEAMLET_TRY(watch_, port.watch_descriptor(socket_.number(), on_socket, this));
  auto bell_watch = port.watch_descriptor(bell_.number(), on_bell, this);
  if (!bell_watch.has_value()) {
    watch_.reset();
    return std::move(bell_watch).error();
  }
  bell_watch_ = *std::move(bell_watch);
  loop_thread_.store(ports::thread::current_id(), std::memory_order_relaxed);
  watch_->want(wanted());
  bell_watch_->want(ports::ready_to_read);
  bell_.ring();  // the first turn says whose loop it is
  return {};
}

void socket_agent_link::detach() {
  watch_.reset();
  bell_watch_.reset();
  loop_thread_.store(0, std::memory_order_relaxed);
}

result<void> socket_agent_link::send(wire::to_agent message) {
  BEAMLET_TRY(auto bytes, wire::encode(message));
  std::unique_lock hold(sending_);
  bool queued_before = socket_.unsent_bytes() > 0;
  auto sent = socket_.send(bytes);
  bool queued = socket_.unsent_bytes() > 0;
  hold.unlock();
  if (queued && !queued_before) bell_.ring();
  if (sent.has_value() || sent.error() != errc::closed) return sent;
  return agent_lost_error(sent.error());
}

unsigned socket_agent_link::wanted() {
  std::lock_guard hold(sending_);
  return ports::ready_to_read | (socket_.unsent_bytes() > 0 ? ports::ready_to_write : 0U);
}

bool socket_agent_link::read_by_this_thread() const {
  std::uint64_t loop = loop_thread_.load(std::memory_order_relaxed);
  return loop == 0 || loop == ports::thread::current_id();
}

bool socket_agent_link::pump(std::uint64_t timeout_ns) {
  {
    std::lock_guard hold(reading_);
    if (lost_) return false;
  }
  // An answer comes about as fast as this thread could go to sleep and be woken.
  for (int i = 0; timeout_ns > 0 && i < looks_before_sleep_; ++i) {
    if (read()) return true;
    for (int pause = 0; pause < pauses_between_looks; ++pause) ports::pause();
  }
  ports::waited seen = ports::wait_ready(socket_.number(), wanted(), bell_, timeout_ns);
  if (seen.rung) bell_.clear();
  return serve(seen.events);
}

bool socket_agent_link::serve(unsigned events) {
  if ((events & ports::ready_to_write) != 0) {
    std::lock_guard hold(sending_);
    // An agent that is gone is told by reading, after what it had sent.
    if (!sched::try_allocate([this] { (void)socket_.flush(); })) socket_.shut_down();
  }
  return (events & ports::ready_to_read) != 0 && read();
}

void socket_agent_link::on_socket(void* user, unsigned events) {
  auto& self = *static_cast<socket_agent_link*>(user);
  self.loop_thread_.store(ports::thread::current_id(), std::memory_order_relaxed);
  self.serve(events);
  std::lock_guard hold(self.reading_);
  self.watch_->want(self.lost_ ? 0 : self.wanted());
}

void socket_agent_link::on_bell(void* user, unsigned) {
  auto& self = *static_cast<socket_agent_link*>(user);
  self.loop_thread_.store(ports::thread::current_id(), std::memory_order_relaxed);
  self.bell_.clear();
  std::lock_guard hold(self.reading_);
  self.watch_->want(self.lost_ ? 0 : self.wanted());
}

bool socket_agent_link::read() {
  std::lock_guard hold(reading_);
  if (lost_) return false;
  bool any = false;
  error why = out_of_memory();
  (void)sched::try_allocate([&] { why = read_frames(any); });
  if (why.code() == errc::ok) return any;
  lost_ = true;
  receiver_.on_lost(agent_lost_error(why));
  return true;
}

error socket_agent_link::read_frames(bool& any) {
  BEAMLET_TRY_VOID(socket_.fill());
  for (;;) {
    BEAMLET_TRY(auto frame, socket_.next());
    if (!frame) return {};
    BEAMLET_TRY(auto message, wire::decode_to_session(frame->bytes));
    std::size_t expected = std::holds_alternative<wire::new_segment>(message) ? 1 : 0;
    if (frame->descriptors.size() != expected) {
      return link_error(errc::malformed, "a message with too many or too few descriptors");
    }
    any = true;
    receiver_.on_message(std::move(message),
                         expected == 0 ? ports::descriptor() : std::move(frame->descriptors[0]));
  }
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
