// SPDX-License-Identifier: Apache-2.0
// Tasks for devices: where they run, in which order, and what they leave where.
#include "switched_device.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/ports/scratch_folder.hpp"

namespace device_tasks_tests {
using namespace device_tests;

TEST_CASE("a device task computes on the processor where there is nothing else") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto sum = rt.device_task(ops::elementwise{{{ops::function::add, 1}}})
                 .remote(filled({4}, 1), rt.put(filled({4}, 10)));
  CHECK(values_of(rt.get(sum)) == std::vector<float>{11, 13, 15, 17});
  auto report = rt.devices();
  REQUIRE(report.has_value());
  CHECK(status_of(*report, "cpu:0").tasks == 1);
}

TEST_CASE("large work is shared by the workers and comes out the same") {
  test_devices none(0);
  auto options = none.options();
  options.workers = 4;
  auto rt = runtime::start(options).value();
  const tensor a = filled({300, 200}, -30000), b = filled({200, 100}, 0.5f);
  auto many = rt.device_task(ops::matmul{}).remote(a, b);
  options.workers = 0;
  auto alone = runtime::start(options).value();
  auto one = alone.device_task(ops::matmul{}).remote(a, b);
  CHECK(values_of(rt.get(many)) == values_of(alone.get(one)));
}

TEST_CASE("a device that is wanted by name does the work") {
  test_devices two(2);
  auto rt = runtime::start(two.options()).value();
  auto first = rt.device_task(scaled(2, 1)).options({.device = "test:0"}).remote(filled({3}, 1));
  auto second = rt.device_task(scaled(2, 1)).options({.device = "test:1"}).remote(first);
  CHECK(values_of(rt.get(second)) == std::vector<float>{7, 11, 15});
  auto report = rt.devices().value();
  CHECK(status_of(report, "test:0").tasks == 1);
  CHECK(status_of(report, "test:1").tasks == 1);
  CHECK(status_of(report, "cpu:0").tasks == 0);
  REQUIRE(report.work.size() == 2);
  CHECK(report.work[1].name == "elementwise");
  CHECK(report.work[1].device == "test:1");
  CHECK(report.work[1].tasks == 1);
}

TEST_CASE("a name that no device has is an error that lists those there are") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  auto got =
      rt.get(rt.device_task(scaled(1, 0)).options({.device = "rocm"}).remote(filled({1}, 0)));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::not_found);
  CHECK(got.error().describe().find("test:0") != std::string::npos);
}

TEST_CASE("a device that the options name, and that is not there, fails every device task") {
  test_devices one(1);
  auto options = one.options();
  options.device = "vulkan";
  auto rt = runtime::start(options).value();
  auto got = rt.get(rt.device_task(scaled(1, 0)).remote(filled({1}, 0)));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::not_found);
  CHECK(rt.devices().value().explanation.find("vulkan") != std::string::npos);
}

TEST_CASE("shapes that do not fit are told by the op") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto got = rt.get(rt.device_task(ops::matmul{}).remote(filled({2, 3}, 0), filled({4, 2}, 0)));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::invalid_argument);
  CHECK(got.error().describe().find("matmul") != std::string::npos);
}

TEST_CASE("an input that failed fails the task with its error") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto bad = rt.device_task(ops::matmul{}).remote(filled({2}, 0), filled({3, 1}, 0));
  auto got = rt.get(rt.device_task(scaled(1, 0)).remote(bad));
  REQUIRE(!got.has_value());
  CHECK(got.error().describe().find("matmul") != std::string::npos);
  CHECK(!rt.get(rt.device_task(scaled(1, 0)).remote(ref<tensor>())).has_value());
}

TEST_CASE("tasks of one device are queued behind one another without waiting for the program") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  switches& device = *one.how[0];
  device.close();
  auto other = rt.device_task(scaled(1, 0)).options({.device = "test"}).remote(filled({2}, 0));
  REQUIRE(device.logs("sw"));  // the device is at work, and its lane waits for it
  ref<tensor> x = rt.put(filled({2}, 0));
  for (int i = 0; i < 4; ++i)
    x = rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(x);
  // Each task knows that the one before it is in the queue, and goes there, too.
  auto last = rt.device_task(scaled(2, 0)).options({.device = "test"}).remote(x);
  wait_for_queue(rt, 6);
  device.open();
  CHECK(values_of(rt.get(last)) == std::vector<float>{8, 10});
  CHECK(values_of(rt.get(x)) == std::vector<float>{4, 5});
  CHECK(device.log().substr(0, 8) == "swsssssw");  // five in a row, then the first wait
  CHECK(rt.get(other).has_value());
}

