// SPDX-License-Identifier: Apache-2.0
// What a lane says of the work that it did, and what is learned from that.
#include "switched_device.hpp"

#include <memory>
#include <string>
#include <thread>

namespace device_lane_tests {
using namespace device_tests;

/// A lane of a device of the test's, beside a runtime that makes no use of it.
struct lane_of_test {
  test_devices one{1};
  test_devices none{0};
  runtime rt = runtime::start(none.options()).value();
  std::unique_ptr<detail::device_lane> lane;
  std::shared_ptr<const detail::device_work> what =
      std::make_shared<const detail::device_work>(scaled(2, 1));

  lane_of_test() {
    detail::device_lane::surroundings around;
    around.home = &rt.scheduler();
    around.open = one.given[0].open;
    around.results = [this]() -> memory_source& {
      return detail::memory_of_results(*static_cast<detail::runtime_core*>(rt.scheduler().facade));
    };
    around.on_fault = [](const error&) {};
    around.id = "test:0";
    lane = detail::device_lane::make(std::move(around)).value();
    while (!lane->is_open()) std::this_thread::yield();
  }
  switches& device() { return *one.how[0]; }

  std::shared_ptr<detail::lane_job> submit(const detail::lane_input& input) {
    auto job = std::make_shared<detail::lane_job>(rt.scheduler(), what);
    job->name = "scaled";
    job->inputs = {input};
    job->outputs = {{dtypes::f32, {8}}};
    job->timeout_ns = 60'000'000'000;
    lane->submit(job);
    return job;
  }
  std::shared_ptr<detail::lane_job> submit() { return submit({filled({8}, 0), nullptr, 0}); }
  void finish(const std::shared_ptr<detail::lane_job>& job) {
    REQUIRE(rt.get(job->done.when_set()).has_value());
    REQUIRE(job->made.has_value());
  }
};

TEST_CASE("a lane knows the work that came when it had nothing to do") {
  lane_of_test t;
  t.device().close();
  auto first = t.submit();
  REQUIRE(t.device().logs("sw"));
  auto second = t.submit(), third = t.submit({tensor(), first, 0});
  t.device().open();
  for (const auto& job : {first, second, third}) t.finish(job);
  CHECK(first->was_alone);
  CHECK(!second->was_alone);
  CHECK(!third->was_alone);
  auto last = t.submit();
  t.finish(last);
  CHECK(last->was_alone);
}

TEST_CASE("work that fails leaves the lane with nothing to do") {
  lane_of_test t;
  t.device().allocates = false;
  auto failed = t.submit();
  REQUIRE(t.rt.get(failed->done.when_set()).has_value());
  CHECK(!failed->made.has_value());
  t.device().allocates = true;
  auto next = t.submit();
  t.finish(next);
  CHECK(next->was_alone);
}

TEST_CASE("work during which kernels were made is not learned from, later work is") {
  lane_of_test t;
  auto first = t.submit(), second = t.submit();
  t.finish(first);
  t.finish(second);
  CHECK(first->busy_ns == 0);
  CHECK(second->busy_ns > 0);
  CHECK(second->moved_ns > 0);
}

TEST_CASE("the way to a device is learned from work that nothing was before") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  const auto run = [&] {
    auto got =
        rt.get(rt.device_task(scaled(2, 1)).options({.device = "test"}).remote(filled({8}, 0)));
    CHECK(got.has_value());
    return rt.devices().value().explanation.find("there and back") != std::string::npos;
  };
  CHECK(!run());  // kernels were made meanwhile
  CHECK(run());
}

}  // namespace device_lane_tests
