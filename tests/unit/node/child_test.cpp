// SPDX-License-Identifier: Apache-2.0
#include "node/child.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/node/ends.hpp"
#include "tests/unit/ports/uv_worlds.hpp"

namespace child_test {

// -- what this program does as somebody's child: never a test

using namespace beamlet;
using node::child_role;
using node::spawn_child;
using ports::forever;

constexpr int connection_failed = 99;

// What a test asks for by the variable BEAMLET_TEST_CHILD.
struct child_program final : node::agent_messages {
  std::string_view wanted;
  std::unique_ptr<node::socket_agent_link> link;
  std::unique_ptr<node::child_process> grandchild;

  void answer(std::uint64_t number) { (void)link->send(wire::abandon{.ticket = number}); }

  void begin() {
    if (wanted == "entry") {
      auto refused = spawn_child(child_role::worker, "grandchild", {});
      answer(refused.has_value() ? 0 : static_cast<std::uint64_t>(refused.error().code()));
    } else if (wanted == "descriptors") {
      std::uint64_t inherited = 0;
      for (int number = 3; number < 64; ++number) {
        int flags = fcntl(number, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++inherited;
      }
      answer(inherited);
    } else if (wanted == "starter") {
      node::mark_child_entry();
      ports::spawn_options options;
      options.environment = {"BEAMLET_TEST_CHILD=waiter"};
      auto made = spawn_child(child_role::worker, "grandchild", options);
      if (!made.has_value()) _exit(1);
      grandchild = std::make_unique<node::child_process>(*std::move(made));
      answer(grandchild->process.id());
    } else {
      answer(static_cast<std::uint64_t>(getpid()));
    }
  }
  void take_memory(std::size_t bytes) {
    auto* memory = static_cast<volatile char*>(std::malloc(bytes));
    if (memory != nullptr) memory[bytes / 2] = 1;
    answer(memory != nullptr);
    std::free(const_cast<char*>(memory));
  }
  void on_message(wire::to_session message, ports::descriptor) override {
    if (auto* pressure = std::get_if<wire::pressure>(&message)) take_memory(pressure->size);
    if (std::holds_alternative<wire::drain>(message)) _exit(5);
    if (auto* execute = std::get_if<wire::execute>(&message)) run(execute->what);
  }
  // A worker as agents know it: what the call's function says.
  void run(const wire::call& call) {
    if (call.function == "die") std::raise(SIGKILL);
    if (call.function == "stop") std::raise(SIGSTOP);
    std::string text = std::to_string(getpid());
    auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    wire::done done{.task = call.task, .attempt = call.attempt, .results = {}};
    for (std::size_t i = 0; i < call.results.size(); ++i) {
      done.results.push_back({.body = wire::bytes(bytes, bytes + text.size()), .contained = {}});
    }
    (void)link->send(std::move(done));
  }
  void on_lost(const error&) override { _exit(0); }

  [[noreturn]] void live() {
    auto made = node::connect_child(*this);
    if (!made.has_value()) _exit(connection_failed);
    link = *std::move(made);
    const char* variable = std::getenv("BEAMLET_TEST_CHILD");
    wanted = variable == nullptr ? "" : variable;
    if (wanted == "worker") {
      wire::hello hello{.version = 1, .functions_hash = 1, .program = "worker", .worker = true};
      (void)link->send(hello);
    } else {
      begin();
    }
    for (;;) link->pump(forever);
  }
};

// Before main, which is doctest's: as a main that begins with run_child.
[[gnu::constructor]] void become_child(int argc, char** argv) {
  if (node::child_role_of(argc, argv)) child_program().live();
  node::mark_child_entry();
}

// -- tests

struct started_child {
  std::unique_ptr<ports::port> port = uv_worlds::make();
  ends::agent_side told;
  node::child_process child;
  node::socket_session_link link;