namespace {
/// Two results: twice the numbers, and ten times.
kernel_options two_multiples() {
  return {.name = "two_multiples",
          .cpu =
              [](const kernel_part& part) {
                for (std::uint64_t i = part.first; i < part.last; ++i) {
                  part.as<float>(1)[i] = 2 * part.as<const float>(0)[i];
                  part.as<float>(2)[i] = 10 * part.as<const float>(0)[i];
                }
              },
          .inputs = {dtypes::f32},
          .outputs = {dtypes::f32, dtypes::f32}};
}
}  // namespace

TEST_CASE("what takes one of several results is queued behind the task that makes them") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  auto kernel = rt.kernel(two_multiples()).value();
  const device_task_options on_test{.device = "test"};
  const auto multiples = [&](std::size_t results) {
    return rt.device_task(kernel.call({{dtypes::f32, {2}}, {dtypes::f32, {2}}}, {2}))
        .options(on_test)
        .remote_all(results, filled({2}, 1));
  };
  switches& device = *one.how[0];
  device.close();
  auto other = rt.device_task(scaled(1, 0)).options(on_test).remote(filled({2}, 0));
  REQUIRE(device.logs("sw"));
  auto made = multiples(2);
  auto sum = rt.device_task(scaled(1, 1)).options(on_test).remote(made[1]);
  made.erase(made.begin());  // who still wants the other one keeps it
  wait_for_queue(rt, 3);
  device.open();
  CHECK(values_of(rt.get(sum)) == std::vector<float>{11, 21});
  CHECK(values_of(rt.get(made[0])) == std::vector<float>{10, 20});
  CHECK(device.log().substr(0, 5) == "swssw");
  CHECK(rt.get(other).has_value());
}

TEST_CASE("what takes one of more results than there are fails, also behind the task itself") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  auto kernel = rt.kernel(two_multiples()).value();
  switches& device = *one.how[0];
  device.close();
  auto three = rt.device_task(kernel.call({{dtypes::f32, {2}}, {dtypes::f32, {2}}}, {2}))
                   .options({.device = "test"})
                   .remote_all(3, filled({2}, 1));
  auto of_first = rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(three[0]);
  REQUIRE(device.logs("sw"));
  device.open();
  CHECK(rt.get(of_first).error().code() == errc::invalid_argument);
}

TEST_CASE("large objects are used in place, small ones copied, and both stay on the device") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  const auto run = [&](const ref<tensor>& x) {
    auto got = rt.get(rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(x));
    REQUIRE(got.has_value());
  };
  auto large = rt.put(filled({1 << 16}, 0)), small = rt.put(filled({8}, 0));
  run(large);
  auto is = status_of(rt.devices().value(), "test:0");
  CHECK(is.copied_bytes == 0);
  CHECK(is.imported_bytes == 2 * (sizeof(float) << 16));  // the input and the result
  run(small);
  is = status_of(rt.devices().value(), "test:0");
  CHECK(is.copied_bytes == 2 * 8 * sizeof(float));
  const int allocated = one.how[0]->allocated, imported = one.how[0]->imported;
  run(large);
  run(small);
  CHECK(one.how[0]->allocated == allocated + 1);  // the small result
  CHECK(one.how[0]->imported == imported + 1);    // the large one
}

TEST_CASE("a device that refuses to import an object gets a copy, and that is counted") {
  test_devices one(1);
  one.how[0]->imports = false;
  auto rt = runtime::start(one.options()).value();
  auto x = rt.put(filled({1 << 16}, 0));
  auto y = rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(x);
  CHECK(values_of(rt.get(y))[100] == 101);
  auto is = status_of(rt.devices().value(), "test:0");
  CHECK(is.tasks == 1);
  CHECK(is.imported_bytes == 0);
  CHECK(is.copied_bytes == 2 * (sizeof(float) << 16));
}

