// SPDX-License-Identifier: Apache-2.0
// A program and its worker processes have one ledger.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <future>
#include <vector>

#include <unistd.h>

namespace isolated_resources {

using namespace beamlet;

int with_gpu(int a) { return a + 1; }
int with_gpu_inside(int a) {
  auto rt = this_task::runtime();
  int sum = 0;
  for (int i = 0; i < 3; ++i)
    sum += *rt.get(rt.task([a] { return a; }).options({.num_gpus = 1}).remote());
  return sum;
}
int too_much_inside(int) {
  auto rt = this_task::runtime();
  return static_cast<int>(
      rt.get(rt.task([] { return 1; }).options({.num_gpus = 3}).remote()).error().code());
}
BEAMLET_REMOTE(with_gpu);
BEAMLET_REMOTE(with_gpu_inside);
BEAMLET_REMOTE(too_much_inside);

const task_options apart{.isolation = isolation::process};
const task_options both{.num_gpus = 1, .isolation = isolation::process};

runtime start() {
  auto rt = runtime::start({.workers = 2, .resources = {{"gpu", 1}}});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}
template <class T>
T value_of(result<T> r) {
  if (!r.has_value()) FAIL(r.error().describe());
  return *std::move(r);
}

TEST_CASE("what the program's own task has, an isolated one waits for, and the other way round") {
  runtime rt = start();
  std::promise<void> begun, go;
  auto own = rt.task([&] {
                 begun.set_value();
                 go.get_future().wait();
                 return 1;
               })
                 .options({.num_gpus = 1, .blocking = true})
                 .remote();
  begun.get_future().wait();
  auto isolated = rt.task(with_gpu).options(both).remote(1);  // only now there is an agent
  CHECK(value_of(rt.get(rt.task(with_gpu).options(apart).remote(5))) == 6);
  CHECK_FALSE(isolated.ready());
  go.set_value();
  CHECK(value_of(rt.get(isolated)) == 2);
  CHECK(value_of(rt.get(own)) == 1);
  std::vector<ref<int>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(rt.task(with_gpu).options(both).remote(i));
    all.push_back(rt.task([i] { return i + 1; }).options({.num_gpus = 1}).remote());
  }
  for (int i = 0; i < 40; ++i)
    CHECK(value_of(rt.get(all[static_cast<std::size_t>(i)])) == i / 2 + 1);
}

TEST_CASE("a task inside a worker process takes from the same ledger") {
  runtime rt = start();
  CHECK(value_of(rt.get(rt.task(with_gpu_inside).options(apart).remote(4))) == 12);
  CHECK(value_of(rt.get(rt.task([] { return 1; }).options({.num_gpus = 1}).remote())) == 1);
  CHECK(value_of(rt.get(rt.task(too_much_inside).options(apart).remote(1))) ==
        static_cast<int>(errc::infeasible));
}

TEST_CASE("more than the box has is infeasible for isolated tasks too, or waits if it may") {
  runtime rt = start();
  task_options greedy{.num_gpus = 2, .isolation = isolation::process};
  CHECK(rt.get(rt.task(with_gpu).options(greedy).remote(1)).error().code() == errc::infeasible);
  auto waits = rt.task([] { return 1; })
                   .options({.num_gpus = 2, .on_infeasible = on_infeasible::wait})
                   .remote();
  CHECK(value_of(rt.get(rt.task(with_gpu).options(both).remote(1))) == 2);
  CHECK(value_of(rt.get(rt.task([] { return 1; }).options({.num_gpus = 1}).remote())) == 1);
  CHECK_FALSE(waits.ready());
}

}  // namespace isolated_resources