  explicit started_child(const std::string& wanted, ports::spawn_options options = {})
      : child(start(wanted, std::move(options))), link(*port, std::move(child.socket)) {
    REQUIRE(link.start(told, 1).has_value());
  }
  static node::child_process start(const std::string& wanted, ports::spawn_options options) {
    options.environment.push_back("BEAMLET_TEST_CHILD=" + wanted);
    auto made = spawn_child(child_role::worker, "child", std::move(options));
    REQUIRE(made.has_value());
    return *std::move(made);
  }
  std::uint64_t answer(std::size_t which = 0) {
    while (told.messages.size() <= which && told.closed.empty()) port->turn(forever);
    REQUIRE(told.messages.size() > which);
    return ends::number_of(told.messages[which].second);
  }
};

TEST_CASE("the arguments of main say whether an agent started the program") {
  auto role_of = [](std::vector<std::string> arguments) {
    std::vector<char*> list;
    for (auto& each : arguments) list.push_back(each.data());
    int count = static_cast<int>(list.size());
    list.push_back(nullptr);
    return node::child_role_of(count, list.data());
  };
  CHECK(role_of({"program", "--beamlet-child=worker"}) == child_role::worker);
  CHECK_FALSE(role_of({"program"}));
  CHECK_FALSE(role_of({}));
  CHECK_FALSE(role_of({"program", "--beamlet-child=king"}));
  CHECK_FALSE(role_of({"program", "input", "--beamlet-child=worker"}));
}

TEST_CASE("a child speaks to who started it, and ends when that lets go of it") {
  started_child other("waiter");
  CHECK(other.answer() == other.child.process.id());
  SUBCASE("by its own way") {
    REQUIRE(other.link.send(wire::drain{}, -1).has_value());
    CHECK(other.child.process.wait().status == 5);
  }
  SUBCASE("at the end of the connection") {
    other.link.close();
    CHECK(other.child.process.wait().succeeded());
  }
}

TEST_CASE("the end of a killed child's connection is told, and its signal is known") {
  started_child other("waiter");
  other.answer();
  other.child.process.kill();
  while (other.told.closed.empty()) other.port->turn(forever);
  CHECK(other.told.closed[0] == errc::closed);
  CHECK(other.child.process.wait().signal == SIGKILL);
}

TEST_CASE("a child ends when the process that started it was killed") {
  started_child starter("starter");
  auto id = static_cast<pid_t>(starter.answer());
  ports::descriptor grandchild(static_cast<int>(syscall(SYS_pidfd_open, id, 0)));
  REQUIRE(grandchild);
  starter.child.process.kill();
  CHECK(starter.child.process.wait().signal == SIGKILL);
  pollfd ended{.fd = grandchild.number(), .events = POLLIN, .revents = 0};
  CHECK(poll(&ended, 1, -1) == 1);
}

TEST_CASE("a program whose main does not look for a role is not started again") {
  started_child other("entry");
  CHECK(static_cast<errc>(other.answer()) == errc::unsupported);
}

TEST_CASE("what a child starts does not get its connection") {
  started_child other("descriptors");
  CHECK(other.answer() == 0);
}

TEST_CASE("a child is refused memory past its limit" *
          doctest::skip(BEAMLET_ADDRESS_SANITIZER || BEAMLET_THREAD_SANITIZER)) {
  ports::spawn_options options;
  options.memory_bytes_max = std::size_t{256} << 20;
  started_child other("waiter", options);
  REQUIRE(other.link.send(wire::pressure{.size = std::size_t{1} << 20}, -1).has_value());
  REQUIRE(other.link.send(wire::pressure{.size = std::size_t{1} << 30}, -1).has_value());
  CHECK(other.answer(1) == 1);
  CHECK(other.answer(2) == 0);
}

TEST_CASE("a program that somebody else started with an agent's arguments does not connect") {
  ports::spawn_options options;
  options.arguments = {"program", "--beamlet-child=worker"};
  SUBCASE("without a descriptor") {}
  SUBCASE("with a descriptor that is no socket") { options.descriptors = {{.number = 2, .as = 3}}; }
  auto made = ports::process::spawn(options);
  REQUIRE(made.has_value());
  CHECK(made->wait().status == connection_failed);
}

}  // namespace child_test
