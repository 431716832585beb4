// SPDX-License-Identifier: Apache-2.0
// Device tasks and users' kernels on real drivers: what the runtime does with any device is tested
// by unit_devices.
#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/compute/backend_kernels.hpp"
#include "tests/conformance/compute/tasks.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace device_task_conformance {
using namespace conformance;

void run_tasks_on(const char* backend_name) {
  auto& devices = given(backend_name);
  if (devices.empty()) return;
  auto rt = start_on(devices);
  const device_task_options there{.device = backend_name};
  // Multiples of a page, so that all of it can be imported.
  auto a = rt.put(filled({256, 512}, -1, 1e-5f)), b = rt.put(filled({512, 256}, 1, -1e-5f));
  auto product = rt.device_task(ops::matmul{}).options(there).remote(a, b);
  auto halved = rt.device_task(ops::elementwise{{{ops::function::affine, 1, 0.5f, 1}}})
                    .options(there)
                    .remote(product);
  auto sums =
      rt.device_task(ops::reduce{ops::reduce::kind::sum, {1}}).options(there).remote(halved);
  auto here = rt.device_task(ops::matmul{}).options({.device = "cpu"}).remote(a, b);
  const auto expected = values_of(rt.get(here)), got = values_of(rt.get(halved));
  double furthest = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    furthest = std::max(furthest, std::abs(got[i] - (expected[i] * 0.5 + 1)));
  CHECK(furthest < 1e-2);  // of sums around 400
  CHECK(values_of(rt.get(sums)).size() == 256);
  auto report = rt.devices().value();
  CHECK(report.reruns == 0);
  std::uint64_t tasks = 0, imported = 0, copied = 0;
  for (const device_status& one : report.devices) {
    CAPTURE(one.reason_against);
    if (one.info.backend != backend_name) continue;
    tasks += one.tasks;
    imported += one.imported_bytes;
    copied += one.copied_bytes;
  }
  CHECK(tasks == 3);
  // Inputs and large results are used where they lie; the sums are too small for that.
  if (opened(devices[0])->info().limits.import_alignment != 0) {
    CHECK(imported == 4 * (2 * 256 * 512 + 2 * 256 * 256));
    CHECK(copied == 4 * 256);
  }
}

TEST_CASE("opencl: tasks run in order on the device, in the program's memory") {
  run_tasks_on("opencl");
}
TEST_CASE("vulkan: tasks run in order on the device, in the program's memory") {
  run_tasks_on("vulkan");
}

TEST_CASE("opencl: what one runtime compiled the next one finds") {
  scratch_folder folder;
  auto& devices = given("opencl", folder.path());
  if (devices.empty()) return;
  const auto kernels_of_a_run = [&] {
    auto rt = start_on(devices);
    auto halved = rt.device_task(ops::elementwise{{{ops::function::affine, 1, 0.5f, 1}}})
                      .options({.device = "opencl"})
                      .remote(rt.put(filled({64}, 0, 1)));
    CHECK(values_of(rt.get(halved))[63] == 32.5f);
    const devices_report report = rt.devices().value();
    std::uint64_t compiled = 0, kept = 0;
    for (const device_status& one : report.devices)
      compiled += one.kernels_compiled, kept += one.kernels_kept;
    return std::pair(compiled, kept);
  };
  CHECK(kernels_of_a_run() == std::pair(std::uint64_t{1}, std::uint64_t{0}));
  CHECK(kernels_of_a_run() == std::pair(std::uint64_t{0}, std::uint64_t{1}));
}

constexpr const char* twice_in_opencl = R"(
__kernel void twice(const uint count, __global const float* x, __global float* y) {
  uint i = get_global_id(0);
  if (i < count) y[i] = 2 * x[i];
}
)";
constexpr const char* twice_in_dialect = R"(
#include "dialect.h"
PARAMETERS(uint count;)
KERNEL(twice, IN(0, f32, x) OUT(1, f32, y), )
  uint i = GLOBAL(0);
  if (i < p.count) WRITE(f32, y, i, 2.0f * READ(f32, x, i));
