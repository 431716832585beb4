// SPDX-License-Identifier: Apache-2.0
#pragma once

// An agent on the simulated port, and sessions that say what a test has them say. They map what
// they are given, for real.

#include <beamlet/base/bytes.hpp>

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "node/agent.hpp"
#include "node/index_reader.hpp"
#include "ports/sim/sim_port.hpp"
#include "tests/unit/heap.hpp"
#include "wire/encoding.hpp"

namespace agent_test {

namespace node = beamlet::node;
namespace ports = beamlet::ports;
namespace store = beamlet::store;
namespace cluster = beamlet::cluster;
namespace wire = beamlet::wire;
using beamlet::errc;
using beamlet::error;
using beamlet::object_id;

inline constexpr std::uint64_t functions = 99;
inline constexpr std::uint64_t kib = 1024, mib = kib * kib;

/// Byte `k` of an object, so that every object differs from every other one.
inline std::byte byte_of(const object_id& id, std::uint64_t k) {
  return static_cast<std::byte>(id.guard * 31 + id.sequence * 17 + k * 7 + (k >> 8));
}

/// What counts inside a turn is the agent's code.
class counting_port final : public ports::sim_port {
 public:
  using ports::sim_port::sim_port;
  void start(ports::file_request& request) override {
    done_ = request.done;  // the agent has one for all
    request.done = [](ports::file_request& ended) {
      heap::counting inside(true);
      done_(ended);
    };
    sim_port::start(request);
  }

 private:
  static inline void (*done_)(ports::file_request&) = nullptr;
};

/// One session, as the agent sees it, and what it has heard.
struct client {
  std::uint32_t number = 0;
  std::uint64_t pool = 0;
  bool connected = true;  ///< for the agent; false: it closed the link
  bool reads = true;
  bool welcomed = false;
  bool agent_failed = false;        ///< while it was there
  error ended_with;                 ///< what a fatal refusal said
  std::uint64_t send_fails_at = 0;  ///< counts down with what is sent to it
  bool maps_own = true;             ///< answers its own segment with `mapped`
  bool unmaps = true;
  bool tries_to_write = false, could_write = false;  ///< what it is given to read
  std::map<std::uint32_t, ports::mapped_memory> maps;
  std::map<std::uint32_t, bool> writable;
  node::index_reader index;
  ports::mapped_memory scribbled;  ///< its pin page once more, where it is to be scribbled over
  bool scribbles = false;
  std::deque<wire::to_session> heard;
  std::deque<wire::to_agent> outbox;
  std::uint64_t minted = 0;

  object_id mint() {
    ++minted;
    return {.node = 7, .boot = 3, .session = number, .sequence = minted, .guard = 1000 + number};
  }
  std::span<std::byte> at(const wire::extent& where) {
    auto found = maps.find(where.segment);
    if (found == maps.end() || where.offset + where.size > found->second.bytes()) return {};
    return {found->second.data() + where.offset, static_cast<std::size_t>(where.size)};
  }
  void fill(const object_id& id, const wire::extent& where) {
    std::uint64_t k = 0;
    for (std::byte& b : at(where)) b = byte_of(id, k++);
  }
  bool reads_as(const object_id& id, const wire::extent& where) {
    std::span<std::byte> bytes = at(where);
    if (bytes.empty()) return false;
    for (std::uint64_t k = 0; k < bytes.size(); ++k)
      if (bytes[k] != byte_of(id, k)) return false;
    return true;
  }
  /// The first message of this kind, taken out.
  template <class Message>
  std::optional<Message> take() {
    for (auto it = heard.begin(); it != heard.end(); ++it)
      if (auto* found = std::get_if<Message>(&*it)) {
        Message message = std::move(*found);
        heard.erase(it);
        return message;
      }
    return std::nullopt;
  }

  void receive_index(const wire::new_segment& made, int segment) {
    const auto bytes = static_cast<std::size_t>(made.size);
    auto map = ports::map_shared_memory(segment, {.bytes = bytes, .writable = true, .file = false});
    if (made.segment == wire::index_segment) could_write = could_write || map.has_value();
    else if (scribbles && map.has_value()) scribbled = std::move(*map);
  }
  /// Reads an object that it holds without asking; an extent is pinned until unpin().
  std::optional<node::index_reader::found> read_silently(const object_id& id) {
    bool owed = false;
    auto found = index.find(id, owed);
    if (owed) outbox.push_back(wire::unpin{{id}});
    const auto* where = found ? std::get_if<wire::extent>(&found->what.body) : nullptr;
    if (where == nullptr || maps.contains(where->segment)) return found;
    unpin(id, found->slot);
    return std::nullopt;
  }
  void unpin(const object_id& id, std::uint32_t slot) {
    if (slot == 0 || index.unpin(slot)) outbox.push_back(wire::unpin{{id}});
  }

