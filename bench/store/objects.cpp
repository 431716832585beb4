// SPDX-License-Identifier: Apache-2.0
// The rows of "Objects": sessions of a real agent, each beside its yardstick in the same run.
// Everything goes through Unix sockets, as between programs. Prints medians of rounds in which both
// sides take turns.

#include <beamlet/beamlet.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "bench/store/client.hpp"
#include "ports/processes.hpp"

namespace {

using namespace beamlet;
using namespace store_bench;

constexpr std::size_t pins = 1000;

void nothing() {}
int last_byte(const buffer& b) { return std::to_integer<int>(b.bytes().back()); }
BEAMLET_REMOTE(nothing);
BEAMLET_REMOTE(last_byte);

struct unit {
  double factor;
  const char* name;
};
constexpr unit micro{1e6, "us"}, milli{1e3, "ms"};

/// Both sides in turn; each returns the seconds of one operation.
void compare(const char* row, const char* yardstick, unit in, const char* bounds,
             const std::function<double()>& ours, const std::function<double()>& theirs,
             int rounds = 15) {
  std::vector<double> a, b, ratio;
  for (int i = 0; i < rounds; ++i) {
    b.push_back(theirs());
    a.push_back(ours());
    ratio.push_back(a.back() / b.back());
  }
  std::printf("| %-44s | %-28s | %9.2f | %9.2f | %s | %5.2f x | %s |\n", row, yardstick,
              median(a) * in.factor, median(b) * in.factor, in.name, median(ratio), bounds);
  std::fflush(stdout);
}

/// A process that answers each message of 64 bytes with one, by a Unix socket.
class echo {
 public:
  echo() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::exit(1);
    child_ = fork();
    if (child_ == 0) {
      close(ends[0]);
      char message[64];
      while (read(ends[1], message, sizeof message) == sizeof message)
        if (write(ends[1], message, sizeof message) != sizeof message) break;
      _exit(0);
    }
    close(ends[1]);
    socket_ = ends[0];
  }
  ~echo() {
    close(socket_);
    waitpid(child_, nullptr, 0);
  }
  double trip() {
    constexpr int trips = 2000;
    char message[64] = {};
    return seconds([&] {
             for (int i = 0; i < trips; ++i)
               if (write(socket_, message, sizeof message) != sizeof message ||
                   read(socket_, message, sizeof message) != sizeof message)
                 std::exit(1);
           }) /
           trips;
  }

 private:
  int socket_ = -1;
  pid_t child_ = -1;
};

/// What the row on SIGKILL kills, and its yardstick: as much memory, and with a path 1000 pins.
int wait_to_be_killed(const char* path) {
  std::vector<std::byte> ballast(std::size_t{64} << 20, std::byte{1}), value(4096);
  std::optional<client> one;
  std::vector<object_id> ids;
  std::vector<node::arrived> held;
  if (path != nullptr) {
    one.emplace(path);
    for (std::size_t i = 0; i < pins; ++i) ids.push_back(one->put(value.size(), value.data()));
    held = one->fetch(ids);
  }
  std::printf("%zu\n", held.size() + (ballast.empty() ? 1 : 0));
  std::fflush(stdout);
  for (;;) pause();
}

template <class Ask>
auto ask(node::agent_thread& agent, Ask what) {
  std::promise<decltype(what(std::declval<node::agent&>()))> seen;
  must(agent.post([&](node::agent& a) { seen.set_value(what(a)); }), "post");
  return seen.get_future().get();
}
node::agent::status look(node::agent_thread& agent) {
  return ask(agent, [](node::agent& a) { return a.look(); });
}
std::uint64_t heard_by(node::agent_thread& agent) {
  return ask(agent, [](node::agent& a) { return a.heard(); });
}

/// Seconds from SIGKILL until `gone(child)` returns.
template <class Gone>
double killed(std::vector<std::string> arguments, Gone gone) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::exit(1);
  ports::spawn_options how;
  how.path = arguments.front();
  how.arguments = std::move(arguments);
  how.descriptors = {{.number = ends[1], .as = 1}};
  auto child = must(ports::process::spawn(how), "spawn");
  close(ends[1]);
  char said[16];
  if (read(ends[0], said, sizeof said) <= 0) std::exit(1);
  close(ends[0]);
  return seconds([&] {
    child.kill();
    gone(child);
  });
}

void kill_row(node::agent_thread& agent, const std::string& path, char* program) {
  std::uint64_t leaked = 0;
  const store::usage before = look(agent).store;
  compare(
      "reclaim after SIGKILL, 1000 pins, 64 MiB", "the kernel's end of as large a one", milli,
      "<= 5 ms | <= 10 ms",
      [&] {
        store::usage after;
        const double taken = killed({program, "--pins", path}, [&](auto&) {
          do after = look(agent).store;
          while (after.pinned != before.pinned || after.objects != before.objects ||
                 after.quarantined != 0);
        });
        leaked += after.published - before.published + after.leased - before.leased;
        return taken;
      },
      [&] {
        return killed({program, "--pins"}, [](ports::process& child) { child.wait(); });
      });
  std::printf("| bytes leaked by all of these | - | %llu | | | | 0 | 0 |\n",
              static_cast<unsigned long long>(leaked));
}

