// SPDX-License-Identifier: Apache-2.0
// Names of actors with isolation = process: their agent knows them, so worker processes do.
#include "actors.hpp"

#include <thread>

namespace isolated_actors {

int add_to_named(const std::string& name, int by) {
  auto rt = this_task::runtime();
  auto found = rt.get_actor<counter>(name);
  if (!found.has_value()) return found.error().code() == errc::not_found ? -1 : -2;
  return rt.get(found->call(&counter::add, by)).value();
}
BEAMLET_REMOTE(add_to_named);

actor_options named(const std::string& name) {
  actor_options made = apart;
  made.name = name;
  return made;
}
int ask(runtime& rt, const std::string& name, int by) {
  return value_of(
      rt.get(rt.task(add_to_named).options({.isolation = isolation::process}).remote(name, by)));
}

TEST_CASE("an isolated actor is found by its name in worker processes") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(named("one")).remote(10);
  auto two = rt.actor<counter>().options(named("two")).remote(20);
  CHECK(ask(rt, "two", 1) == 21);
  CHECK(ask(rt, "one", 1) == 11);
  CHECK(value_of(rt.get(one.call(&counter::add, 1))) == 12);
  CHECK(ask(rt, "three", 1) == -1);
  auto again = rt.get_actor<counter>("one");
  REQUIRE(again.has_value());
  CHECK(*again == one);
}

TEST_CASE("a name is free again when its isolated actor has ended, however it did") {
  runtime rt = start();
  for (bool killed : {true, false}) {
    auto one = rt.actor<counter>().options(named("short")).remote(1);
    CHECK(ask(rt, "short", 1) == 2);
    auto taken = rt.actor<counter>().options(named("short")).remote(2);
    CHECK(rt.get(taken.call(&counter::add, 1)).error().code() == errc::already_exists);
    if (killed) rt.kill(one);
    else one = {};
    while (ask(rt, "short", 0) != -1) std::this_thread::yield();
  }
  auto next = rt.actor<counter>().options(named("short")).remote(3);
  CHECK(ask(rt, "short", 1) == 4);
}

TEST_CASE("an actor that could not be made leaves no name") {
  runtime rt = start();
  actor_options hungry = named("hungry");
  hungry.num_cpus = 1000;
  auto never = rt.actor<counter>().options(hungry).remote(1);
  CHECK(!rt.get(never.call(&counter::add, 1)).has_value());
  never = {};
  while (ask(rt, "hungry", 0) != -1) std::this_thread::yield();
  auto next = rt.actor<counter>().options(named("hungry")).remote(3);
  CHECK(ask(rt, "hungry", 1) == 4);
}

}  // namespace isolated_actors
