// SPDX-License-Identifier: Apache-2.0
// Isolated calls that wait for isolated calls, on a box of one cpu: each lends it while it waits.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/ports/scratch_folder.hpp"

namespace isolated_waits {

using namespace beamlet;

const task_options apart{.isolation = isolation::process};

int leaf(int a) { return a + 1; }
BEAMLET_REMOTE(leaf);

int below(int depth);
async<int> below_slowly(int depth);
int below_by_wait(int depth);
int below_a_local_task(int depth);
BEAMLET_REMOTE(below);
BEAMLET_REMOTE(below_slowly);
BEAMLET_REMOTE(below_by_wait);
BEAMLET_REMOTE(below_a_local_task);

int below(int depth) {
  if (depth == 0) return 0;
  auto rt = this_task::runtime();
  auto value = rt.get(rt.task(below).options(apart).remote(depth - 1));
  return value.has_value() ? *value + 1 : -1000;
}
async<int> below_slowly(int depth) {
  if (depth == 0) co_return 0;
  auto value =
      co_await this_task::runtime().task(below_slowly).options(apart).remote(depth - 1).as_result();
  co_return value.has_value() ? *value + 1 : -1000;
}
int below_by_wait(int depth) {
  if (depth == 0) return 0;
  auto rt = this_task::runtime();
  std::vector<ref<int>> all;
  for (int i = 0; i < 2; ++i) all.push_back(rt.task(leaf).options(apart).remote(i));
  all.push_back(rt.task(below_by_wait).options(apart).remote(depth - 1));
  auto done = rt.wait(all, {.num_returns = all.size()});
  if (!done.has_value() || !done->unready.empty()) return -1000;
  return *rt.get(all.back()) + 1;
}
int below_a_local_task(int depth) {
  if (depth == 0) return 0;
  auto rt = this_task::runtime();
  auto local = rt.task([depth] {
    auto inner = this_task::runtime();
    return *inner.get(inner.task(below_a_local_task).options(apart).remote(depth - 1)) + 1;
  });
  return *rt.get(std::move(local).remote());
}

class middle {
 public:
  explicit middle(int by) : by_(by) {}
  int add(int a) {
    auto rt = this_task::runtime();
    return *rt.get(rt.task(leaf).options(apart).remote(a)) + by_;
  }
  async<int> add_slowly(int a) {
    auto value = co_await this_task::runtime().task(leaf).options(apart).remote(a).as_result();
    co_return value.has_value() ? *value + by_ : -1000;
  }

 private:
  int by_;
};
BEAMLET_REMOTE(beamlet::constructor<middle(int)>);
BEAMLET_REMOTE(&middle::add);
BEAMLET_REMOTE(&middle::add_slowly);

int through_an_actor(int a) {
  auto rt = this_task::runtime();
  auto made = rt.actor<middle>().options({.isolation = isolation::process}).remote(10);
  return *rt.get(made.call(&middle::add, a)) + *rt.get(made.call(&middle::add_slowly, a));
}
BEAMLET_REMOTE(through_an_actor);

constexpr int many = 2 << 20;  // 8 MiB of them

std::vector<int> made(int value) { return std::vector<int>(many, value); }
BEAMLET_REMOTE(made);

int damage_files(const std::string& folder) {
  int files = 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
    if (!each.is_regular_file() || each.file_size() < many) continue;
    std::fstream file(each.path(), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(many, '\0');
    ++files;
  }
  return files;
}
/// The sum of what another call made, after it was spilled and its file was damaged.
long long sum_of_damaged(std::string folder) {
  auto rt = this_task::runtime();
  auto all = rt.task(made).options({.max_retries = 3, .isolation = isolation::process}).remote(3);
  if (!rt.wait(std::vector{all}).has_value()) return -1;
  {
    // Both together leave no room for it, but on disk.
    auto one = tensor_builder<float>::make({3 << 20}, rt.memory());
    auto two = tensor_builder<float>::make({3 << 20}, rt.memory());
    if (!two.has_value() || damage_files(folder) == 0) return -2;
  }
  auto values = rt.get(all);
  return values.has_value() ? std::accumulate(values->begin(), values->end(), 0LL) : -3;
}
BEAMLET_REMOTE(sum_of_damaged);

runtime start() {
  auto rt = runtime::start({.workers = 1, .worker_processes_max = 8});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}
template <class T>
T value_of(result<T> r) {
  if (!r.has_value()) FAIL(r.error().describe());
  return *std::move(r);
}

TEST_CASE("isolated tasks nested deeper than there are cpus all run") {
  runtime rt = start();
  CHECK(value_of(rt.get(rt.task(below).options(apart).remote(5))) == 5);
  CHECK(value_of(rt.get(rt.task(below_slowly).options(apart).remote(5))) == 5);
  CHECK(value_of(rt.get(rt.task(below_by_wait).options(apart).remote(4))) == 4);
  CHECK(value_of(rt.get(rt.task(below_a_local_task).options(apart).remote(4))) == 4);
}

TEST_CASE("an isolated task and an isolated actor wait for each other's tasks on one cpu") {
  runtime rt = start();
  CHECK(value_of(rt.get(rt.task(through_an_actor).options(apart).remote(1))) == 24);
  auto made = rt.actor<middle>().options({.isolation = isolation::process}).remote(10);
  CHECK(value_of(rt.get(made.call(&middle::add, 1))) == 12);
  CHECK(value_of(rt.get(made.call(&middle::add_slowly, 1))) == 12);
}

TEST_CASE("what waited has its cpu back: one box of one cpu still runs one task at a time") {
  runtime rt = start();
  std::vector<ref<int>> all;
  for (int i = 0; i < 6; ++i) all.push_back(rt.task(below).options(apart).remote(2));
  for (ref<int>& each : all) CHECK(value_of(rt.get(each)) == 2);
  CHECK(value_of(rt.get(rt.task(leaf).options(apart).remote(1))) == 2);
}

TEST_CASE("who reads what has to be made again lends its cpu for that") {
  scratch_folder folder;
  auto rt = runtime::start({.workers = 1,
                            .object_store_memory = std::uint64_t{32} << 20,
                            .spill_folder = folder.path() + "/spill"});
  REQUIRE(rt.has_value());
  auto sum = rt->task(sum_of_damaged).options(apart).remote(folder.path());
  CHECK(value_of(rt->get(sum)) == 3LL * many);
}

}  // namespace isolated_waits
