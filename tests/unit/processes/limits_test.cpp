// SPDX-License-Identifier: Apache-2.0
// memory_max and cpu_time_max, of tasks and of actors.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>

#include <cstdlib>
#include <string>

#include "tests/unit/processes/actors.hpp"

namespace isolated_limits {

using namespace beamlet;
using namespace std::chrono_literals;
using isolated_actors::value_of;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

bool may_have(std::size_t bytes) {
  void* got = std::malloc(bytes);
  if (got != nullptr) static_cast<volatile char*>(got)[bytes / 2] = 1;
  std::free(got);
  return got != nullptr;
}
int burn() {
  for (volatile unsigned n = 0;;) n = n + 1;
}
BEAMLET_REMOTE(may_have);
BEAMLET_REMOTE(burn);

struct worker {
  bool may_have(std::size_t bytes) { return isolated_limits::may_have(bytes); }
  int burn() { return isolated_limits::burn(); }
};
BEAMLET_REMOTE(beamlet::constructor<worker()>);
BEAMLET_REMOTE(&worker::may_have);
BEAMLET_REMOTE(&worker::burn);

bool names_signal(const error& why, int number) {
  return why.describe().find("signal " + std::to_string(number)) != std::string::npos;
}

TEST_CASE("a worker process is refused memory past memory_max, and goes on" *
          doctest::skip(BEAMLET_ADDRESS_SANITIZER || BEAMLET_THREAD_SANITIZER)) {
  runtime rt = isolated_actors::start();
  const std::size_t little = 1 * mib, much = 768 * mib;
  const task_options task{.isolation = isolation::process, .memory_max = 512 * mib};
  CHECK(value_of(rt.get(rt.task(may_have).options(task).remote(little))));
  CHECK_FALSE(value_of(rt.get(rt.task(may_have).options(task).remote(much))));
  auto bounded = rt.actor<worker>()
                     .options({.isolation = isolation::process, .memory_max = 512 * mib})
                     .remote();
  CHECK(value_of(rt.get(bounded.call(&worker::may_have, little))));
  CHECK_FALSE(value_of(rt.get(bounded.call(&worker::may_have, much))));
  CHECK(value_of(rt.get(bounded.call(&worker::may_have, little))));
}

TEST_CASE("processor time past cpu_time_max ends the worker process of a task or an actor") {
  runtime rt = isolated_actors::start();
  auto task = rt.task(burn).options({.isolation = isolation::process, .cpu_time_max = 1s}).remote();
  auto one =
      rt.actor<worker>().options({.isolation = isolation::process, .cpu_time_max = 1s}).remote();
  auto call = one.call(&worker::burn);
  auto of_task = rt.get(task), of_actor = rt.get(call);
  REQUIRE(!of_task.has_value());
  CHECK(of_task.error() == errc::worker_died);
  CHECK(names_signal(of_task.error(), SIGXCPU));
  REQUIRE(!of_actor.has_value());
  CHECK(of_actor.error() == errc::actor_died);
  CHECK(names_signal(of_actor.error(), SIGXCPU));
}

TEST_CASE("an actor that used up its processor time is made again with as much") {
  runtime rt = isolated_actors::start();
  auto again =
      rt.actor<worker>()
          .options({.max_restarts = 1, .isolation = isolation::process, .cpu_time_max = 1s})
          .remote();
  CHECK(rt.get(again.call(&worker::burn)).error() == errc::actor_died);
  CHECK(value_of(rt.get(again.call(&worker::may_have, std::size_t{100}))));
}

}  // namespace isolated_limits
