// SPDX-License-Identifier: Apache-2.0
// The ways in which a device can do an op, and the search for the best of them.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "compute/tuner.hpp"
#include "runtime/device_service.hpp"
#include "tests/conformance/compute/devices.hpp"
#include "tests/conformance/compute/ops/matmul.hpp"
#include "tests/conformance/compute/tasks.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace tuner_conformance {
using namespace conformance;

constexpr std::uint64_t an_hour_ns = 3600ull * 1000 * 1000 * 1000;
constexpr std::uint32_t ways_max = 8;
std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

TEST_CASE_TEMPLATE("a product is the same in every way that a device has", Backend, opencl_backend,
                   vulkan_backend) {
  constexpr std::int64_t shapes[][3] = {{37, 50, 41}, {40, 36, 64}, {1, 50, 33}, {70, 50, 1}};
  std::vector<op_case> cases;
  for (const auto& [m, k, n] : shapes)
    for (std::uint32_t way = 0; way < ways_max; ++way) {
      cases.push_back(
          matmul_case("way " + std::to_string(way), matrix({m, k}, 1), matrix({k, n}, 2)));
      cases.back().way = way;
    }
  check_op_cases<ops::matmul>(
      Backend::devices(), cases,
      [](const auto& what, const auto& in, auto& out) { reference(what, in, out); });
}

struct product_of_vector {
  std::vector<operand> in{operand::dense(dtypes::f32, {1, 64}),
                          operand::dense(dtypes::f32, {64, 96})};
  std::vector<operand> out{operand::dense(dtypes::f32, {1, 96})};

  std::uint32_t ways_on(const device& on) const {
    auto planned = plan_for(ops::matmul{}, on.info(), in, out);
    REQUIRE(planned.has_value());
    return planned->ways;
  }
  void note(tuner& to, tuner::work_key key, std::uint32_t ways) const {
    to.note(key, ops::matmul{}, in, out, ways);
  }
};

TEST_CASE("opencl: a tuner tries the ways of work that comes again, and keeps what it finds") {
  const product_of_vector work;
  for (const auto& on : opencl_backend::devices()) {
    CAPTURE(on->info().id());
    scratch_folder folder;
    auto runs = executor::make(*on);
    REQUIRE(runs.has_value());
    const std::uint32_t ways = work.ways_on(*on);
    REQUIRE(ways > 1);
    tuner one(**runs, folder.path(), an_hour_ns, steady_ns);
    work.note(one, 7, ways);
    CHECK(!one.has_work());  // it came once
    work.note(one, 7, ways);
    std::uint32_t trials = 0;
    for (; one.has_work(); ++trials) REQUIRE(one.step().has_value());
    CHECK(trials == ways * (1 + tuner::runs_of_way));
    CHECK(one.known() == 1);
    CHECK(one.way_of(7) < ways);
    CHECK(one.way_of(8) == 0);
    for (int i = 0; i < 3; ++i) work.note(one, 7, ways);
    CHECK(!one.has_work());  // its way is known

    tuner next(**runs, folder.path(), an_hour_ns, steady_ns);
    CHECK(next.known() == 1);
    CHECK(next.way_of(7) == one.way_of(7));
  }
}

TEST_CASE("opencl: a tuner's search ends with its time") {
  const product_of_vector work;
  for (const auto& on : opencl_backend::devices()) {
    auto runs = executor::make(*on);
    REQUIRE(runs.has_value());
    tuner one(**runs, {}, 1, steady_ns);
    for (int i = 0; i < 2; ++i) work.note(one, 7, work.ways_on(*on));
    REQUIRE(one.has_work());
    REQUIRE(one.step().has_value());
    CHECK(!one.has_work());
    CHECK(one.way_of(7) == 0);
  }
}

TEST_CASE("opencl: a device that has nothing to do finds better ways for what it did") {
  auto& devices = given("opencl");
  if (devices.empty()) return;
  runtime_options options = options_on(devices);
  options.device_tuning = std::chrono::hours(1);
  auto rt = runtime::start(options).value();
  auto a = rt.put(filled({1, 64}, 0, 1)), b = rt.put(filled({64, 96}, 1, 0));
  const auto product = [&] {
    return values_of(
        rt.get(rt.device_task(ops::matmul{}).options({.device = "opencl"}).remote(a, b)));
  };
  const std::vector<float> expected(96, 63 * 64 / 2);
  CHECK(product() == expected);
  CHECK(product() == expected);
  const auto works_tuned = [&] {
    const devices_report report = rt.devices().value();
    std::uint64_t all = 0;
    for (const device_status& one : report.devices) all += one.works_tuned;
    return all;
  };
  const auto too_late = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (works_tuned() == 0 && std::chrono::steady_clock::now() < too_late)
    std::this_thread::yield();
  CHECK(works_tuned() == 1);
  CHECK(product() == expected);
}

}  // namespace tuner_conformance
