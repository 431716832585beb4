// SPDX-License-Identifier: Apache-2.0
// An actor that may crash lives in a process of its own, and is made again when it does.
#include <beamlet/beamlet.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

// [actor]
// A driver that somebody else wrote, for a camera that must be opened once.
class camera {
 public:
  explicit camera(std::string name) : name_(std::move(name)) {}
  std::string take(int number) {
    if (number == 13 && !beamlet::this_actor::was_restarted()) std::abort();
    return name_ + " " + std::to_string(number);
  }

 private:
  std::string name_;
};
BEAMLET_REMOTE(beamlet::constructor<camera(std::string)>);
BEAMLET_REMOTE(&camera::take);

// Runs in yet another process; its calls go to the camera's.
std::string take_two(beamlet::actor_handle<camera> from) {
  auto rt = beamlet::this_task::runtime();
  auto first = from.call(&camera::take, 1), second = from.call(&camera::take, 2);
  return rt.get(first).value() + ", " + rt.get(second).value();
}
BEAMLET_REMOTE(take_two);

int main(int argc, char** argv) {
  if (auto code = beamlet::run_child(argc, argv)) return *code;
  auto rt = beamlet::runtime::start().value();
  auto front = rt.actor<camera>()
                   .options({.max_restarts = 3,      // with the same arguments
                             .max_task_retries = 1,  // of calls under way; else: actor_died
                             .isolation = beamlet::isolation::process})
                   .remote("front");
  std::cout << rt.get(front.call(&camera::take, 13)).value() << '\n';
  auto two = rt.task(take_two).options({.isolation = beamlet::isolation::process}).remote(front);
  std::cout << rt.get(two).value() << '\n';
}
// [/actor]