  void receive(wire::to_session message, int segment) {
    const auto* made = std::get_if<wire::new_segment>(&message);
    if (made != nullptr && node::index_reader::is_its(made->segment)) {
      index.take(*made, segment);
      receive_index(*made, segment);
      return;
    }
    if (made != nullptr) {
      const auto bytes = static_cast<std::size_t>(made->size);
      auto map = ports::map_shared_memory(segment, {.bytes = bytes, .writable = made->writable});
      if (!map.has_value())
        map = ports::map_shared_memory(segment,
                                       {.bytes = bytes, .writable = made->writable, .file = true});
      if (map.has_value()) maps[made->segment] = std::move(*map);
      for (bool file : {false, true})
        could_write = could_write || (tries_to_write && !made->writable &&
                                      ports::map_shared_memory(
                                          segment, {.bytes = bytes, .writable = true, .file = file})
                                          .has_value());
      writable[made->segment] = made->writable;
      if (made->writable && maps_own) outbox.push_back(wire::mapped{made->segment});
    } else if (const auto* gone = std::get_if<wire::segment_gone>(&message)) {
      if (!unmaps) return;
      maps.erase(gone->segment);
      outbox.push_back(wire::unmapped{gone->segment});
      return;
    }
    if (const auto* refused = std::get_if<wire::refused>(&message); refused && refused->fatal)
      ended_with = refused->why;
    welcomed = welcomed || std::holds_alternative<wire::welcome>(message);
    heard.push_back(std::move(message));
  }
};

class fake_link final : public node::session_link {
 public:
  explicit fake_link(std::shared_ptr<client> to) : to_(std::move(to)) {}
  ~fake_link() override { to_->connected = false; }
  beamlet::result<void> send(wire::to_session message, int segment) override {
    heap::counting outside(false);
    if (!to_->connected) return errc::closed;
    if (!to_->reads || (to_->send_fails_at != 0 && --to_->send_fails_at == 0))
      return errc::queue_full;
    to_->receive(std::move(message), segment);
    return {};
  }
  void close() override { to_->connected = false; }

 private:
  std::shared_ptr<client> to_;
};

inline node::agent_options small_options() {
  node::agent_options o;
  o.node = 7;
  o.boot = 3;
  o.store.memory_bytes = 4 * mib;
  o.store.shared_bytes = mib;
  o.store.segment_bytes = mib;
  o.store.spill_bytes = 64 * mib;
  o.store.spill_batch_bytes_min = 256 * kib;
  o.spill_folder = "/spill";
  return o;
}

class box final : public node::outer_world {
 public:
  explicit box(node::agent_options options = small_options(), std::uint64_t seed = 1) : port(seed) {
    begin(std::move(options));
  }
  ~box() { end(); }
  box(const box&) = delete;
  box& operator=(const box&) = delete;

  void end() {
    if (agent == nullptr) return;
    failed = agent->failed();
    for (auto& each : clients()) each->agent_failed = failed && each->connected && each->welcomed;
    heap::counting inside(true);
    agent->stop();
    while (agent->busy()) turn(UINT64_MAX);
    agent = nullptr;
  }
  void turn(std::uint64_t until_ns) {
    heap::counting outside(false);
    port.turn(until_ns);
  }

  /// Another agent on the same disk, with none of the sessions.
  static void restart(box& b, node::agent_options options) {
    b.end();
    b.clients_.clear();
    b.begin(std::move(options));
  }

  void start_worker(const node::worker_wish& wish) override {
    heap::counting outside(false);
    wishes.push_back(wish);
  }
  void kill_worker(std::uint32_t session) override {
    heap::counting outside(false);
    killed.push_back(session);
  }
  bool has_ended(const std::string& life) const override { return life == "dead"; }
  ports::memory_use memory() const override { return ++memory_looks, memory_now; }
  std::uint64_t memory_of(std::uint32_t) const override { return 5 * mib; }

