// SPDX-License-Identifier: Apache-2.0
// What a lane says of the work that it did, and what is learned from that.
#include "tests/unit/devices/lane_of_test.hpp"

#include <string>

namespace device_lane_tests {
using namespace device_tests;

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
