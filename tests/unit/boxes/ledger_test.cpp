// SPDX-License-Identifier: Apache-2.0
// One ledger for all programs of a box.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include "node/box.hpp"
#include "node/box_status.hpp"

namespace box_ledger_tests {

using namespace beamlet;

int process_on_box(int) { return static_cast<int>(getpid()); }
int with_a_camera_inside(int a) {
  auto rt = this_task::runtime();
  auto value =
      rt.get(rt.task([a] { return a + 1; }).options({.resources = {{"camera", 1}}}).remote());
  return value.has_value() ? *value : -1;
}
BEAMLET_REMOTE(process_on_box);
BEAMLET_REMOTE(with_a_camera_inside);

struct keeper {
  int one() { return 1; }
};

const task_options apart{.isolation = isolation::process};
const task_options filming{.resources = {{"camera", 1}}};

runtime attach(const std::string& box, resource_list resources = {{"camera", 1}}) {
  auto rt =
      runtime::start({.workers = 2, .resources = std::move(resources), .box = box, .box_idle = {}});
  if (!rt.has_value()) FAIL(rt.error().describe());
  return *std::move(rt);
}
wire::resource_status camera_of(const std::string& box) {
  auto all = node::ask_status(node::box_folder(), box, 0, 10'000'000'000);
  REQUIRE(all.has_value());
  for (const wire::resource_status& each : all->resources)
    if (each.name == "camera") return each;
  return {};
}
// A task that has the camera until it is told to end.
struct holder {
  explicit holder(runtime& rt)
      : task(rt.task([this] {
                 begun.set_value();
                 go.get_future().wait();
                 return 1;
               })
                 .options({.resources = {{"camera", 1}}, .blocking = true})
                 .remote()) {
    begun.get_future().wait();
  }
  std::promise<void> begun, go;
  ref<int> task;
};

TEST_CASE("a resource of a box is one program's at a time") {
  runtime one = attach("labels"), two = attach("labels");
  auto free = camera_of("labels");
  CHECK(free.total == amount_per_unit);
  CHECK(free.available == amount_per_unit);
  holder here(one);
  CHECK(camera_of("labels").borrowed == amount_per_unit);
  auto there = two.task([] { return 2; }).options(filming).remote();
  CHECK_FALSE(there.ready());
  here.go.set_value();
  CHECK(*two.get(there) == 2);
  CHECK(*one.get(here.task) == 1);
  // And back, with nobody who uses it.
  CHECK(*one.get(one.task([] { return 3; }).options(filming).remote()) == 3);
  CHECK(camera_of("labels").available == 0);
}

TEST_CASE("isolated calls and programs share a box's resources") {
  runtime one = attach("both");
  task_options isolated = filming;
  isolated.isolation = isolation::process;
  holder here(one);
  auto call = one.task(process_on_box).options(isolated).remote(0);
  CHECK_FALSE(call.ready());
  here.go.set_value();
  CHECK(*one.get(call) != getpid());
  CHECK(*one.get(one.task([] { return 3; }).options(filming).remote()) == 3);
  CHECK(*one.get(one.task(with_a_camera_inside).options(apart).remote(4)) == 5);
  CHECK(*one.get(one.task([] { return 6; }).options(filming).remote()) == 6);
}

TEST_CASE("a program that leaves gives back what it had borrowed") {
  runtime stays = attach("leaves");
  {
    runtime leaves = attach("leaves");
    CHECK(*leaves.get(leaves.task([] { return 1; }).options(filming).remote()) == 1);
    CHECK(camera_of("leaves").borrowed == amount_per_unit);
  }
  CHECK(*stays.get(stays.task([] { return 2; }).options(filming).remote()) == 2);
}

TEST_CASE("what a box does not have is infeasible, whatever its program says that it has") {
  runtime one = attach("less"), two = attach("less", {{"lidar", 2}});
  auto too_many = one.task([] { return 1; }).options({.resources = {{"camera", 2}}}).remote();
  CHECK(one.get(too_many).error().code() == errc::infeasible);
  auto unknown = two.task([] { return 1; }).options({.resources = {{"lidar", 1}}}).remote();
  CHECK(two.get(unknown).error().code() == errc::infeasible);
  CHECK(*two.get(two.task([] { return 1; }).options(filming).remote()) == 1);
}

TEST_CASE("an actor has a box's resources for life") {
  runtime one = attach("for_life"), two = attach("for_life");
  auto first = one.actor<keeper>().options({.resources = {{"camera", 1}}}).remote();
  CHECK(*one.get(first.call(&keeper::one)) == 1);
  auto second = two.actor<keeper>().options({.resources = {{"camera", 1}}}).remote();
  CHECK(two.get(second.call(&keeper::one)).error().code() == errc::busy);
  one.kill(first);
  CHECK(*two.get(two.task([] { return 2; }).options(filming).remote()) == 2);
}

TEST_CASE("programs of one file share the worker processes of their box") {
  runtime one = attach("pool"), two = attach("pool");
  int process = *one.get(one.task(process_on_box).options(apart).remote(0));
  CHECK(*two.get(two.task(process_on_box).options(apart).remote(0)) == process);
}

}  // namespace box_ledger_tests
