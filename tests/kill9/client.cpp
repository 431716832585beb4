// SPDX-License-Identifier: Apache-2.0
#include "tests/kill9/client.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "node/agent_thread.hpp"
#include "node/socket_link.hpp"
#include "ports/descriptor.hpp"
#include "ports/local_socket.hpp"
#include "ports/shared_memory.hpp"
#include "tests/kill9/board.hpp"
#include "tests/kill9/objects.hpp"

namespace kill9 {
namespace {
constexpr char client_word[] = "--client-of-kill9";
constexpr int board_descriptor = 4;
constexpr int complains = 7;                                   // exit status
constexpr std::size_t kept_bytes_max = std::size_t{12} << 20;  // four times that is over memory
constexpr std::uint64_t garbage_connections = 100;

class client {
 public:
  client(board& all, const client_options& options)
      : options_(options), all_(all), me_(all.seats.at(options.seat)), work_(options.seed) {}

  [[noreturn]] void live() {
    if (options_.what == conduct::sends_garbage) send_garbage();
    open();
    if (options_.what == conduct::asks_too_much) ask_too_much();
    if (options_.what == conduct::never_seals) take_memory();
    if (options_.what == conduct::leaks_pins) take_pins();
    if (options_.what == conduct::forks && fork() == 0) stay_connected();
    for (;;) {
      if (options_.what != conduct::never_seals) make_one();
      if (options_.what != conduct::leaks_pins) read_one();
      drop_some();
      me_.rounds.fetch_add(1);
    }
  }

  [[noreturn]] void complain(const char* doing, const error& why) {
    std::string text = std::string(doing) + ": " + why.describe();
    text.resize(std::min(text.size(), me_.complaint.size() - 1));
    std::memcpy(me_.complaint.data(), text.data(), text.size());
    _exit(complains);
  }

 private:
  void enter(phase next) { me_.now.store(next); }

  // More programs than the agent has accepted may wait in its queue.
  void open() {
    auto link = node::connect_to_box(options_.path, work_.session);
    while (!link.has_value() && link.error().code() == errc::busy)
      link = node::connect_to_box(options_.path, work_.session);
    if (!link.has_value()) complain("connect", link.error());
    auto opened = work_.open(*std::move(link));
    if (!opened.has_value()) complain("open", opened.error());
  }

  void make_one() {
    enter(phase::create);
    object_id id = work_.session.mint();
    auto block = work_.create(id);
    if (!block.has_value()) complain("create", block.error());
    enter(phase::write);
    // Several times over: until it is sealed nobody else may write there, nor give it away.
    for (int pass = 0; pass < 4; ++pass) {
      std::memset(block->data, pass, block->size);
      fill(block->data, id);
      if (auto text = compare(id, block->data, size_of(id)); !text.empty())
        complain("write", wrong(text));
    }
    enter(phase::seal);
    auto sealed = work_.seal(id, *block);
    if (!sealed.has_value()) complain("seal", sealed.error());
    kept_.push_back(id);
    kept_bytes_ += size_of(id);
    if (options_.what == conduct::scribbles) std::memset(block->data, 0x5a, block->size);
    else me_.latest.show(id);
  }

  // One of its own, of the test's, or of another client.
  void read_one() {
    enter(phase::get);
    std::size_t choice = work_.below(4);
    if (choice < 2 && !kept_.empty() && options_.what != conduct::scribbles) {
      auto got = work_.get(kept_[work_.below(kept_.size())]);
      if (!got.has_value()) complain("get", got.error());
      return;
    }
    auto id = choice == 2 ? all_.steady[work_.below(all_.steady.size())].look()
                          : all_.seats[work_.below(all_.seats.size())].latest.look();
    if (!id) return;
    auto got = work_.get_if_there(*id);
    if (!got.has_value()) complain("get of another's", got.error());
    if (choice == 2 && !*got) complain("get of the test's", errc::not_found);
  }

  void drop_some() {
    enter(phase::let_go);
    while (kept_bytes_ > kept_bytes_max) {
      std::swap(kept_[work_.below(kept_.size())], kept_.back());
      kept_bytes_ -= size_of(kept_.back());
      work_.session.let_go(kept_.back());
      kept_.pop_back();
    }
  }

  void ask_too_much() {
    auto block = work_.session.allocate(std::uint64_t{1} << 40, wait_ns);
    if (block.has_value()) complain("a TiB was given", errc::unknown);
    if (block.error().code() != errc::too_large) complain("a TiB", block.error());
  }

  void take_memory() {
    for (;;) {
      auto block = work_.session.allocate(1 + work_.below(std::size_t{1} << 20), wait_ns);
      if (block.has_value()) continue;
      if (block.error().code() == errc::exhausted) return;
      complain("a quota of leases", block.error());
    }
  }

  void take_pins() {
    for (;;) {
      object_id id = work_.session.mint();
      auto block = work_.create(id);
      if (!block.has_value()) complain("create", block.error());
      fill(block->data, id);
      auto sealed = work_.seal(id, *block);
      if (!sealed.has_value()) complain("seal", sealed.error());
      auto pinned = work_.session.fetch({&id, 1}, 0, wait_ns);
      work_.session.let_go(id);
      if (pinned.has_value()) continue;
      if (pinned.error().code() == errc::exhausted) return;
      complain("a quota of pins", pinned.error());
    }
  }

  // Until the agent closes its end.
  [[noreturn]] static void stay_connected() {
    std::vector<pollfd> all;
    for (int number = 3; number < 64; ++number)
      if (fcntl(number, F_GETFD) >= 0) all.push_back({.fd = number, .events = 0, .revents = 0});
    while (poll(all.data(), all.size(), -1) <= 0) {}
    _exit(0);
  }

  // Frames that are no messages, and bytes that are no frames.
  void send_garbage() {
    while (me_.rounds < garbage_connections) {
      auto socket = ports::local_socket::connect(options_.path, node::link_limits);
      if (!socket.has_value() && socket.error().code() == errc::busy) continue;
      if (!socket.has_value()) complain("connect", socket.error());
      std::vector<std::byte> bytes(1 + work_.below(4096));
      for (std::byte& each : bytes) each = static_cast<std::byte>(work_.random());
      if (work_.below(2) == 0) (void)socket->send(bytes);
      else (void)!write(socket->number(), bytes.data(), bytes.size());
      me_.rounds.fetch_add(1);
    }
  }

  const client_options& options_;
  board& all_;
  board::seat& me_;
  worker work_;
  std::vector<object_id> kept_;
  std::size_t kept_bytes_ = 0;
};
}  // namespace

result<ports::process> start_client(const client_options& options) {
  ports::spawn_options how;
  how.arguments = {"kill9",
                   client_word,
                   std::to_string(static_cast<int>(options.what)),
                   options.path,
                   std::to_string(options.seat),
                   std::to_string(options.seed)};
  how.descriptors = {{.number = options.board, .as = board_descriptor}};
  return ports::process::spawn(how);
}

bool is_client(int argc, char** argv) {
  return argc == 6 && std::string_view(argv[1]) == client_word;
}

void run_client(char** argv) {
  client_options options{.what = static_cast<conduct>(std::stoi(argv[2])),
                         .path = argv[3],
                         .board = board_descriptor,
                         .seat = std::stoul(argv[4]),
                         .seed = std::stoull(argv[5])};
  auto map = ports::map_shared_memory(options.board,
                                      {.bytes = sizeof(board), .writable = true, .file = false});
  if (!map.has_value()) _exit(complains);
  client(*reinterpret_cast<board*>(map->data()), options).live();
}

}  // namespace kill9
