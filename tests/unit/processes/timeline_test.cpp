// SPDX-License-Identifier: Apache-2.0
// What ran in worker processes, in the program's timeline and in its counts.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/json_reader.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace isolated_timeline {

using namespace beamlet;

int process_of_timeline() { return static_cast<int>(getpid()); }
int local_in_worker(int a) { return a; }
int with_local_tasks(int count) {
  runtime_handle rt = this_task::runtime();
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += *rt.get(rt.task(local_in_worker).remote(1));
  return sum;
}
int innermost(int) { return static_cast<int>(getpid()); }
int with_process_below(int a) {
  runtime_handle rt = this_task::runtime();
  auto below = rt.get(rt.task(innermost).options({.isolation = isolation::process}).remote(a));
  return below.has_value() ? *below : -1;
}
result<int> fail_if_odd(int a) {
  if (a % 2 != 0) return error(errc::invalid_argument, error_layer::user, {"odd", "", "", ""});
  return a;
}
int end_by_signal(int number) {
  raise(number);
  return 0;
}
BEAMLET_REMOTE(process_of_timeline);
BEAMLET_REMOTE(local_in_worker);
BEAMLET_REMOTE(with_local_tasks);
BEAMLET_REMOTE(innermost);
BEAMLET_REMOTE(with_process_below);
BEAMLET_REMOTE(fail_if_odd);
BEAMLET_REMOTE(end_by_signal);

struct timed_actor {
  explicit timed_actor(int first) : all(first) {}
  int add(int by) { return all += by; }
  int all;
};
BEAMLET_REMOTE(beamlet::constructor<timed_actor(int)>);
BEAMLET_REMOTE(&timed_actor::add);

const task_options apart{.isolation = isolation::process};

