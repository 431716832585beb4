// SPDX-License-Identifier: Apache-2.0
// A device that fails at what it can do is tested with known answers before it goes on.
#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/unit/devices/switched_device.hpp"

namespace device_wrong_answers_tests {
using namespace device_tests;

using floats = std::vector<float>;

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

ref<tensor> run_on_test(runtime& rt, const ref<tensor>& x) {
  return rt.device_task(scaled(2, 1)).options({.device = "test"}).remote(x);
}

floats result_on_test(runtime& rt) {
  return values_of(rt.get(run_on_test(rt, rt.put(filled({3}, 1)))));
}

/// One that gave a right result, and then breaks, so that the next work on it fails.
template <class F>
devices_report run_after_right_work(test_devices& one, runtime& rt, F&& breaks) {
  CHECK(result_on_test(rt) == floats{3, 5, 7});
  breaks(*one.how[0]);
  CHECK(result_on_test(rt) == floats{3, 5, 7});
  auto report = rt.devices().value();
  CHECK(status_of(report, "test:0").tasks == 1);
  CHECK(status_of(report, "test:0").failures == 1);
  CHECK(report.reruns == 1);
  return report;
}

TEST_CASE("a device that fails and then gives wrong results, or none, is not used any more") {
  for (const answers gives : {answers::wrong, answers::missing}) {
    test_devices one(1);
    auto rt = runtime::start(one.options()).value();
    auto report = run_after_right_work(one, rt, [&](switches& device) {
      device.launch_error = errc::unknown;
      device.gives = gives;
    });
    const device_status is = status_of(report, "test:0");
    CHECK(is.self_tests == 1);
    CHECK(has(is.reason_against, "told to fail"));
    CHECK(has(is.reason_against, "self-test: elementwise gave"));
    one.how[0]->gives = answers::right;
    CHECK(result_on_test(rt) == floats{3, 5, 7});
    CHECK(status_of(rt.devices().value(), "test:0").tasks == 1);
  }
}

TEST_CASE("a device that fails when it is waited for, and then gives wrong results, likewise") {
  test_devices one(1, false);
  auto rt = runtime::start(one.options()).value();
  auto report = run_after_right_work(one, rt, [](switches& device) {
    device.wait_error = errc::io;
    device.gives = answers::wrong;
  });
  CHECK(has(status_of(report, "test:0").reason_against, "self-test: elementwise gave"));
}

TEST_CASE("a device that is lost in the test after a failure is not used any more") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  auto report = run_after_right_work(one, rt, [](switches& device) {
    device.launch_error = errc::unknown;
    device.good_waits = 2;
    device.wait_error = errc::device_lost;
  });
  CHECK(status_of(report, "test:0").self_tests == 1);
  CHECK(!status_of(report, "test:0").reason_against.empty());
}

TEST_CASE("a device that fails and then gives right results goes on") {
  for (const errc why : {errc::unknown, errc::io, errc::invalid_argument}) {
    test_devices one(1);
    auto rt = runtime::start(one.options()).value();
    auto report = run_after_right_work(one, rt, [&](switches& d) { d.launch_error = why; });
    CHECK(status_of(report, "test:0").self_tests == 1);
    CHECK(status_of(report, "test:0").reason_against.empty());
    CHECK(result_on_test(rt) == floats{3, 5, 7});
    CHECK(status_of(rt.devices().value(), "test:0").tasks == 2);
  }
}

TEST_CASE("no memory, or an op that a device cannot do, says nothing of its answers") {
  for (const errc why : {errc::no_memory, errc::unsupported}) {
    test_devices one(1);
    auto rt = runtime::start(one.options()).value();
    auto report = run_after_right_work(one, rt, [&](switches& d) { d.launch_error = why; });
    CHECK(status_of(report, "test:0").self_tests == 0);
    CHECK(status_of(report, "test:0").reason_against.empty());
  }
}

/// A chain of three, of which the first is with the device, and the others wait for it.
struct chain {
  test_devices one{1};
  runtime rt = runtime::start(one.options()).value();
  ref<tensor> last;

  chain() {
    device().close();
    last = run_on_test(rt, rt.put(filled({2}, 0)));
    REQUIRE(device().logs("sw"));
    for (int i = 0; i < 2; ++i) last = run_on_test(rt, last);
    wait_for_queue(rt, 3);
  }
  switches& device() { return *one.how[0]; }
};

TEST_CASE("what a device with wrong answers had in flight is done again elsewhere") {
  chain t;
  t.device().gives = answers::wrong;
  t.device().good_waits = 1;  // the first ends well, the others are recorded then
  t.device().wait_error = errc::unknown;
  t.device().open();
  CHECK(values_of(t.rt.get(t.last)) == floats{7, 15});
  auto report = t.rt.devices().value();
  CHECK(report.reruns == 2);
  CHECK(status_of(report, "test:0").tasks == 1);
  CHECK(status_of(report, "test:0").self_tests == 1);
  CHECK(has(status_of(report, "test:0").reason_against, "self-test"));
}

TEST_CASE("what was made of a result that a device could not finish is made again") {
  chain t;
  t.device().gives = answers::missing;
  t.device().good_waits = 1;
  t.device().wait_error = errc::no_memory;
  t.device().open();
  CHECK(values_of(t.rt.get(t.last)) == floats{7, 15});
  auto report = t.rt.devices().value();
  CHECK(report.reruns == 2);
  CHECK(status_of(report, "test:0").self_tests == 0);
  CHECK(status_of(report, "test:0").reason_against.empty());
}

TEST_CASE("work behind work that there was no memory for does not cost the device") {
  chain t;
  t.device().launch_error = errc::no_memory;  // of the second
  t.device().open();
  CHECK(values_of(t.rt.get(t.last)) == floats{7, 15});
  auto report = t.rt.devices().value();
  CHECK(report.reruns == 2);
  CHECK(status_of(report, "test:0").reason_against.empty());
  CHECK(result_on_test(t.rt) == floats{3, 5, 7});
  CHECK(status_of(t.rt.devices().value(), "test:0").tasks == 2);
}

TEST_CASE("many tasks on a device that gives wrong results from a failure on all come out right") {
  test_devices two(2);
  auto rt = runtime::start(two.options()).value();
  std::vector<ref<tensor>> ends;
  for (int i = 0; i < 200; ++i) {
    if (i == 100) {
      two.how[0]->close();  // what it had begun by then was right
      two.how[0]->launch_error = errc::unknown;
    }
    ends.push_back(run_on_test(rt, rt.put(filled({2}, static_cast<float>(i)))));
  }
  two.how[0]->gives = answers::wrong;
  two.how[0]->open();
  for (int i = 0; i < 200; ++i) {
    const auto first = static_cast<float>(2 * i + 1);
    CHECK(values_of(rt.get(ends[static_cast<std::size_t>(i)])) == floats{first, first + 2});
  }
}

}  // namespace device_wrong_answers_tests
