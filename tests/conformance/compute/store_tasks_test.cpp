// SPDX-License-Identifier: Apache-2.0
// Device tasks on objects of the store, which lie in shared memory that nobody may write to any
// more, on real drivers.
#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <utility>

#include "tests/conformance/compute/tasks.hpp"

namespace store_task_conformance {
using namespace conformance;

// From here on an object has memory of its own, which is sealed in strict mode.
constexpr std::int64_t rows = 256, columns = 1024;
constexpr std::uint64_t input_bytes = 4 * rows * columns, result_bytes = 4 * rows * rows;

// -- in worker processes: no test's macros

tensor ramp(std::int64_t height, std::int64_t width, float from, memory_source& in) {
  auto made = tensor_builder<float>::make({height, width}, in);
  if (!made.has_value()) return {};
  for (float& x : made->values()) x = from, from += 1e-6f;
  return std::move(*made).freeze();
}
tensor make_ramp(std::int64_t height, std::int64_t width, float from) {
  return ramp(height, width, from, this_task::runtime().memory());
}
float last_of(const tensor& x) {
  auto values = x.view<float>();
  return values.has_value() && !values->empty() ? values->back() : -1;
}
BEAMLET_REMOTE(make_ramp);
BEAMLET_REMOTE(last_of);

struct main_arguments {
  int count;
  char** values;
};
constinit main_arguments given_to_main{};
[[gnu::constructor(101)]] void keep_arguments(int count, char** values) {
  given_to_main = {count, values};
}
// Before main, which is doctest's: as a main that begins with run_child. Here, as the functions
// above have to be known then.
[[maybe_unused]] const bool is_program = [] {
  if (auto code = run_child(given_to_main.count, given_to_main.values)) _exit(*code);
  return true;
}();

// -- in the program

/// Of the page of its first element, as /proc/self/maps has it.
bool is_writable(const tensor& x) {
  std::ifstream maps("/proc/self/maps");
  const auto at = reinterpret_cast<std::uintptr_t>(x.data());
  for (std::string line; std::getline(maps, line);) {
    const std::size_t dash = line.find('-'), space = line.find(' ');
    if (at >= std::stoull(line.substr(0, dash), nullptr, 16) &&
        at < std::stoull(line.substr(dash + 1, space), nullptr, 16))
      return line[space + 2] == 'w';
  }
  FAIL("it is nowhere");
  return false;
}

/// What the devices of the backend did, together.
device_status sum_of(const devices_report& report, const std::string& backend_name) {
  device_status all;
  for (const device_status& one : report.devices) {
    if (one.info.backend != backend_name) continue;
    all.tasks += one.tasks;
    all.imported_bytes += one.imported_bytes;
    all.copied_bytes += one.copied_bytes;
  }
  return all;
}

void run_in_store_on(const char* backend_name) {
  auto& devices = given(backend_name);
  if (devices.empty()) return;
  auto options = options_on(devices);
  options.object_store_memory = std::uint64_t{64} << 20;
  options.strict_objects = true;
  options.worker_processes_max = 1;
  auto rt = runtime::start(options).value();
  const device_task_options there{.device = backend_name};
  const task_options apart{.isolation = isolation::process};

  auto a = rt.task(make_ramp).options(apart).remote(rows, columns, -0.5f);
  const tensor far = rt.get(a).value();
  const tensor here = ramp(columns, rows, 0.5f, rt.memory());
  auto b = rt.put(here);
  auto before = rt.device_task(ops::matmul{}).options(there).remote(a, b);
  REQUIRE(rt.get(before).has_value());
  CHECK(is_writable(here));
  // Its pages become read-only when it becomes an object, while the device has them.
  CHECK(rt.get(rt.task(last_of).options(apart).remote(b)).value() == last_of(here));
  CHECK_FALSE(is_writable(here));
  CHECK_FALSE(is_writable(far));

  auto product = rt.device_task(ops::matmul{}).options(there).remote(a, b);
  auto halved = rt.device_task(ops::elementwise{{{ops::function::affine, 1, 0.5f, 1}}})
                    .options(there)
                    .remote(product);
  auto on_processor = rt.device_task(ops::matmul{}).options({.device = "cpu"}).remote(a, b);
  const auto expected = values_of(rt.get(on_processor));
  const auto first = values_of(rt.get(before)), second = values_of(rt.get(halved));
  REQUIRE(second.size() == expected.size());
  double furthest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    furthest = std::max<double>(furthest, std::abs(first[i] - expected[i]));
    furthest = std::max(furthest, std::abs(second[i] - (expected[i] * 0.5 + 1)));
  }
  CHECK(furthest < 1e-2);  // of sums around 250
  // Results lie in the store, too, and go on from there.
  CHECK(rt.get(rt.task(last_of).options(apart).remote(halved)).value() == second.back());

  auto report = rt.devices().value();
  CHECK(report.reruns == 0);
  const device_status all = sum_of(report, backend_name);
  CHECK(all.tasks == 3);
  auto device = opened(devices[0]);
  if (device->info().limits.import_alignment == 0) return;
  // Memory that may only be read is not every driver's; what it refuses is copied.
  std::span<std::byte> sealed{const_cast<std::byte*>(far.data()), input_bytes};
  const bool is_taken = device->import(sealed, memory_access::read).has_value();
  if (!is_taken) MESSAGE("copied: " << device->info().id() << " imports no read-only memory");
  const std::uint64_t copied = is_taken ? 0 : input_bytes;
  CHECK(all.copied_bytes == copied);
  CHECK(all.imported_bytes == 2 * input_bytes - copied + 3 * result_bytes);
}

TEST_CASE("opencl: tasks work in the store's sealed pages, and copy nothing") {
  run_in_store_on("opencl");
}
TEST_CASE("vulkan: tasks work in the store's sealed pages, and copy nothing") {
  run_in_store_on("vulkan");
}

}  // namespace store_task_conformance