runtime start(std::size_t events = 1000) {
  auto rt = runtime::start({.workers = 2, .timeline_events = events, .worker_processes_max = 2});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

/// The lines of a timeline, one per event.
std::vector<std::string> events_of(const runtime& rt) {
  scratch_folder folder;
  const std::string file = folder.path() + "/timeline.json";
  auto written = rt.write_timeline(file);
  if (!written.has_value()) FAIL(written.error().describe());
  std::ostringstream all;
  all << std::ifstream(file).rdbuf();
  std::string text = all.str();
  CHECK_MESSAGE(json_reader(text).whole(), text);
  std::vector<std::string> events;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("{\"ph\"")) events.push_back(line);
  return events;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
/// Bars of a function in a process.
std::size_t bars(const std::vector<std::string>& events, int process, const std::string& name) {
  std::size_t count = 0;
  for (const std::string& each : events)
    count += has(each, "\"ph\":\"X\"") && has(each, "\"pid\":" + std::to_string(process) + ",") &&
             has(each, name);
  return count;
}
bool is_named(const std::vector<std::string>& events, int process, const std::string& name) {
  for (const std::string& each : events)
    if (has(each, "\"ph\":\"M\"") && has(each, "\"pid\":" + std::to_string(process) + ",") &&
        has(each, name))
      return true;
  return false;
}
const function_stats* find(const runtime_stats& all, const std::string& name) {
  for (const function_stats& each : all.functions)
    if (has(each.name, name)) return &each;
  return nullptr;
}

TEST_CASE("a timeline has the worker processes beside the program") {
  runtime rt = start();
  const int worker = *rt.get(rt.task(process_of_timeline).options(apart).remote());
  CHECK(*rt.get(rt.task(local_in_worker).remote(1)) == 1);
  CHECK(*rt.get(rt.task(with_local_tasks).options(apart).remote(5)) == 5);
  auto events = events_of(rt);
  CHECK(is_named(events, getpid(), "program"));
  CHECK(is_named(events, worker, "worker process"));
  CHECK(bars(events, worker, "process_of_timeline") == 1);
  CHECK(bars(events, getpid(), "process_of_timeline") == 0);
  CHECK(bars(events, getpid(), "local_in_worker") == 1);
  std::set<std::string> kinds;
  for (const std::string& each : events)
    if (has(each, "process_of_timeline")) kinds.insert(each.substr(7, 1));
  CHECK(kinds == std::set<std::string>{"X", "b", "e"});  // the bar there, the call from here
}

TEST_CASE("a timeline has the tasks that a call made in its worker process") {
  runtime rt = start();
  CHECK(*rt.get(rt.task(with_local_tasks).options(apart).remote(20)) == 20);
  std::size_t bars_there = 0;
  auto events = events_of(rt);
  for (const std::string& each : events)
    bars_there += has(each, "\"ph\":\"X\"") && has(each, "local_in_worker") &&
                  !has(each, "\"pid\":" + std::to_string(getpid()) + ",");
  CHECK(bars_there == 20);
}

TEST_CASE("a timeline has what a worker process had another one do") {
  runtime rt = start();
  const int inner = *rt.get(rt.task(with_process_below).options(apart).remote(1));
  REQUIRE(inner > 0);
  CHECK(bars(events_of(rt), inner, "innermost") == 1);
}

TEST_CASE("a worker process that has ended stays in the timeline") {
  runtime rt = start();
  task_options once = apart;
  once.max_calls = 1;
  const int first = *rt.get(rt.task(process_of_timeline).options(once).remote());
  const int second = *rt.get(rt.task(process_of_timeline).options(once).remote());
  CHECK(first != second);
  auto events = events_of(rt);
  CHECK(bars(events, first, "process_of_timeline") == 1);
  CHECK(bars(events, second, "process_of_timeline") == 1);
}

TEST_CASE("a worker process that is killed takes with it what ran in its last call only") {
  runtime rt = start();
  task_options named = apart;
  named.runtime_env.env_vars = {{"BEAMLET_TEST_TIMELINE", "killed"}};
  const int worker = *rt.get(rt.task(process_of_timeline).options(named).remote());
  CHECK(rt.get(rt.task(end_by_signal).options(named).remote(SIGKILL)).error().code() ==
        errc::worker_died);
  auto events = events_of(rt);
  CHECK(bars(events, worker, "process_of_timeline") == 1);
  CHECK(bars(events, worker, "end_by_signal") == 0);
}

TEST_CASE("the calls of an actor in a worker process are in the timeline") {
  runtime rt = start();
  auto a = rt.actor<timed_actor>().options({.isolation = isolation::process}).remote(1);
  for (int i = 0; i < 10; ++i) a.send(&timed_actor::add, 1);
  CHECK(*rt.get(a.call(&timed_actor::add, 1)) == 12);
  std::size_t calls = 0;
  for (const std::string& each : events_of(rt))
    calls += has(each, "\"ph\":\"X\"") && has(each, "add");
  CHECK(calls == 11);
}

TEST_CASE("a timeline that is written after the end has all of it") {
  runtime rt = start();
  std::vector<ref<int>> all;
  for (int i = 0; i < 100; ++i) all.push_back(rt.task(local_in_worker).options(apart).remote(i));
  CHECK(rt.stop({.drain = true}).has_value());
  std::size_t there = 0;
  for (const std::string& each : events_of(rt))
    there += has(each, "\"ph\":\"X\"") && has(each, "local_in_worker");
  CHECK(there == 100);
}

TEST_CASE("a timeline keeps the newest events of worker processes, and no more than was said") {
  runtime rt = start(8);
  CHECK(*rt.get(rt.task(with_local_tasks).options(apart).remote(100)) == 100);
  std::size_t elsewhere = 0;
  for (const std::string& each : events_of(rt))
    elsewhere +=
        has(each, "\"ph\":\"X\"") && !has(each, "\"pid\":" + std::to_string(getpid()) + ",");
  CHECK(elsewhere <= 8);
  CHECK(elsewhere >= 1);
}

TEST_CASE("stats count calls in worker processes as they count others") {
  for (std::size_t timeline_events : {std::size_t{0}, std::size_t{1000}}) {
    CAPTURE(timeline_events);
    runtime rt = start(timeline_events);
    for (int i = 0; i < 10; ++i)
      CHECK(rt.get(rt.task(fail_if_odd).options(apart).remote(i)).has_value() == (i % 2 == 0));
    CHECK(*rt.get(rt.task(with_local_tasks).options(apart).remote(3)) == 3);
    auto a = rt.actor<timed_actor>().options({.isolation = isolation::process}).remote(1);
    for (int i = 0; i < 5; ++i) CHECK(rt.get(a.call(&timed_actor::add, 1)).has_value());
    runtime_stats all = rt.stats();
    const function_stats* tasks = find(all, "fail_if_odd");
    REQUIRE(tasks != nullptr);
    CHECK(tasks->calls == 10);
    CHECK(tasks->errors == 5);
    CHECK(tasks->samples >= 1);
    const function_stats* calls = find(all, "timed_actor::add");
    REQUIRE(calls != nullptr);
    CHECK(calls->calls == 5);
    CHECK(calls->errors == 0);
    REQUIRE(find(all, "with_local_tasks") != nullptr);
    while (find(all, "with_local_tasks")->mean_us == 0)
      all = rt.stats();                              // it comes a little later
    CHECK(find(all, "local_in_worker") == nullptr);  // no call from here
  }
}

}  // namespace isolated_timeline
