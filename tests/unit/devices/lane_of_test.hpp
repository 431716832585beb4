// SPDX-License-Identifier: Apache-2.0
#pragma once

// A lane without a service: what is submitted is in its queue at once.

#include <memory>
#include <thread>

#include "tests/unit/devices/switched_device.hpp"

namespace device_tests {

/// A lane of a device of the test's, beside a runtime that makes no use of it.
struct lane_of_test {
  test_devices one;
  test_devices none{0};
  runtime rt = runtime::start(none.options()).value();
  std::unique_ptr<detail::device_lane> lane;
  std::shared_ptr<const detail::device_work> what =
      std::make_shared<const detail::device_work>(scaled(2, 1));
  compute::tensor_type makes{dtypes::f32, {8}};

  explicit lane_of_test(bool is_unified = true, std::uint64_t room_bytes = UINT64_MAX)
      : one(1, is_unified) {
    device().room_bytes = room_bytes;
    detail::device_lane::surroundings around;
    around.home = &rt.scheduler();
    around.open = one.given[0].open;
    around.results = [this]() -> memory_source& {
      return detail::memory_of_results(*static_cast<detail::runtime_core*>(rt.scheduler().facade));
    };
    around.on_fault = [](const error&) {};
    around.id = "test:0";
    lane = detail::device_lane::make(std::move(around)).value();
    wait_until([&] { return lane->is_open(); });
  }
  switches& device() { return *one.how[0]; }

  std::shared_ptr<detail::lane_job> submit(const detail::lane_input& input) {
    auto job = std::make_shared<detail::lane_job>(rt.scheduler(), what);
    job->name = "of the test";
    job->inputs = {input};
    job->outputs = {makes};
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

}  // namespace device_tests
