// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "support.hpp"

using namespace sched_test;

namespace {

/// Threads of their own; the test is a foreign one.
std::unique_ptr<scheduler> two_workers() {
  scheduler_options options;
  options.workers = 2;
  options.get_helps = help::nothing;
  auto made = scheduler::make(std::move(options));
  REQUIRE(made.has_value());
  return *std::move(made);
}

void wait_until_all_sleep(scheduler& home) {
  while ((home.idle.load() & scheduler::sleepers_mask) != 2) ports::yield();
}

}  // namespace

TEST_CASE("workers without work fall asleep and are woken by what comes") {
  world w(two_workers());
  for (int i = 0; i < 5; ++i) {
    wait_until_all_sleep(*w.home);
    held_job x = w.submit([i] { return i; });
    REQUIRE(wait_sealed(w.here(), *x, forever).has_value());
    CHECK(x->get() == i);
  }
}

TEST_CASE("a worker that is woken wakes another when there is more") {
  world w(two_workers());
  wait_until_all_sleep(*w.home);
  // Each waits for the other, so that one worker alone could not do it.
  std::atomic<int> there{0};
  auto meet = [&] {
    there.fetch_add(1);
    while (there.load() < 2) ports::yield();
    return 0;
  };
  held_job a = w.submit(meet), b = w.submit(meet);
  CHECK(wait_sealed(w.here(), *a, forever).has_value());
  CHECK(wait_sealed(w.here(), *b, forever).has_value());
}

TEST_CASE("a wait whose time is over leaves the task alone") {
  world w(two_workers());
  std::atomic<bool> go{false};
  held_job x = w.submit([&] {
    while (!go.load()) ports::yield();
    return 7;
  });
  auto waited = wait_sealed(w.here(), *x, now_ns(w.here()) + 1000);
  REQUIRE_FALSE(waited.has_value());
  CHECK(waited.error().code() == errc::timeout);
  go = true;
  CHECK(wait_sealed(w.here(), *x, forever).has_value());
  CHECK(x->get() == 7);
}

TEST_CASE("stopping wakes sleeping workers and drops what has not started") {
  world w(two_workers());
  wait_until_all_sleep(*w.home);
  stop_report report = w.home->stop({});
  CHECK(report.dropped == 0);
  CHECK(report.drained);
  CHECK((w.home->idle.load() & scheduler::sleepers_mask) == 0);
}
