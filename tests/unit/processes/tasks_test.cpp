// SPDX-License-Identifier: Apache-2.0
// Tasks with isolation = process: values, refs, errors, crashes.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "../ports/scratch_folder.hpp"

namespace isolated_tasks {

using namespace beamlet;
using namespace std::chrono_literals;

int process_number() { return static_cast<int>(getpid()); }
int add(int a, int b) { return a + b; }
BEAMLET_REMOTE(process_number);
BEAMLET_REMOTE(add);

std::vector<int> counted(int from, std::size_t size) {
  std::vector<int> all(size);
  std::iota(all.begin(), all.end(), from);
  return all;
}
long long sum(const std::vector<int>& all) { return std::accumulate(all.begin(), all.end(), 0LL); }
BEAMLET_REMOTE(counted);
BEAMLET_REMOTE(sum);

int sum_of_ref(ref<int> a) { return *this_task::runtime().get(a) + 1; }
ref<int> passed_on(ref<int> a) { return a; }
int sum_of_refs(std::vector<ref<int>> all) {
  int total = 0;
  for (auto& r : all) total += *this_task::runtime().get(r);
  return total;
}
BEAMLET_REMOTE(sum_of_ref);
BEAMLET_REMOTE(passed_on);
BEAMLET_REMOTE(sum_of_refs);

result<int> refuse(int n) {
  if (n < 0) return error(errc::invalid_argument, error_layer::user, {"too small", "", "", ""});
  return n;
}
int crash(int number) {
  if (number == SIGABRT) std::abort();
  raise(number);
  return 0;
}
int crash_at_first(int number) {
  if (this_task::attempt() == 0) raise(number);
  return 7;
}
int forever() {
  for (;;) pause();
  return 0;
}
int until_cancelled(std::string begun) {
  if (std::FILE* made = std::fopen(begun.c_str(), "wb")) std::fclose(made);
  while (!this_task::cancelled()) std::this_thread::yield();
  return 5;
}
std::string variable(std::string name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? value : "";
}
std::size_t allocate(std::size_t bytes) {
  std::vector<char> all(bytes, 1);
  return all.size();
}
int nested(int depth) {
  if (depth == 0) return 0;
  runtime_handle rt = this_task::runtime();
  auto below = rt.get(rt.task(add).options({.isolation = isolation::process}).remote(depth, 1));
  return below.has_value() ? *below : -1;
}
BEAMLET_REMOTE(refuse);
BEAMLET_REMOTE(crash);
BEAMLET_REMOTE(crash_at_first);
BEAMLET_REMOTE(forever);
BEAMLET_REMOTE(until_cancelled);
BEAMLET_REMOTE(variable);
BEAMLET_REMOTE(allocate);
BEAMLET_REMOTE(nested);

const task_options apart{.isolation = isolation::process};

runtime start() {
  auto rt = runtime::start({.workers = 2, .worker_processes_max = 4});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

TEST_CASE("an isolated task runs in another process, and the next one in the same") {
  runtime rt = start();
  auto first = rt.get(rt.task(process_number).options(apart).remote());
  if (!first.has_value()) FAIL(first.error().describe());
  CHECK(*first != getpid());
  CHECK(*rt.get(rt.task(process_number).options(apart).remote()) == *first);
  CHECK(*rt.get(rt.task(process_number).remote()) == getpid());
}

TEST_CASE("small and large arguments and results come through unchanged") {
  runtime rt = start();
  CHECK(*rt.get(rt.task(add).options(apart).remote(1, 2)) == 3);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{10}, std::size_t{20'000}, std::size_t{1} << 20}) {
    CAPTURE(size);
    auto made = rt.task(counted).options(apart).remote(5, size);
    auto here = rt.get(made);
    if (!here.has_value()) FAIL(here.error().describe());
    CHECK(*here == counted(5, size));
    long long expected = sum(*here);
    CHECK(*rt.get(rt.task(sum).options(apart).remote(made)) == expected);
    CHECK(*rt.get(rt.task(sum).options(apart).remote(*here)) == expected);
    CHECK(*rt.get(rt.task(sum).options(apart).remote(rt.put(*here))) == expected);
    CHECK(*rt.get(rt.task(sum).remote(made)) == expected);
  }
}

TEST_CASE("a result goes from one process to the next without the program reading it") {
  runtime rt = start();
  auto made = rt.task(counted).options(apart).remote(1, std::size_t{1} << 18);
  CHECK(*rt.get(rt.task(sum).options(apart).remote(made)) == sum(counted(1, std::size_t{1} << 18)));
}

TEST_CASE("refs travel as arguments, inside values, and as results") {
  runtime rt = start();
  auto one = rt.put(1);
  CHECK(*rt.get(rt.task(sum_of_ref).options(apart).remote(one)) == 2);
  auto slow = rt.task([] { return 40; }).options({.delay = 20ms}).remote();
  CHECK(*rt.get(rt.task(sum_of_ref).options(apart).remote(slow)) == 41);
  std::vector<ref<int>> all{one, slow, rt.task(add).options(apart).remote(2, 3)};
  CHECK(*rt.get(rt.task(sum_of_refs).options(apart).remote(all)) == 46);
  auto back = rt.get(rt.task(passed_on).options(apart).remote(one));
  REQUIRE(back.has_value());
  CHECK(*rt.get(*back) == 1);
}

TEST_CASE("many isolated tasks share the worker processes") {
  runtime rt = start();
  std::vector<ref<int>> all;
  for (int i = 0; i < 300; ++i) all.push_back(rt.task(add).options(apart).remote(i, 1));
  for (int i = 0; i < 300; ++i) CHECK(*rt.get(all[static_cast<std::size_t>(i)]) == i + 1);
}

TEST_CASE("a function's own error arrives as it would from a thread") {
  runtime rt = start();
  auto failed = rt.get(rt.task(refuse).options(apart).remote(-1));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code() == errc::invalid_argument);
  CHECK(failed.error().message().find("too small") != std::string_view::npos);
  CHECK(*rt.get(rt.task(refuse).options(apart).remote(4)) == 4);
}

TEST_CASE("a crash ends its worker process only, and the error names signal and function") {
  runtime rt = start();
  for (int number : {SIGSEGV, SIGABRT, SIGKILL}) {
    CAPTURE(number);
    auto died = rt.get(rt.task(crash).options(apart).remote(number));
    REQUIRE(!died.has_value());
    CHECK(died.error().code() == errc::worker_died);
    std::string text = died.error().describe();
    CAPTURE(text);
    CHECK(text.find("signal " + std::to_string(number)) != text.npos);
    CHECK(text.find("crash") != text.npos);
  }
  CHECK(*rt.get(rt.task(add).options(apart).remote(1, 1)) == 2);
}

TEST_CASE("a task whose worker process died is tried again") {
  runtime rt = start();
  auto again = rt.get(rt.task(crash_at_first)
                          .options({.max_retries = 2, .isolation = isolation::process})
                          .remote(SIGKILL));
  if (!again.has_value()) FAIL(again.error().describe());
  CHECK(*again == 7);
}

TEST_CASE("a cancel is seen by a running isolated task, and by force ends its process") {
  runtime rt = start();
  scratch_folder folder;
  std::string begun = folder.path() + "/begun";
  auto polite = rt.task(until_cancelled).options(apart).remote(begun);
  while (access(begun.c_str(), F_OK) != 0) std::this_thread::yield();
  CHECK(rt.cancel(polite).has_value());
  CHECK(*rt.get(polite) == 5);
  auto endless = rt.task(forever).options(apart).remote();
  CHECK(rt.cancel(endless, true).has_value());
  auto ended = rt.get(endless);
  REQUIRE(!ended.has_value());
  CHECK(ended.error().code() == errc::cancelled);
  CHECK(*rt.get(rt.task(add).options(apart).remote(1, 1)) == 2);
}

TEST_CASE("a worker process has the environment that was asked for") {
  runtime rt = start();
  auto seen = rt.task(variable)
                  .options({.isolation = isolation::process,
                            .runtime_env = {.env_vars = {{"BEAMLET_TEST_COLOUR", "blue"}}}})
                  .remote("BEAMLET_TEST_COLOUR");
  CHECK(*rt.get(seen) == "blue");
  CHECK(*rt.get(rt.task(variable).options(apart).remote("BEAMLET_TEST_COLOUR")) == "");
}

TEST_CASE("a worker process ends after as many calls as was said") {
  runtime rt = start();
  task_options once{.isolation = isolation::process, .max_calls = 1};
  int first = *rt.get(rt.task(process_number).options(once).remote());
  CHECK(*rt.get(rt.task(process_number).options(once).remote()) != first);
}

TEST_CASE("an isolated task may submit isolated tasks") {
  runtime rt = start();
  CHECK(*rt.get(rt.task(nested).options(apart).remote(3)) == 4);
}

TEST_CASE("what no other process could run says so") {
  runtime rt = start();
  auto lambda = rt.get(rt.task([] { return 1; }).options(apart).remote());
  REQUIRE(!lambda.has_value());
  CHECK(lambda.error().code() == errc::not_registered);
}

TEST_CASE("a runtime ends while an isolated task runs for ever") {
  ref<int> endless;
  {
    runtime rt = start();
    endless = rt.task(forever).options(apart).remote();
    CHECK(*rt.get(rt.task(add).options(apart).remote(1, 1)) == 2);
  }
  runtime other = start();
  auto ended = other.get(endless);
  REQUIRE(!ended.has_value());
  CHECK(ended.error().code() == errc::stopped);
}

TEST_CASE("a result outlives its runtime") {
  ref<std::vector<int>> kept, unread;
  {
    runtime rt = start();
    kept = rt.task(counted).options(apart).remote(1, std::size_t{100'000});
    unread = rt.task(counted).options(apart).remote(1, std::size_t{100'000});
    CHECK(rt.get(kept).has_value());
    CHECK(rt.wait(std::vector{unread}).has_value());
  }
  runtime other = start();
  CHECK(other.get(kept)->size() == 100'000);
  CHECK(other.get(unread).error().code() == errc::stopped);
}

}  // namespace isolated_tasks