TEST_CASE("a device with memory of its own gets copies, and gives copies back") {
  test_devices one(1, false);
  auto rt = runtime::start(one.options()).value();
  auto x = rt.put(filled({1 << 15}, 0));
  auto y = rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(x);
  auto z = rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(y);
  CHECK(values_of(rt.get(z))[100] == 102);
  auto is = status_of(rt.devices().value(), "test:0");
  CHECK(is.imported_bytes == 0);
  CHECK(is.copied_bytes >= 3 * (sizeof(float) << 15));
}

TEST_CASE("what nobody holds any more goes from the device, and the rest when room is short") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  auto x = rt.put(filled({1 << 16}, 0));
  const auto run = [&] {
    REQUIRE(rt.get(rt.device_task(scaled(1, 1)).options({.device = "test"}).remote(x)).has_value());
  };
  const auto resident = [&] { return status_of(rt.devices().value(), "test:0").resident_bytes; };
  for (int i = 0; i < 20; ++i) run();
  // The input, and results that nobody has let go of yet: it looks when it finishes the next.
  wait_until([&] {
    run();
    return resident() <= 3 * (sizeof(float) << 16);
  });
  CHECK(resident() >= sizeof(float) << 16);
  auto service =
      detail::device_service::of(*static_cast<detail::runtime_core*>(rt.scheduler().facade));
  service->on_pressure();
  wait_until([&] { return resident() == 0; });
  run();
}

TEST_CASE("strided tensors and views are inputs like others") {
  test_devices one(1);
  auto rt = runtime::start(one.options()).value();
  const tensor all = filled({40, 50}, 0);
  for (const char* where : {"cpu", "test"}) {
    auto t = rt.device_task(ops::copy{})
                 .options({.device = where})
                 .remote(*all.slice(1, 10, 5, 2)->permuted({1, 0}));
    auto got = values_of(rt.get(t));
    REQUIRE(got.size() == 200);
    CHECK(got[0] == 10);
    CHECK(got[1] == 60);
    CHECK(got[40] == 12);
  }
}

TEST_CASE("the timeline shows what a device did") {
  test_devices one(1);
  auto options = one.options();
  options.timeline_events = 1000;
  auto rt = runtime::start(options).value();
  auto y = rt.device_task(scaled(1, 1))
               .options({.name = "brighten", .device = "test"})
               .remote(filled({8}, 0));
  REQUIRE(rt.get(y).has_value());
  scratch_folder folder;
  const std::string path = folder.path() + "/timeline.json";
  REQUIRE(rt.write_timeline(path).has_value());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str().find("\"test:0 brighten\"") != std::string::npos);
}

TEST_CASE("there is a gpu of the resource for each device that is none of the processor's") {
  test_devices one(1);
  one.given[0].record.info.kind = compute::device_kind::discrete;
  auto rt = runtime::start(one.options()).value();
  REQUIRE(rt.devices().has_value());
  auto free = rt.task([] { return 1; }).options({.num_gpus = 1}).remote();
  CHECK(rt.get(free).value() == 1);
  auto too_many = rt.task([] { return 1; }).options({.num_gpus = 2}).remote();
  CHECK(rt.get(too_many).error().code() == errc::infeasible);
}

TEST_CASE("a task that waits for a gpu begins when devices are known") {
  test_devices one(1);
  one.given[0].record.info.kind = compute::device_kind::discrete;
  auto rt = runtime::start(one.options()).value();
  auto waits = rt.task([] { return 1; })
                   .options({.num_gpus = 1, .on_infeasible = on_infeasible::wait})
                   .remote();
  wait_until([&] { return rt.stats().waiting_for_resources == 1; });
  REQUIRE(rt.devices().has_value());
  CHECK(rt.get(waits).value() == 1);
}

