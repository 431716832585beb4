// SPDX-License-Identifier: Apache-2.0
#include "node/agent_thread.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "node/child.hpp"
#include "ports/doorbell.hpp"
#include "tests/unit/node/ends.hpp"
#include "tests/unit/ports/running.hpp"
#include "tests/unit/ports/scratch_folder.hpp"
#include "wire/encoding.hpp"

namespace agent_thread_test {

// Worker processes are child_test.cpp's `child_program`.
using namespace beamlet;
using node::agent_thread;

// A session without books: it says what a test says, and waits for what it expects.
struct plain_session final : node::agent_messages {
  std::unique_ptr<node::agent_link> link;
  wire::welcome known;
  std::uint64_t minted = 0;

  ~plain_session() { link.reset(); }
  void on_message(wire::to_session message, ports::descriptor) override {
    std::lock_guard hold(lock);
    messages.push_back(std::move(message));
    came.notify_all();
  }
  void on_lost(const error& why) override {
    std::lock_guard hold(lock);
    lost = why;
    came.notify_all();
  }

  // The first message of the kind that `fits`, also one that came before.
  template <class Message, class Fits>
  Message expect(Fits fits) {
    std::optional<Message> found;
    wait([&] {
      for (const auto& each : messages) {
        auto* message = std::get_if<Message>(&each);
        if (message != nullptr && fits(*message)) found = *message;
      }
      return found.has_value();
    });
    REQUIRE(found.has_value());
    return *std::move(found);
  }
  template <class Message>
  Message expect() {
    return expect<Message>([](const Message&) { return true; });
  }
  error expect_lost() {
    wait([this] { return lost.code() != errc::ok; });
    return lost;
  }

