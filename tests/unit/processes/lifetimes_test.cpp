// SPDX-License-Identifier: Apache-2.0
// Refs, runtimes and processes that end before each other.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <future>

namespace isolated_lifetimes {

using namespace beamlet;
using namespace std::chrono_literals;

int endless() {
  for (;;) pause();
  return 0;
}
BEAMLET_REMOTE(endless);
/// A ref to what no process makes soon, from a task that is over.
ref<int> leave_endless() {
  return this_task::runtime().task(endless).options({.delay = 1h}).remote();
}
int leave_it(ref<int>) { return 1; }
int one_above(ref<int> a) {
  auto value = this_task::runtime().get(a);
  return value.has_value() ? *value + 1 : -1;
}
int next_number(int a) { return a + 1; }
ref<int> number_as_ref(int a) { return this_task::runtime().put(a); }
std::vector<int> threes(std::size_t size) { return std::vector<int>(size, 3); }
int size_of(const std::vector<int>& all) { return static_cast<int>(all.size()); }
BEAMLET_REMOTE(leave_endless);
BEAMLET_REMOTE(leave_it);
BEAMLET_REMOTE(one_above);
BEAMLET_REMOTE(next_number);
BEAMLET_REMOTE(number_as_ref);
BEAMLET_REMOTE(threes);
BEAMLET_REMOTE(size_of);

const task_options apart{.isolation = isolation::process};

runtime start() {
  auto rt = runtime::start({.workers = 2, .worker_processes_max = 3});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

TEST_CASE("a runtime ends while a task of its own waits for what a worker process never makes") {
  ref<int> waiting;
  {
    runtime rt = start();
    auto inner = rt.get(rt.task(leave_endless).options(apart).remote());
    REQUIRE(inner.has_value());
    waiting = rt.task([](int a) { return a; }).remote(*inner);
    CHECK(!waiting.ready());
  }
  runtime other = start();
  CHECK(other.get(waiting).error().code() == errc::stopped);
}

TEST_CASE("what one runtime published is an argument in another, also after its end") {
  runtime second = start();
  ref<int> of_first;
  ref<std::vector<int>> read;
  {
    runtime first = start();
    of_first = first.put(1);
    CHECK(*first.get(first.task(one_above).options(apart).remote(of_first)) == 2);
    CHECK(*second.get(second.task(one_above).options(apart).remote(of_first)) == 2);
    read = first.task(threes).options(apart).remote(std::size_t{100'000});
    CHECK(first.get(read)->size() == 100'000);
  }
  CHECK(*second.get(second.task(one_above).options(apart).remote(of_first)) == 2);
  CHECK(*second.get(second.task(size_of).options(apart).remote(read)) == 100'000);
  CHECK(*second.get(second.task(next_number).options(apart).remote(1)) == 2);
}

TEST_CASE("a pending object may outlive the runtime that named it to its agent") {
  runtime owner = start();
  std::promise<void> go;
  auto slow = owner
                  .task([wait = go.get_future().share()] {
                    wait.wait();
                    return 1;
                  })
                  .options({.blocking = true})
                  .remote();
  {
    runtime first = start();
    CHECK(*first.get(first.task(leave_it).options(apart).remote(slow)) == 1);
  }
  go.set_value();
  CHECK(*owner.get(slow) == 1);
}

TEST_CASE("a result that was never read cannot be read after stop") {
  runtime rt = start();
  auto unread = rt.task(threes).options(apart).remote(std::size_t{100'000});
  auto inside = rt.task(number_as_ref).options(apart).remote(3);
  CHECK(rt.wait(std::vector{unread}).has_value());
  CHECK(rt.wait(std::vector{inside}).has_value());
  CHECK(rt.stop().has_value());
  CHECK(rt.get(unread).error().code() == errc::stopped);
  auto inner = rt.get(inside);  // came with the news
  CHECK((inner.has_value() ? rt.get(*inner).error() : inner.error()).code() == errc::stopped);
}

TEST_CASE("the last ref to the runtime's own work may end it on another thread") {
  runtime rt = start();
  CHECK(*rt.get(rt.task(next_number).options(apart).remote(1)) == 2);
  auto ended = std::async(std::launch::async, [rt = std::move(rt)]() mutable {
    auto forever = rt.task(endless).options(apart).remote();
    { runtime last = std::move(rt); }
    return forever.ready();
  });
  CHECK(ended.get());
}

TEST_CASE("in a fork a result that is elsewhere is an error, and refs are dropped") {
  runtime rt = start();
  auto unread = rt.task(threes).options(apart).remote(std::size_t{100'000});
  auto dropped = rt.task(threes).options(apart).remote(std::size_t{100'000});
  CHECK(rt.wait(std::vector{unread, dropped}, {.num_returns = 2}).has_value());
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto value = rt.get(unread);
    if (value.has_value() || value.error().code() != errc::forked) _exit(2);
    unread = {};
    dropped = {};
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(rt.get(unread)->size() == 100'000);
}

}  // namespace isolated_lifetimes