  std::shared_ptr<client> connect(std::uint64_t pool = 0) {
    auto made = std::make_shared<client>();
    made->pool = pool;
    auto link = std::make_unique<fake_link>(made);
    heap::counting inside(true);
    if (agent != nullptr) made->number = agent->add_session(std::move(link), pool);
    return made;
  }
  /// One that has said hello and heard the welcome.
  std::shared_ptr<client> open(std::uint64_t pool = 0) {
    auto made = connect(pool);
    say(*made, hello(pool != 0));
    made->take<wire::welcome>();
    return made;
  }
  static wire::hello hello(bool worker = false) {
    wire::hello m;
    m.version = wire::format_version;
    m.functions_hash = functions;
    m.program = "test";
    m.worker = worker;
    return m;
  }

  void say(client& from, wire::to_agent message) {
    hear(from, std::move(message));
    settle();
  }
  void hear(client& from, wire::to_agent message) {
    heap::counting inside(true);
    if (from.connected) agent->on_message(from.number, std::move(message));
  }
  /// All that happens without more time than the disk takes.
  void settle() {
    for (;;) {
      if (agent == nullptr || agent->failed()) return end();
      advance();
      if (agent->failed()) return end();
      if (std::string wrong = agent->check(); complaint.empty() && !wrong.empty())
        complaint = wrong;
      bool sent = false;
      for (auto& each : clients()) {
        while (!each->outbox.empty()) {
          wire::to_agent message = std::move(each->outbox.front());
          each->outbox.pop_front();
          hear(*each, std::move(message));
          sent = true;
        }
      }
      if (sent) continue;
      if (!agent->busy()) return;
      turn(UINT64_MAX);
    }
  }
  void advance() {
    heap::counting inside(true);
    agent->advance();
  }
  void pass(std::uint64_t ns) {
    const std::uint64_t until = port.now_ns() + ns;
    while (agent != nullptr && port.now_ns() < until) {
      turn(std::min(until, std::max(agent->next_ns(), port.now_ns() + 1)));
      settle();
    }
  }
  void die(client& who, int signal = 9) {
    if (agent != nullptr) {
      heap::counting inside(true);
      agent->on_closed(who.number, errc::closed);
      agent->process_ended(who.number, signal, {});
      who.connected = false;
    }
    settle();
  }

  std::vector<std::shared_ptr<client>>& clients() { return clients_; }
  std::shared_ptr<client> join() {
    clients_.push_back(open());
    settle();
    return clients_.back();
  }

  /// Leases, writes and publishes an object of so many bytes; its place.
  wire::extent put(client& who, const object_id& id, std::uint64_t bytes) {
    say(who, wire::lease{.ticket = ++ticket, .size = bytes});
    auto leased = who.take<wire::leased>();
    if (!leased.has_value()) return {};
    wire::extent where = leased->where;
    who.fill(id, {where.segment, where.offset, bytes});
    say(who, wire::publish{id});
    say(who, wire::fulfil{
                 id, {.body = wire::extent{where.segment, where.offset, bytes}, .contained = {}}});
    say(who, wire::unlease{where});
    return {where.segment, where.offset, bytes};
  }
  /// What a require of one is answered with.
  std::optional<wire::object_here> get(client& who, const object_id& id) {
    say(who, wire::require{.ticket = ++ticket, .objects = {id}});
    auto here = who.take<wire::here>();
    if (!here.has_value() || here->objects.size() != 1) return std::nullopt;
    return here->objects.front();
  }

  counting_port port;
  std::vector<node::worker_wish> wishes;
  std::vector<std::uint32_t> killed;
  ports::memory_use memory_now{.used = 0, .limit = 100 * mib};
  mutable std::size_t memory_looks = 0;
  std::string complaint;
  std::uint64_t ticket = 0;
  bool failed = false;  ///< the agent ended because memory ran out
  std::unique_ptr<node::agent> agent;

 private:
  void begin(node::agent_options options) {
    heap::counting inside(true);
    failed = !beamlet::sched::try_allocate(
        [&] { agent = std::make_unique<node::agent>(port, *this, std::move(options)); });
  }

  std::vector<std::shared_ptr<client>> clients_;
};

}  // namespace agent_test
