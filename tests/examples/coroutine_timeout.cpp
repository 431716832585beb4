// SPDX-License-Identifier: Apache-2.0
// An actor whose method is a coroutine: it asks a better actor, waits at most 50 ms without holding
// a thread, and answers by itself when that takes too long.
#include <beamlet/beamlet.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct expert {
  // An hour, so that the example always shows the time-out.
  beamlet::async<std::string> name_of(int picture) {
    co_await beamlet::sleep_for(1h);
    co_return "a rare bird (" + std::to_string(picture) + ")";
  }
};

// [detector]
struct detector {
  explicit detector(beamlet::actor_handle<expert> better) : better_(better) {}

  beamlet::async<std::string> run(int picture) {
    auto asked = better_.call(&expert::name_of, picture);
    beamlet::result<std::string> answer = co_await asked.within(50ms);  // value or error
    if (answer) co_return *answer;
    beamlet::this_task::runtime().cancel(asked).value();  // a time-out leaves the call alone
    co_return "some bird, " + std::string(answer.error().message());
  }

 private:
  beamlet::actor_handle<expert> better_;
};
// [/detector]

int main() {
  auto rt = beamlet::runtime::start().value();
  auto slow = rt.actor<expert>().remote();
  auto quick = rt.actor<detector>().remote(slow);
  std::cout << rt.get(quick.call(&detector::run, 7)).value() << '\n';
}