  void open(std::unique_ptr<node::agent_link> by) {
    link = std::move(by);
    say(wire::hello{.version = 1, .functions_hash = 1, .program = "test", .has_entry = true});
    known = expect<wire::welcome>();
  }
  void say(wire::to_agent message) { REQUIRE(link->send(std::move(message)).has_value()); }
  object_id mint() {
    return {.node = known.node,
            .boot = known.boot,
            .session = known.session,
            .sequence = ++minted,
            .guard = minted};
  }
  // What a worker process made of the call; the text of its inline value.
  result<std::string> call_in_worker(const std::string& function) {
    wire::call call;
    call.task = mint();
    call.results = {mint()};
    call.function = function;
    call.options.where = wire::isolation::process;
    call.options.environment = {"BEAMLET_TEST_CHILD=worker"};
    object_id wanted = call.results[0];
    say(wire::submit{std::move(call)});
    auto sealed = expect<wire::sealed>([&](const auto& m) { return m.id == wanted; });
    if (sealed.why.code() != errc::ok) return sealed.why;
    say(wire::require{.ticket = minted, .objects = {wanted}});
    auto here = expect<wire::here>([&](const auto& m) { return m.ticket == minted; });
    const auto& bytes = std::get<wire::bytes>(here.objects.at(0).what.body);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

 private:
  // Whoever has to pump does. A session that is lost has nothing to wait for.
  template <class Condition>
  void wait(Condition met) {
    std::unique_lock hold(lock);
    while (!met() && lost.code() == errc::ok) {
      if (link && link->read_by_this_thread()) {
        hold.unlock();
        link->pump(ports::forever);
        hold.lock();
      } else {
        came.wait(hold);
      }
    }
  }

  std::mutex lock;
  std::condition_variable came;
  std::vector<wire::to_session> messages;
  error lost;
};

std::unique_ptr<agent_thread> start_agent(base::time_ns worker_end_ns = 60'000'000'000) {
  node::agent_thread_options options;
  options.agent.node = 1;
  options.agent.cpus = 2;
  options.worker_end_ns = worker_end_ns;
  auto made = agent_thread::start(std::move(options));
  REQUIRE(made.has_value());
  return *std::move(made);
}

void open_local(plain_session& session, agent_thread& agent) {
  auto link = agent.connect(session);
  REQUIRE(link.has_value());
  session.open(*std::move(link));
}

std::size_t open_descriptors() {
  std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

TEST_CASE("an agent's thread welcomes a session of its process, and another one by its name") {
  scratch_folder folder;
  auto agent = start_agent();
  plain_session local, other;
  open_local(local, *agent);
  REQUIRE(agent->listen(folder.path() + "/box", "agent").has_value());
  auto link = node::connect_to_box(folder.path() + "/box/agent", other);
  REQUIRE(link.has_value());
  other.open(*std::move(link));
  CHECK(local.known.node == 1);
  CHECK(other.known.session != local.known.session);
  agent->stop();
  CHECK(local.expect_lost() == errc::agent_lost);
  CHECK(other.expect_lost() == errc::agent_lost);
  auto refused = node::connect_to_box(folder.path() + "/box/agent", other);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == errc::connection_refused);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("an agent's thread that runs out of memory ends, its sessions know why") {
  scratch_folder folder;
  auto agent = start_agent();
  plain_session local, other;
  open_local(local, *agent);
  REQUIRE(local.call_in_worker("who").has_value());
  REQUIRE(agent->listen(folder.path() + "/box", "agent").has_value());
  auto link = node::connect_to_box(folder.path() + "/box/agent", other);
  REQUIRE(link.has_value());
  other.open(*std::move(link));
  REQUIRE(agent->post([](node::agent&) { throw std::bad_alloc(); }).has_value());
  for (plain_session* each : {&local, &other}) {
    CHECK(each->expect_lost() == errc::agent_lost);
    auto said = each->expect<wire::refused>();
    CHECK(said.fatal);
    CHECK(said.why.message() == "the agent ran out of memory");
  }
  CHECK(agent->post([](node::agent&) {}).error() == errc::agent_lost);
  CHECK_FALSE(has_children());
  agent->stop();
}
#endif

TEST_CASE("a program whose messages have another format is told both versions") {
  scratch_folder folder;
  auto agent = start_agent();
  REQUIRE(agent->listen(folder.path() + "/box", "agent").has_value());
  auto socket = node::connect_socket_to_box(folder.path() + "/box/agent");
  REQUIRE(socket.has_value());
  auto hello = wire::encode(wire::hello{});
  REQUIRE(hello.has_value());
  hello->at(3) = std::byte{2};
  REQUIRE(socket->send(*hello).has_value());
  auto bell = ports::doorbell::make();
  REQUIRE(bell.has_value());
  std::optional<wire::refused> refused;
  while (!refused) {
    ports::wait_ready(socket->number(), ports::ready_to_read, *bell, ports::forever);
    REQUIRE(socket->fill().has_value());
    auto frame = socket->next();
    REQUIRE(frame.has_value());
    if (!*frame) continue;
    auto message = wire::decode_to_session((*frame)->bytes);
    REQUIRE(message.has_value());
    refused = std::get<wire::refused>(*message);
  }
  CHECK(refused->fatal);
  CHECK(refused->why.code() == errc::unsupported);
  CHECK(refused->why.message().find("format 2") != std::string_view::npos);
  CHECK(refused->why.message().find("knows 1") != std::string_view::npos);
}

TEST_CASE("a call runs in a worker process, which the next one finds still there") {
  auto agent = start_agent();
  plain_session session;
  open_local(session, *agent);
  auto first = session.call_in_worker("who"), second = session.call_in_worker("who");
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(*first == *second);
  CHECK(*first != std::to_string(getpid()));
}

TEST_CASE("the death of a worker process is told with its signal, and the agent goes on") {
  auto agent = start_agent();
  plain_session session;
  open_local(session, *agent);
  auto died = session.call_in_worker("die");
  REQUIRE_FALSE(died.has_value());
  CHECK(died.error() == errc::worker_died);
  CHECK(died.error().describe().find("SIGKILL") != std::string::npos);
  CHECK(session.call_in_worker("who").has_value());
}

TEST_CASE("an agent that was stopped leaves no process and no descriptor") {
  start_agent();  // what the first one opens for good is open
  std::size_t before = open_descriptors();
  {
    plain_session session;
    auto agent = start_agent();
    open_local(session, *agent);
    CHECK(session.call_in_worker("who").has_value());
    CHECK(has_children());
    agent->stop();
    CHECK_FALSE(has_children());
    agent->stop();  // nothing
    auto refused = agent->connect(session);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error() == errc::stopped);
    auto not_run = agent->post([](node::agent&) { FAIL("has ended"); });
    CHECK_FALSE(not_run.has_value());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a worker process that does not end when it is asked to is killed") {
  plain_session session;
  auto agent = start_agent(1);
  open_local(session, *agent);
  auto pid = session.call_in_worker("who");
  REQUIRE(pid.has_value());
  REQUIRE(kill(static_cast<pid_t>(std::stol(*pid)), SIGSTOP) == 0);
  agent->stop();
  CHECK_FALSE(has_children());
}

// Runs `what` on the agent's thread, in a later turn than all that came before.
void on_agent(agent_thread& agent, const std::function<void(node::agent&)>& what) {
  std::atomic<std::uint32_t> answered{0};
  auto posted = agent.post([&](node::agent& on) {
    what(on);
    answered = 1;
    ports::wake_all(answered);
  });
  REQUIRE(posted.has_value());
  while (answered.load() == 0) ports::wait_on(answered, 0, ports::forever);
}

TEST_CASE("a program that is not let in is forgotten while it lives, with its descriptors") {
  scratch_folder folder;
  auto agent = start_agent();
  REQUIRE(agent->listen(folder.path() + "/box", "agent").has_value());
  auto be_refused = [&] {
    {
      plain_session stranger;
      auto link = node::connect_to_box(folder.path() + "/box/agent", stranger);
      REQUIRE(link.has_value());
      stranger.link = *std::move(link);
      stranger.say(wire::hello{.version = 200, .functions_hash = 1, .program = "test"});
      CHECK(stranger.expect<wire::refused>().why == errc::unsupported);
    }
    for (std::size_t left = 1; left != 0;)
      on_agent(*agent, [&](node::agent& on) { left = on.sessions(); });
    on_agent(*agent, [](node::agent&) {});
  };
  be_refused();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) be_refused();
  CHECK(open_descriptors() == before);
}

TEST_CASE("a session that leaves is forgotten, and the agent's books stay right") {
  auto agent = start_agent();
  {
    plain_session session;
    open_local(session, *agent);
    session.say(wire::publish{session.mint()});
    session.say(wire::bye{});
  }
  for (std::size_t left = 1; left != 0;)
    on_agent(*agent, [&](node::agent& on) {
      left = on.sessions();
      CHECK(on.check() == "");
    });
}

TEST_CASE("sessions come and go on four threads") {
  auto agent = start_agent();
  auto live = [&] {
    for (int i = 0; i < 20; ++i) {
      plain_session session;
      open_local(session, *agent);
      object_id id = session.mint();
      session.say(wire::publish{id});
      session.say(wire::fulfil{.id = id, .made = {.body = wire::bytes(100), .contained = {}}});
      session.say(wire::require{.ticket = 5, .objects = {id}});
      CHECK(session.expect<wire::here>().objects.size() == 1);
    }
  };
  running a(live), b(live), c(live), d(live);
}

}  // namespace agent_thread_test