// A runtime with one gpu, and work for it.
struct one_gpu {
  test_devices one{1};
  runtime rt;
  explicit one_gpu(compute::device_kind kind = compute::device_kind::discrete) {
    one.given[0].record.info.kind = kind;
    rt = runtime::start(one.options()).value();
    REQUIRE(rt.devices().has_value());
  }
  switches& device() { return *one.how[0]; }
  template <class Input>
  ref<tensor> run(Input&& x, double gpus, priority at = priority::normal) {
    device_task_options how;
    how.device = "test";
    how.num_gpus = gpus;
    how.priority = at;
    return rt.device_task(scaled(2, 1)).options(how).remote(std::forward<Input>(x));
  }
  // Each that has its share is two tasks: one for that share, and one on the device.
  void wait_until(std::uint64_t suspended, std::uint64_t without_gpu) {
    device_tests::wait_until([&] {
      const auto now = rt.stats();
      return now.suspended == suspended && now.waiting_for_resources == without_gpu;
    });
  }
};

TEST_CASE("device tasks take shares of the gpu, and wait for them") {
  one_gpu t;
  t.device().close();
  auto half = t.run(filled({2}, 0), 0.5);
  REQUIRE(t.device().logs("sw"));
  auto other_half = t.run(filled({2}, 1), 0.5), third = t.run(filled({2}, 2), 0.5);
  t.wait_until(5, 1);
  t.device().open();
  CHECK(values_of(t.rt.get(half)) == std::vector<float>{1, 3});
  CHECK(values_of(t.rt.get(other_half)) == std::vector<float>{3, 5});
  CHECK(values_of(t.rt.get(third)) == std::vector<float>{5, 7});
}

TEST_CASE("a device task has no gpu while what it needs waits for one") {
  one_gpu t;
  t.device().close();
  auto first = t.run(filled({2}, 0), 1);
  REQUIRE(t.device().logs("sw"));
  auto x = t.run(filled({2}, 0), 1, priority::low);
  auto y = t.run(x, 1, priority::high);
  t.wait_until(4, 1);  // the first, x, and y, which waits for x to be on its way
  auto several = t.rt.device_task(scaled(2, 1)).options({.num_gpus = 1}).remote_all(1, y);
  t.device().open();
  CHECK(values_of(t.rt.get(y)) == std::vector<float>{3, 7});
  CHECK(values_of(t.rt.get(several[0])) == std::vector<float>{7, 15});
  CHECK(t.rt.get(first).has_value());
}

TEST_CASE("a device task that wants more gpus than there are fails, as does what needs it") {
  one_gpu t;
  auto x = t.run(filled({2}, 0), 2);
  auto y = t.run(x, 0);
  CHECK(t.rt.get(x).error().code() == errc::infeasible);
  CHECK(!t.rt.get(y).has_value());
}

TEST_CASE("a software device that may not be chosen is no gpu") {
  one_gpu t(compute::device_kind::software);
  auto x = t.rt.device_task(scaled(2, 1)).options({.num_gpus = 1}).remote(filled({2}, 0));
  CHECK(t.rt.get(x).error().code() == errc::infeasible);
}

TEST_CASE("a task of several results gives a ref for each") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  auto one = rt.device_task(scaled(3, 0)).remote_all(1, filled({2}, 1));
  REQUIRE(one.size() == 1);
  CHECK(values_of(rt.get(one[0])) == std::vector<float>{3, 6});
  auto two = rt.device_task(scaled(3, 0)).remote_all(2, filled({2}, 1));
  auto got = rt.get(two[1]);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::invalid_argument);
}

TEST_CASE("each ref of several results has the task's error, by the op's name") {
  test_devices none(0);
  auto rt = runtime::start(none.options()).value();
  const tensor two = filled({2}, 0), three = filled({3, 1}, 0);
  for (const auto& one : rt.device_task(ops::matmul{}).remote_all(2, two, three)) {
    auto got = rt.get(one);
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::invalid_argument);
    CHECK(got.error().describe().find("lambda") == std::string::npos);
    CHECK(got.error().describe().find("matmul") != std::string::npos);
  }
  auto empty = rt.device_task(ops::matmul{}).remote_all(2, two, ref<tensor>());
  REQUIRE(empty.size() == 2);
  for (const auto& one : empty) {
    auto got = rt.get(one);
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::invalid_ref);
  }
}

}  // namespace device_tasks_tests
