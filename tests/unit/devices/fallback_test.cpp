// SPDX-License-Identifier: Apache-2.0
// What goes wrong on a device is done again elsewhere, from inputs that were kept.
#include "switched_device.hpp"

#include <random>
#include <thread>

#include "tests/unit/seeds.hpp"

namespace device_fallback_tests {
using namespace device_tests;

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

ref<tensor> run_on_test(runtime& rt, const ref<tensor>& x, std::chrono::nanoseconds timeout = 60s) {
  return rt.device_task(scaled(2, 1)).options({.device = "test", .timeout = timeout}).remote(x);
}

/// Breaks the only device before the task, which is to come out right all the same.
template <class F>
devices_report run_on_broken(F&& how, std::chrono::nanoseconds timeout = 60s) {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  how(*one.how[0]);
  auto got = rt.get(run_on_test(rt, rt.put(filled({3}, 1)), timeout));
  CHECK(values_of(got) == std::vector<float>{3, 5, 7});
  auto report = rt.devices().value();
  CHECK(report.reruns == 1);
  CHECK(status_of(report, "test:0").failures == 1);
  CHECK(status_of(report, "cpu:0").tasks == 1);
  one.how[0]->open();
  return report;
}

TEST_CASE("a device that is lost when work is submitted costs time only") {
  auto report = run_on_broken([](switches& device) { device.submits = false; });
  CHECK(has(status_of(report, "test:0").reason_against, "told to fail"));
}

TEST_CASE("a device that is lost while it works costs time only") {
  auto report = run_on_broken([](switches& device) { device.waits = false; });
  CHECK(has(status_of(report, "test:0").reason_against, "told to fail"));
}

TEST_CASE("a device that hangs is given up after the task's timeout") {
  auto report = run_on_broken([](switches& device) { device.close(); }, 10ms);
  CHECK(has(status_of(report, "test:0").reason_against, "told to fail"));
}

TEST_CASE("a device without memory for it stays in use for other work") {
  auto report = run_on_broken([](switches& device) { device.allocates = false; });
  CHECK(status_of(report, "test:0").reason_against.empty());
}

TEST_CASE("a device that cannot be opened is not asked again") {
  test_devices one(1);
  one.how[0]->opens = false;
  auto rt = runtime::start(one.options()).value();
  auto x = rt.put(filled({3}, 1));
  for (int i = 0; i < 3; ++i)
    CHECK(values_of(rt.get(run_on_test(rt, x))) == std::vector<float>{3, 5, 7});
  CHECK(one.how[0]->opened == 1);
  CHECK(!status_of(rt.devices().value(), "test:0").reason_against.empty());
}

TEST_CASE("another device is tried before the processor") {
  test_devices two(2);
  two.how[0]->submits = false;
  auto rt = runtime::start(two.options()).value();
  auto got = rt.get(run_on_test(rt, rt.put(filled({3}, 1))));
  CHECK(values_of(got) == std::vector<float>{3, 5, 7});
  auto report = rt.devices().value();
  CHECK(status_of(report, "test:1").tasks == 1);
  CHECK(status_of(report, "cpu:0").tasks == 0);
}

TEST_CASE("a chain whose device is lost in the middle comes out right") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  switches& device = *one.how[0];
  device.close();
  auto first = run_on_test(rt, rt.put(filled({2}, 0)));
  REQUIRE(device.logs("sw"));
  ref<tensor> x = first;
  for (int i = 0; i < 3; ++i) x = run_on_test(rt, x);
  wait_for_queue(rt, 4);
  device.is_lost = true;
  device.open();
  CHECK(values_of(rt.get(x)) == std::vector<float>{15, 31});
  CHECK(rt.devices().value().reruns >= 1);
}

TEST_CASE("a task that is cancelled before the device begins does not run there") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  switches& device = *one.how[0];
  device.close();
  auto first = run_on_test(rt, rt.put(filled({2}, 0)));
  REQUIRE(device.logs("sw"));
  auto second = run_on_test(rt, rt.put(filled({2}, 0)));
  wait_for_queue(rt, 2);
  REQUIRE(rt.cancel(second).has_value());
  CHECK(rt.get(second).error().code() == errc::cancelled);
  device.open();
  CHECK(rt.get(first).has_value());
  CHECK(rt.get(run_on_test(rt, rt.put(filled({2}, 0)))).has_value());
  CHECK(device.submitted == 2);
}

TEST_CASE("a runtime ends while its devices have work") {
  test_devices one(1);
  ref<tensor> left;
  {
    auto rt = runtime::start(one.options()).value();
    one.how[0]->close();
    auto x = rt.put(filled({2}, 0));
    left = run_on_test(rt, x);
    REQUIRE(one.how[0]->logs("sw"));
    for (int i = 0; i < 40; ++i) left = run_on_test(rt, left);
    CHECK(rt.stop().has_value());
    one.how[0]->open();
  }
  CHECK(left.ready());
}

TEST_CASE("many tasks on devices that fail now and then all come out right") {
  test_devices three(3);
  auto options = three.options();
  options.workers = 4;
  auto rt = runtime::start(options).value();
  const int count = static_cast<int>(seeds(400));
  std::mt19937 random(1);
  std::vector<ref<tensor>> ends;
  std::vector<std::vector<float>> expected;
  for (int i = 0; i < count; ++i) {
    ref<tensor> x = rt.put(filled({4}, static_cast<float>(i)));
    float first = static_cast<float>(i);
    float step = 1;
    for (unsigned k = random() % 4; k > 0; --k) {
      x = random() % 3 == 0 ? rt.device_task(scaled(2, 1)).remote(x) : run_on_test(rt, x);
      first = 2 * first + 1;
      step *= 2;
    }
    ends.push_back(x);
    expected.push_back({first, first + step, first + 2 * step, first + 3 * step});
    if (i == count / 3) three.how[0]->allocates = false;
    if (i == count / 2) three.how[1]->is_lost = true;
  }
  for (int i = 0; i < count; ++i)
    CHECK(values_of(rt.get(ends[static_cast<std::size_t>(i)])) ==
          expected[static_cast<std::size_t>(i)]);
}

}  // namespace device_fallback_tests
