// SPDX-License-Identifier: Apache-2.0
// What a device lets go of when the store is full.
#include "tests/unit/devices/lane_of_test.hpp"

#include <algorithm>
#include <thread>

#include "beamlet/runtime/child.hpp"

namespace device_memory_tests {
using namespace device_tests;

constexpr std::uint64_t spare_bytes = 32 << 10;  // for results, and what takes no room to speak of

struct one_device {
  test_devices one;
  runtime rt;
  explicit one_device(bool is_unified, std::uint64_t room_bytes = UINT64_MAX,
                      std::uint64_t store_bytes = std::uint64_t{1} << 30)
      : one(1, is_unified) {
    one.how[0]->room_bytes = room_bytes;
    auto options = one.options();
    options.object_store_memory = store_bytes;
    rt = runtime::start(options).value();
  }
  switches& device() { return *one.how[0]; }
  device_status status(const char* id = "test:0") { return status_of(rt.devices().value(), id); }
  std::uint64_t resident() { return status().resident_bytes; }
  /// Until it has so much, and small results that it does not know yet to be nobody's.
  void wait_for_resident(std::uint64_t bytes) {
    while (resident() < bytes || resident() >= bytes + spare_bytes) std::this_thread::yield();
  }
  template <class Input>
  ref<tensor> sum(Input&& x) {
    return rt.device_task(ops::reduce{}).options({.device = "test"}).remote(std::forward<Input>(x));
  }
  /// The sum of numbers that are all the same.
  bool is_right(const ref<tensor>& sum, const tensor& x) {
    const auto got = values_of(rt.get(sum));
    const auto all = x.view<float>();
    return got.size() == 1 && got[0] == all->front() * static_cast<float>(x.elements());
  }
  bool run(const tensor& x) { return is_right(sum(x), x); }
};

std::uint64_t bytes_of(const tensor& x) { return x.elements() * sizeof(float); }
/// Tensors of n, n + 1, ... ones: by its bytes one is told from another.
std::vector<tensor> inputs(std::size_t count, std::int64_t n = 100'000) {
  std::vector<tensor> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(filled({n++}, 1, 0));
  return made;
}

// -- when the store has none

/// Sums, on a lane whose device is at work on one of two numbers: those behind it are in the queue.
struct lane_of_sums : lane_of_test {
  std::shared_ptr<detail::lane_job> first;
  explicit lane_of_sums(bool is_unified, std::uint64_t room_bytes = UINT64_MAX)
      : lane_of_test(is_unified, room_bytes) {
    what = std::make_shared<const detail::device_work>(ops::reduce{});
    makes = {dtypes::f32, {}};
    device().close();
    first = sum(filled({2}, 1, 0));
    REQUIRE(device().logs("sw"));
  }
  std::shared_ptr<detail::lane_job> sum(const tensor& x) { return submit({x, nullptr, 0}); }
  bool is_right(const std::shared_ptr<detail::lane_job>& job, const tensor& x) {
    finish(job);
    return values_of(job->made->front()) == std::vector{static_cast<float>(x.elements())};
  }
  std::uint64_t resident() { return lane->figures().memory.resident_bytes; }
};

TEST_CASE(
    "under pressure a device lets go of what is idle at once, and of the rest after its use") {
  const auto x = inputs(2);
  lane_of_sums t(true);
  auto one = t.sum(x[0]), two = t.sum(x[1]);
  t.device().let_pass(1);
  REQUIRE(t.device().logs("swssw"));
  t.lane->unpin();  // while the device has both
  t.device().let_pass(1);
  CHECK(t.is_right(one, x[0]));
  REQUIRE(t.device().logs("swssww"));
  CHECK(t.resident() >= bytes_of(x[1]));
  CHECK(t.resident() < bytes_of(x[1]) + bytes_of(x[0]));
  t.device().open();
  CHECK(t.is_right(two, x[1]));
  while (t.resident() != 0) std::this_thread::yield();
  const int imported = t.device().imported;
  for (int i = 0; i < 2; ++i) CHECK(t.is_right(t.sum(x[1]), x[1]));
  CHECK(t.device().imported == imported + 1);  // what comes later stays
}

TEST_CASE("a store that is full gets back what only a device still has") {
  char name[] = "test";
  char* arguments[] = {name, nullptr};
  REQUIRE_FALSE(run_child(1, arguments).has_value());  // from now on there is a store
  one_device t(true, UINT64_MAX, std::uint64_t{32} << 20);
  const auto make = [&](std::int64_t mib) {
    auto made = tensor_builder<float>::make({mib << 18}, t.rt.memory());
    REQUIRE_MESSAGE(made.has_value(), made.error().describe());
    std::ranges::fill(made->values(), 1.0f);
    return std::move(*made).freeze();
  };
  tensor x = make(18);
  CHECK(t.run(x));
  CHECK(t.run(filled({2}, 1, 0)));  // the lane has looked since whether anybody else has x
  CHECK(t.status().imported_bytes == bytes_of(x));
  CHECK(t.resident() >= bytes_of(x));
  x = {};
  CHECK(make(18).elements() == std::size_t{18} << 18);
  while (t.resident() != 0) std::this_thread::yield();
}

}  // namespace device_memory_tests
