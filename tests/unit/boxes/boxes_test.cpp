// SPDX-License-Identifier: Apache-2.0
// Several programs, and several runtimes, on one named box.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/box.hpp"
#include "node/box_status.hpp"
#include "tests/unit/boxes/fellow.hpp"
#include "tests/unit/ports/scratch_folder.hpp"
#include "tests/unit/process_end.hpp"

namespace box_tests {

using namespace beamlet;
using namespace std::chrono_literals;
using boxes::fellow;
using boxes::who_serves;

int endless_on_box(int) {
  for (;;) pause();
}
std::vector<int> doubled(const std::vector<int>& all) {
  std::vector<int> made;
  for (int each : all) made.push_back(2 * each);
  return made;
}
std::int64_t size_on_box(const tensor& t) { return static_cast<std::int64_t>(t.elements()); }
int endless_after_note(std::string file) {
  std::FILE* note = std::fopen(file.c_str(), "w");
  if (note == nullptr) return 1;
  std::fprintf(note, "%d", static_cast<int>(getpid()));
  std::fclose(note);
  std::filesystem::rename(file, file + ".done");
  for (;;) pause();
}
std::string folder_on_box(int) { return std::filesystem::current_path().string(); }
int end_by_signal_on_box(int number) {
  raise(number);
  return 0;
}
int timed_on_box(int) { return static_cast<int>(getpid()); }
BEAMLET_REMOTE(folder_on_box);
BEAMLET_REMOTE(end_by_signal_on_box);
BEAMLET_REMOTE(timed_on_box);
BEAMLET_REMOTE(endless_on_box);
BEAMLET_REMOTE(endless_after_note);
BEAMLET_REMOTE(size_on_box);
BEAMLET_REMOTE(doubled);

struct tally {
  explicit tally(int first) : all(first) {}
  int add(int by) { return all += by; }
  std::vector<ref<int>> keep(ref<int> one) {
    kept.push_back(one);
    return kept;
  }
  int all;
  std::vector<ref<int>> kept;
};
BEAMLET_REMOTE(beamlet::constructor<tally(int)>);
BEAMLET_REMOTE(&tally::add);
BEAMLET_REMOTE(&tally::keep);

constexpr std::uint64_t fellow_bytes = boxes::fellow_elements * sizeof(float);
const task_options apart{.isolation = isolation::process};

// Its agent ends with its last session, so that no test leaves one behind.
runtime attach(const std::string& box) {
  auto rt = runtime::start({.workers = 2, .box = box, .box_idle = {}});
  if (!rt.has_value()) FAIL(rt.error().describe());
  return *std::move(rt);
}
int agent_of(runtime& rt) { return std::stoi(who_serves(rt)); }
bool is_listed(const std::string& box) {
  auto all = node::boxes_in(node::box_folder());
  return std::find(all.begin(), all.end(), box) != all.end();
}
std::string text_of(const std::string& file) {
  std::ostringstream all;
  all << std::ifstream(file).rdbuf();
  return all.str();
}
std::string own_file() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

TEST_CASE("runtimes that name one box share its agent, which is a process of its own") {
  runtime one = attach("shared"), two = attach("shared"), other = attach("apart");
  int agent = agent_of(one);
  CHECK(agent != getpid());
  CHECK(agent == agent_of(two));
  CHECK(agent != agent_of(other));
  CHECK(getsid(agent) == agent);  // no terminal of ours reaches it
}

TEST_CASE("large values go to worker processes of a box and come back") {
  runtime rt = attach("large");
  std::vector<int> all(std::size_t{1} << 18, 21);
  auto made = rt.get(rt.task(doubled).options(apart).remote(rt.put(all)));
  REQUIRE(made.has_value());
  CHECK(*made == std::vector<int>(all.size(), 42));
}

TEST_CASE("a program that builds or keeps too much is refused more, and hinders no other one") {
  auto start = [] {
    auto rt = runtime::start({.workers = 1,
                              .object_store_memory = std::uint64_t{32} << 20,
                              .box = "quota",
                              .box_idle = {}});
    REQUIRE(rt.has_value());
    return *std::move(rt);
  };
  runtime greedy = start(), modest = start();
  constexpr std::int64_t elements = 1 << 20;  // 4 MiB
  auto build = [&](runtime& rt) { return tensor_builder<float>::make({elements}, rt.memory()); };
  std::vector<tensor_builder<float>> built;
  error refused;
  while (built.size() < 8 && refused.code() == errc::ok) {
    auto one = build(greedy);
    if (one.has_value()) built.push_back(*std::move(one));
    else refused = one.error();
  }
  CHECK(refused == errc::exhausted);
  CHECK(refused.message().find("session_lease_bytes") != std::string_view::npos);
  CHECK(built.size() >= 2);
  for (int i = 0; i < 2; ++i) CHECK(build(modest).has_value());
  built.clear();
  CHECK(build(greedy).has_value());
}

TEST_CASE("an actor's name is known to all programs of its box") {
  runtime one = attach("names"), two = attach("names"), other = attach("apart");
  actor_options named{.name = "tally", .isolation = isolation::process};
  auto made = one.actor<tally>().options(named).remote(10);
  auto found = two.get_actor<tally>("tally");
  REQUIRE(found.has_value());
  CHECK(two.get(found->call(&tally::add, 1)).value() == 11);
  CHECK(one.get(made.call(&tally::add, 1)).value() == 12);
  CHECK(other.get_actor<tally>("tally").error().code() == errc::not_found);

  auto refused = two.actor<tally>().options(named).remote(1);
  CHECK(two.get(refused.call(&tally::add, 1)).error().code() == errc::already_exists);
  named.get_if_exists = true;
  auto same = two.actor<tally>().options(named).remote(1);
  CHECK(two.get(same.call(&tally::add, 1)).value() == 13);
}

TEST_CASE("refs go from program to program through an actor that both know") {
  runtime one = attach("refs"), two = attach("refs");
  auto shelf =
      one.actor<tally>().options({.name = "shelf", .isolation = isolation::process}).remote(0);
  auto kept = one.get(shelf.call(&tally::keep, one.put(42)));
  REQUIRE(kept.has_value());
  auto there = two.get_actor<tally>("shelf");
  REQUIRE(there.has_value());
  auto both = two.get(there->call(&tally::keep, two.put(43)));
  REQUIRE(both.has_value());
  REQUIRE(both->size() == 2);
  CHECK(two.get(both->at(0)).value() == 42);
  CHECK(two.get(both->at(1)).value() == 43);
}

TEST_CASE("a detached actor outlives its program, another one ends with it") {
  runtime stays = attach("lives");
  {
    runtime leaves = attach("lives");
    for (const char* name : {"stays", "goes"}) {
      actor_options options{.name = name, .isolation = isolation::process};
      if (*name == 's') options.lifetime = lifetime::detached;
      auto made = leaves.actor<tally>().options(options).remote(1);
      CHECK(leaves.get(made.call(&tally::add, 1)).value() == 2);
    }
  }
  auto found = stays.get_actor<tally>("stays");
  REQUIRE(found.has_value());
  CHECK(stays.get(found->call(&tally::add, 1)).value() == 3);
  while (stays.get_actor<tally>("goes").has_value()) std::this_thread::yield();
  stays.kill(*found);
  while (stays.get_actor<tally>("stays").has_value()) std::this_thread::yield();
}

TEST_CASE("programs that start one box at the same time end at one agent") {
  std::vector<std::unique_ptr<fellow>> all;
  for (int i = 0; i < 8; ++i) all.push_back(std::make_unique<fellow>("race"));
  std::vector<std::string> lines;
  for (auto& each : all) lines.push_back(each->line());
  for (const std::string& line : lines) {
    CHECK(line.ends_with(" " + own_file()));
    CHECK(line == lines.front());
  }
  for (auto& each : all) CHECK(each->leave() == 0);
}

TEST_CASE("a program that dies takes what it alone holds, and nothing else") {
  auto large_ones = [](const wire::status& all) {
    return std::count_if(all.listed.begin(), all.listed.end(),
                         [](const auto& each) { return each.size >= fellow_bytes; });
  };
  auto look = [] {
    auto all = node::ask_status(node::box_folder(), "lasting", 100, 10'000'000'000);
    REQUIRE(all.has_value());
    return *std::move(all);
  };
  runtime rt = attach("lasting");
  int agent = agent_of(rt);
  auto own = boxes::put_on_box(rt);
  fellow other("lasting");
  CHECK(std::stoi(other.line()) == agent);
  CHECK(large_ones(look()) == 2);
  other.kill();
  while (look().programs != 1) {}
  CHECK(large_ones(look()) == 1);
  auto task = rt.task(size_on_box).options(apart).remote(own);
  CHECK(*rt.get(task) == boxes::fellow_elements);
  CHECK(agent_of(rt) == agent);
}

TEST_CASE("who comes while the agent ends gets another one") {
  for (int i = 0; i < 20; ++i) CHECK(agent_of(*std::make_unique<runtime>(attach("ending"))) > 0);
}

TEST_CASE("each program's tasks run in worker processes of its own file") {
  runtime rt = attach("two_files");
  std::string other_file = std::filesystem::path(own_file()).parent_path() / "box_other_program";
  fellow other("two_files", other_file);
  std::string agent = std::to_string(agent_of(rt));
  CHECK(who_serves(rt) == agent + " " + own_file());
  CHECK(other.line() == agent + " " + other_file);
}

TEST_CASE("another build with the same functions has worker processes of its own") {
  runtime rt = attach("two_builds");
  std::string agent = std::to_string(agent_of(rt)), copy = node::box_folder() + "/build";
  REQUIRE(std::filesystem::copy_file(own_file(), copy));
  {
    fellow other("two_builds", copy);
    CHECK(other.line() == agent + " " + copy);
    CHECK(who_serves(rt) == agent + " " + own_file());
  }
  std::filesystem::remove(copy);
}

TEST_CASE("when the agent dies its sessions are told, and the next runtime starts another") {
  runtime rt = attach("killed");
  int agent = agent_of(rt);
  auto running = rt.task(endless_on_box).options(apart).remote(1);
  REQUIRE(kill(agent, SIGKILL) == 0);
  CHECK(rt.get(running).error().code() == errc::agent_lost);
  auto later = rt.task(endless_on_box).options(apart).remote(1);
  CHECK(rt.get(later).error().code() == errc::agent_lost);
  CHECK(*rt.get(rt.task([] { return 3; }).remote()) == 3);
  runtime fresh = attach("killed");
  CHECK(agent_of(fresh) != agent);
}

TEST_CASE("a worker process ends with its agent, whatever it runs") {
  runtime rt = attach("orphans");
  int agent = agent_of(rt);
  std::string file = node::box_folder() + "/.note";
  auto running = rt.task(endless_after_note).options(apart).remote(file);
  while (!std::filesystem::exists(file + ".done")) std::this_thread::yield();
  int worker = 0;
  std::FILE* note = std::fopen((file + ".done").c_str(), "r");
  REQUIRE(note != nullptr);
  CHECK(std::fscanf(note, "%d", &worker) == 1);
  std::fclose(note);
  REQUIRE(kill(agent, SIGKILL) == 0);
  CHECK(rt.get(running).error().code() == errc::agent_lost);
  CHECK(ends(worker));
}

TEST_CASE("an agent ends when nobody has been attached for its time, and leaves no name") {
  int agent = 0;
  {
    runtime rt = attach("idle");
    agent = agent_of(rt);
    CHECK(is_listed("idle"));
  }
  CHECK(ends(agent));
  CHECK_FALSE(is_listed("idle"));
}

TEST_CASE("an agent that is asked to end does, and tells its sessions") {
  runtime rt = attach("asked");
  int agent = agent_of(rt);
  auto running = rt.task(endless_on_box).options(apart).remote(1);
  REQUIRE(kill(agent, SIGTERM) == 0);
  CHECK_FALSE(rt.get(running).has_value());
  CHECK(ends(agent));
}

TEST_CASE("an agent that a program started says in its log what came and went") {
  const std::string file = node::box_log_path(node::box_folder(), "logged");
  int agent = 0;
  {
    runtime rt = attach("logged");
    agent = agent_of(rt);
    auto died = rt.get(rt.task(end_by_signal_on_box).options(apart).remote(SIGKILL));
    CHECK(died.error().code() == errc::worker_died);
    auto all = node::ask_status(node::box_folder(), "logged", 1, 10'000'000'000);
    REQUIRE(all.has_value());
    CHECK(all->log == file);
  }
  CHECK(ends(agent));
  const std::string text = text_of(file);
  CAPTURE(text);
  for (const std::string& part :
       {"agent of the box 'logged' begins: process " + std::to_string(agent),
        "program 'unit_boxes', process " + std::to_string(getpid()) + ": begins",
        std::string("was ended by signal 9 (SIGKILL)"), std::string("the agent has ended\n")}) {
    CAPTURE(part);
    CHECK(text.find(part) != text.npos);
  }
  runtime again = attach("logged");
  agent_of(again);
  CHECK(text_of(file).starts_with(text));  // it goes on in the same file
}

TEST_CASE("an agent is in no program's folder, and worker processes are in their program's") {
  const auto before = std::filesystem::current_path();
  scratch_folder other;
  const std::string there = std::filesystem::canonical(other.path()).string();
  auto folder_of_worker = [](runtime& rt) {
    auto found = rt.get(rt.task(folder_on_box).options(apart).remote(0));
    return found.has_value() ? *found : found.error().describe();
  };
  std::filesystem::current_path(there);
  runtime first = attach("folders");
  std::filesystem::current_path(before);
  runtime second = attach("folders");
  CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(agent_of(first)) + "/cwd") == "/");
  CHECK(folder_of_worker(first) == there);
  CHECK(folder_of_worker(second) == before.string());
}

TEST_CASE("a program in a folder that was removed can use a box") {
  const auto before = std::filesystem::current_path();
  const std::string there = node::box_folder() + "/removed";
  std::filesystem::create_directory(there);
  std::filesystem::current_path(there);
  std::filesystem::remove(there);
  runtime rt = attach("homeless");
  std::filesystem::current_path(before);
  CHECK(*rt.get(rt.task(folder_on_box).options(apart).remote(0)) == "/");
}

TEST_CASE("a timeline has this program's calls on its box, and no other program's") {
  auto start_timed = [](const std::string& box) {
    auto rt = runtime::start({.workers = 1, .timeline_events = 1000, .box = box, .box_idle = {}});
    REQUIRE(rt.has_value());
    return *std::move(rt);
  };
  runtime one = start_timed("timed"), two = start_timed("timed");
  const int worker = *one.get(one.task(timed_on_box).options(apart).remote(0));
  CHECK(*two.get(two.task(folder_on_box).options(apart).remote(0)) != "");
  scratch_folder folder;
  const std::string file = folder.path() + "/timeline.json";
  auto has_call = [&](runtime& rt, const char* name) {
    CHECK(rt.write_timeline(file).has_value());
    std::string text = text_of(file);
    for (std::size_t at = 0; (at = text.find(name, at)) != text.npos; ++at) {
      auto line = text.rfind('\n', at);
      if (text.compare(line + 1, 9, "{\"ph\":\"X\"") == 0) return true;
    }
    return false;
  };
  CHECK(has_call(one, "timed_on_box"));
  CHECK(text_of(file).find("\"pid\":" + std::to_string(worker) + ",") != std::string::npos);
  CHECK_FALSE(has_call(one, "folder_on_box"));
  CHECK(has_call(two, "folder_on_box"));
  CHECK_FALSE(has_call(two, "timed_on_box"));
}

TEST_CASE("what a dead agent left at the name is replaced") {
  std::string folder = node::box_folder(), path = folder + "/stale";
  int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  close(dead);
  runtime rt = attach("stale");
  CHECK(agent_of(rt) > 0);
}

TEST_CASE("names that no box can have are refused") {
  for (const char* name : {".", "..", ".hidden", "a/b", "a b", "box.lock", "box.log", "box.log.1",
                           "\xc3\xa4", "a\n"}) {
    CAPTURE(name);
    auto refused = runtime::start({.box = name});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == errc::invalid_argument);
    CHECK(refused.error().describe().find("letters, digits") != std::string::npos);
  }
  CHECK(node::check_box_name(std::string(node::box_name_bytes_max, 'a')).has_value());
  CHECK_FALSE(node::check_box_name(std::string(node::box_name_bytes_max + 1, 'a')).has_value());
}

TEST_CASE(
    "a program that cannot be started again is told how to, whether the box is there or not") {
  runtime rt = attach("somebody_there");
  for (const char* box : {"nobody_there", "somebody_there"}) {
    fellow refused(box, {}, "--fellow-without-entry");
    const std::string line = refused.line();
    CAPTURE(line);
    CHECK(line.find("options.box needs") != std::string::npos);
    CHECK(line.find("beamlet::run_child(argc, argv)") != std::string::npos);
    CHECK(refused.leave() == 2);
  }
}

TEST_CASE("a folder that others may write to is refused") {
  std::string folder = node::box_folder() + "/open", before = node::box_folder();
  REQUIRE(mkdir(folder.c_str(), 0700) == 0);
  REQUIRE(chmod(folder.c_str(), 0777) == 0);
  setenv("BEAMLET_RUNTIME_DIR", folder.c_str(), 1);
  auto refused = runtime::start({.box = "any"});
  setenv("BEAMLET_RUNTIME_DIR", before.c_str(), 1);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == errc::permission);
}

}  // namespace box_tests