void rows(const std::string& folder, char* program) {
  node::agent_thread_options options;
  options.agent.node = 1;
  options.agent.cpus = 2;
  options.agent.store.memory_bytes = std::uint64_t{3} << 30;
  auto agent = must(node::agent_thread::start(options), "agent");
  must(agent->listen(folder, "box"), "listen");
  const std::string path = folder + "/box";
  client writer(path), reader(path);
  echo socket;
  auto trip = [&] { return socket.trip(); };
  std::vector<std::byte> page(4096, std::byte{3});

  compare(
      "create + seal 4 KiB", "Unix socket round trip", micro, "<= 1.5 | <= 2.5",
      [&] {
        constexpr int objects = 1000;
        return seconds([&] {
                 object_id last;
                 for (int i = 0; i < objects; ++i) {
                   last = writer.put(page.size(), page.data());
                   if (i + 1 < objects) writer.session.let_go(last);
                 }
                 for (auto& one : writer.fetch({&last, 1})) silent::drop(one);
                 writer.session.let_go(last);
               }) /
               objects;
      },
      trip);

  // Another program's session: what it asks for was put by the writer.
  object_id shared = writer.put(page.size(), page.data());
  for (auto& one : writer.fetch({&shared, 1})) silent::drop(one);  // the agent knows it now
  reader.session.retain(shared);
  for (auto& one : reader.fetch({&shared, 1})) silent::drop(one);
  reader.session.flush();
  const std::uint64_t heard = heard_by(*agent);
  compare(
      "get of another program's object, warm", "Unix socket round trip", micro, "<= 1 us | <= 1.5",
      [&] {
        constexpr int gets = 1000;
        return seconds([&] {
                 for (int i = 0; i < gets; ++i)
                   for (auto& one : reader.fetch({&shared, 1})) silent::drop(one);
               }) /
               gets;
      },
      trip);
  std::printf("| messages to the agent in all of these gets | - | %llu | | | | 0 | |\n",
              static_cast<unsigned long long>(heard_by(*agent) - heard));

  constexpr std::size_t large = std::size_t{64} << 20;
  std::vector<std::byte> source(large, std::byte{5}), target(large);
  compare(
      "put 64 MiB, warm store", "memcpy", milli, "<= 1.05 | <= 1.25",
      [&] {
        return seconds([&] {
          object_id id = writer.put(large, source.data());
          for (auto& one : writer.fetch({&id, 1})) silent::drop(one);
          writer.session.let_go(id);
        });
      },
      [&] { return seconds([&] { std::memcpy(target.data(), source.data(), large); }); });

  kill_row(*agent, path, program);
}

/// The time is that of writing it, where the store adds nothing: neither side copies.
void built_row(const runtime& rt) {
  constexpr std::size_t large = std::size_t{64} << 20;
  std::vector<std::byte> target(large);
  task_options apart{.isolation = isolation::process};
  compare(
      "put 64 MiB built in the store, task reads it", "memset", milli, "- | -",
      [&] {
        return seconds([&] {
          auto made = must(buffer_builder::make(large, rt.memory()), "builder");
          std::memset(made.data(), 5, large);
          auto object = rt.put(std::move(made).freeze());
          must(rt.get(rt.task(last_byte).options(apart).remote(object)), "task");
        });
      },
      [&] { return seconds([&] { std::memset(target.data(), 5, large); }); });
}

void task_row() {
  echo socket;
  auto rt = must(runtime::start({.workers = 2}), "runtime");
  task_options apart{.isolation = isolation::process};
  must(rt.get(rt.task(nothing).options(apart).remote()), "task");
  compare(
      "empty task in a worker process, round trip", "Unix socket round trip", micro, "<= 2 | <= 3",
      [&] {
        constexpr int calls = 500;
        return seconds([&] {
                 for (int i = 0; i < calls; ++i)
                   must(rt.get(rt.task(nothing).options(apart).remote()), "task");
               }) /
               calls;
      },
      [&] { return socket.trip(); });
  built_row(rt);
}

}  // namespace

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  if (argc >= 2 && std::strcmp(argv[1], "--pins") == 0) return wait_to_be_killed(argv[2]);
  std::printf("| work | yardstick, same run | ours | theirs | unit | ratio | goal | floor |\n");
  task_row();
  char folder[] = "/tmp/beamlet-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  rows(folder, argv[0]);
  std::filesystem::remove_all(folder);
}
