// SPDX-License-Identifier: Apache-2.0
// What a device lets go of when the store is full, and when it has no memory itself.
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
    options.device_tuning = std::chrono::seconds(0);  // it would take room
    rt = runtime::start(options).value();
  }
  switches& device() { return *one.how[0]; }
  device_status status(const char* id = "test:0") { return status_of(rt.devices().value(), id); }
  std::uint64_t resident() { return status().resident_bytes; }
  /// Until it has so much, and small results that it does not know yet to be nobody's.
  void wait_for_resident(std::uint64_t bytes) {
    wait_until([&] { return resident() >= bytes && resident() < bytes + spare_bytes; });
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
  /// What has left its memory, but for small things.
  std::vector<std::uint64_t> left() {
    auto all = device().freed();
    std::erase_if(all, [](std::uint64_t bytes) { return bytes < spare_bytes; });
    return all;
  }
};

std::uint64_t bytes_of(const tensor& x) { return x.elements() * sizeof(float); }
/// Tensors of n, n + 1, ... ones: by its bytes one is told from another.
std::vector<tensor> inputs(std::size_t count, std::int64_t n = 100'000) {
  std::vector<tensor> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(filled({n++}, 1, 0));
  return made;
}

// -- when the device has no memory

TEST_CASE("a device without room lets go of what was used least recently, and has room") {
  const auto x = inputs(4);
  one_device t(false, 3 * bytes_of(x[3]) + bytes_of(x[3]) + spare_bytes);  // one is being staged
  for (const std::size_t i : {0u, 1u, 2u, 0u}) CHECK(t.run(x[i]));
  CHECK(t.left() == std::vector{bytes_of(x[0]), bytes_of(x[1]), bytes_of(x[2])});  // their staging
  const std::size_t staged = t.left().size();
  CHECK(t.device().refused == 0);
  const auto left_since = [&](std::size_t first) {
    const auto all = t.left();
    return std::vector(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
  };
  for (int i = 0; i < 2; ++i) CHECK(t.run(x[3]));  // the second behind what the first lets go of
  CHECK(left_since(staged) == std::vector{bytes_of(x[1]), bytes_of(x[3])});
  for (int i = 0; i < 2; ++i) CHECK(t.run(x[1]));
  CHECK(left_since(staged + 2) == std::vector{bytes_of(x[2]), bytes_of(x[1])});
  CHECK(t.run(x[0]));  // is still there
  CHECK(t.left().size() == staged + 4);
  CHECK(t.device().refused >= 2);  // once more where a small result was the oldest
  CHECK(t.status().failures == 0);
}

TEST_CASE("a device without room for staging lets go of other things, too") {
  const auto x = inputs(2);
  one_device t(false, 2 * bytes_of(x[1]) + spare_bytes);
  CHECK(t.run(x[0]));
  CHECK(t.device().refused == 0);
  CHECK(t.run(x[1]));  // its memory finds room, its staging not
  CHECK(t.device().refused >= 1);
  CHECK(t.status().failures == 0);
  t.wait_for_resident(bytes_of(x[1]));
}

TEST_CASE("what finds no room on an empty device runs elsewhere, and the device goes on") {
  const auto x = inputs(1);
  const tensor large = filled({250'000}, 1, 0);
  one_device t(false, 2 * bytes_of(x[0]) + spare_bytes);
  CHECK(t.run(x[0]));
  CHECK(t.run(large));
  CHECK(t.status().failures == 1);
  CHECK(t.rt.devices().value().reruns == 1);
  CHECK(t.status("cpu:0").tasks == 1);
  CHECK(t.resident() < spare_bytes);
  CHECK(t.run(x[0]));
  CHECK(t.status("cpu:0").tasks == 1);
}

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

TEST_CASE("what is in use stays where other work finds no room") {
  const auto x = inputs(3);
  lane_of_sums t(false, 4 * bytes_of(x[2]) + spare_bytes);
  auto one = t.sum(x[0]), two = t.sum(x[1]), none = t.sum(x[2]);  // each with its staging
  t.device().open();
  CHECK(t.is_right(one, x[0]));
  CHECK(t.is_right(two, x[1]));
  REQUIRE(t.rt.get(none->done.when_set()).has_value());
  REQUIRE_FALSE(none->made.has_value());
  CHECK(none->made.error().code() == errc::no_memory);
  CHECK(t.device().log().substr(0, 4) == "swss");  // both were at work when it came
}

TEST_CASE("memory for what lies between two kernels is had like memory for tensors") {
  const tensor a = filled({64, 64}, 1, 0), idle = filled({2048}, 1, 0);
  constexpr std::uint64_t plenty = std::uint64_t{1} << 40;
  const auto multiply = [&](one_device& t) {
    auto made = t.rt.device_task(ops::matmul{}).options({.device = "test"}).remote(a, a);
    return values_of(t.rt.get(made)) == std::vector<float>(64 * 64, 64);
  };
  one_device wide(false, plenty);
  CHECK(multiply(wide));
  REQUIRE(wide.device().allocated > 4);  // more than the input and the result, each staged
  const std::uint64_t most = plenty - wide.device().least_room_bytes;
  one_device t(false, most + bytes_of(idle) - 64);
  CHECK(t.run(idle));
  CHECK(t.device().refused == 0);
  CHECK(multiply(t));
  CHECK(t.device().refused > 0);
  CHECK(t.status().failures == 0);
}

// -- when the store has none

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
  wait_until([&] { return t.resident() == 0; });
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
  t.wait_for_resident(0);
}

}  // namespace device_memory_tests
