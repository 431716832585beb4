// SPDX-License-Identifier: Apache-2.0
// The test with known answers refuses every kind of wrong one.
#include "compute/self_test.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "tests/unit/devices/switched_device.hpp"

namespace device_self_test_tests {
using namespace device_tests;

struct tested_device {
  std::shared_ptr<switches> how = std::make_shared<switches>();
  switched_device device{compute::make_cpu_device(compute::best_isa(), {})->info(), how};
  std::unique_ptr<compute::executor> runs;

  tested_device() {
    REQUIRE(device.open().has_value());
    auto made = compute::executor::make(device);
    REQUIRE(made.has_value());
    runs = *std::move(made);
  }
};

TEST_CASE("a device with right answers passes the self-test, as often as it is asked") {
  const tested_device on;
  CHECK(compute::self_test(*on.runs).has_value());
  const std::size_t kernels = on.runs->kernel_count();
  CHECK(compute::self_test(*on.runs).has_value());
  CHECK(on.runs->kernel_count() == kernels);
}

TEST_CASE("a device with wrong or missing answers does not, and the op is named") {
  for (const answers gives : {answers::wrong, answers::missing}) {
    const tested_device on;
    // Memory that it is lent again may hold the right answers still.
    REQUIRE(compute::self_test(*on.runs).has_value());
    on.how->gives = gives;
    const auto tested = compute::self_test(*on.runs);
    REQUIRE(!tested.has_value());
    CHECK(tested.error().code() == errc::malformed);
    CHECK(std::string(tested.error().message()).find("elementwise") != std::string::npos);
    on.how->gives = answers::right;
    CHECK(compute::self_test(*on.runs).has_value());
  }
}

TEST_CASE("a device that begins to leave answers out in the middle does not pass") {
  const tested_device on;
  int runs = 0;
  const auto tested = compute::self_test(*on.runs, [&]() -> result<void> {
    if (++runs == 7) on.how->gives = answers::missing;
    return {};
  });
  REQUIRE(!tested.has_value());
  CHECK(tested.error().code() == errc::malformed);
}

TEST_CASE("an error at a launch or a wait ends the self-test with that error") {
  const tested_device on;
  on.how->launch_error = errc::unknown;
  CHECK(compute::self_test(*on.runs).error().code() == errc::unknown);
  on.how->wait_error = errc::io;
  CHECK(compute::self_test(*on.runs).error().code() == errc::io);
  on.how->is_lost = true;
  CHECK(compute::self_test(*on.runs).error().code() == errc::device_lost);
}

TEST_CASE("a device that cannot do an op may pass, one that can do none may not") {
  const tested_device on;
  on.how->launch_error = errc::unsupported;
  CHECK(compute::self_test(*on.runs).has_value());
  on.how->launches = false;
  CHECK(compute::self_test(*on.runs).error().code() == errc::unsupported);
}

TEST_CASE("a self-test goes on as long as it may") {
  const tested_device on;
  int runs = 0;
  const auto tested = compute::self_test(
      *on.runs, [&]() -> result<void> { return ++runs < 5 ? result<void>() : errc::stopped; });
  CHECK(tested.error().code() == errc::stopped);
  CHECK(on.how->waited == 4);
}

}  // namespace device_self_test_tests