END
)";

kernel_options twice() {
  return {.name = "twice", .inputs = {dtypes::f32}, .outputs = {dtypes::f32}, .parameter_bytes = 4};
}

TEST_CASE("opencl: a user's kernel runs, in OpenCL C and in the dialect") {
  auto& devices = given("opencl");
  if (devices.empty()) return;
  auto rt = start_on(devices);
  kernel_options plain = twice(), dialect = twice();
  plain.opencl = twice_in_opencl;
  dialect.dialect = twice_in_dialect;
  for (kernel_options& one : std::vector<kernel_options>{plain, dialect}) {
    auto kernel = rt.kernel(std::move(one));
    REQUIRE(kernel.has_value());
    auto y = rt.device_task(kernel->call({{dtypes::f32, {1000}}}, {16}, std::uint32_t{1000}))
                 .remote(filled({1000}, 0, 1));
    CHECK(values_of(rt.get(y))[999] == 1998);
  }
}

TEST_CASE("vulkan: a user's kernel runs, as SPIR-V") {
  auto& devices = given("vulkan");
  if (devices.empty()) return;
  auto rt = start_on(devices);
  kernel_options scale{.name = "scale", .inputs = {dtypes::f32}, .outputs = {dtypes::f32}};
  scale.spirv.assign(embedded::test_scale.spirv.begin(), embedded::test_scale.spirv.end());
  struct {
    std::uint32_t count = 1000;
    float a = 3, b = 1;
  } parameters;
  scale.parameter_bytes = sizeof parameters;
  auto kernel = rt.kernel(scale);
  REQUIRE(kernel.has_value());
  auto y = rt.device_task(kernel->call({{dtypes::f32, {1000}}}, {16}, parameters))
               .remote(filled({1000}, 0, 1));
  CHECK(values_of(rt.get(y))[999] == 2998);
  scale.spirv.resize(40);
  auto broken = rt.kernel(scale);
  REQUIRE(broken.has_value());
  auto got = rt.get(rt.device_task(broken->call({{dtypes::f32, {1000}}}, {16}, parameters))
                        .remote(filled({1000}, 0, 1)));
  CHECK(!got.has_value());
}

constexpr const char* racing_in_opencl = R"(
__kernel void racing(__global const float* x, __global float* y) {
  y[0] = x[get_global_id(0)];
  if (get_global_id(0) == 0) y[1 << 24] = 1;
}
)";

// Elsewhere the second one would write to memory that is not its own.
TEST_CASE("opencl: kernels with faults are for a checker to find: check_kernels") {
  auto& devices = given("opencl");
  if (devices.empty() || devices[0].record.info.name.find("Oclgrind") == std::string::npos) return;
  auto rt = start_on(devices);
  auto racing = rt.kernel({.name = "racing",
                           .opencl = racing_in_opencl,
                           .inputs = {dtypes::f32},
                           .outputs = {dtypes::f32}});
  REQUIRE(racing.has_value());
  auto y = rt.device_task(racing->call({{dtypes::f32, {64}}}, {1})).remote(filled({64}, 0, 1));
  CHECK(values_of(rt.get(y)).size() == 64);
}

TEST_CASE("opencl: a user's kernel that does not compile fails with the compiler's words") {
  auto& devices = given("opencl");
  if (devices.empty()) return;
  auto rt = start_on(devices);
  kernel_options broken = twice();
  broken.opencl = "__kernel void twice(const uint count, __global const float* x) { y = 1; }";
  auto kernel = rt.kernel(broken);
  REQUIRE(kernel.has_value());
  auto got = rt.get(rt.device_task(kernel->call({{dtypes::f32, {8}}}, {1}, std::uint32_t{8}))
                        .remote(filled({8}, 0, 1)));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::invalid_argument);
  CHECK(got.error().describe().find("'y'") != std::string::npos);
  CHECK(rt.devices().value().reruns == 0);
}

}  // namespace device_task_conformance
