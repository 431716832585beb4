// SPDX-License-Identifier: Apache-2.0
// Actors with isolation = process: calls, order, errors, mailboxes, handles on their way.
#include "actors.hpp"

namespace isolated_actors {

TEST_CASE("an isolated actor keeps its state in a process of its own") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(10);
  auto two = rt.actor<counter>().options(apart).remote("four", 1);
  CHECK(value_of(rt.get(one.call(&counter::add, 1))) == 11);
  CHECK(value_of(rt.get(one.call(&counter::add, 2))) == 13);
  CHECK(value_of(rt.get(two.call(&counter::add, 1))) == 6);
  int first = value_of(rt.get(one.call(&counter::process)));
  int second = value_of(rt.get(two.call(&counter::process)));
  CHECK(first != getpid());
  CHECK(first != second);
  int third =
      value_of(rt.get(rt.task(process_number).options({.isolation = isolation::process}).remote()));
  CHECK(third != first);
  CHECK(third != second);
}

TEST_CASE("calls of one caller arrive in order, refs among their arguments included") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(0);
  auto slow = rt.task([] { return 1; }).options({.delay = 20ms}).remote();
  std::vector<ref<int>> all;
  for (int i = 0; i < 500; ++i) {
    if (i % 100 == 50) all.push_back(one.call(&counter::add, slow));
    else if (i % 100 == 51) all.push_back(one.call(&counter::add_of, slow));
    else if (i % 100 == 52) all.push_back(one.call(&counter::add_slowly, 1));
    else all.push_back(one.call(&counter::add, 1));
  }
  for (int i = 0; i < 500; ++i) CHECK(value_of(rt.get(all[static_cast<std::size_t>(i)])) == i + 1);
}

TEST_CASE("large arguments and results of an isolated actor come through") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  auto made = one.call(&counter::history, std::size_t{1} << 18);
  CHECK(value_of(rt.get(one.call(&counter::total, made))) == (1 << 18) + 1);
  CHECK(value_of(rt.get(made)).size() == std::size_t{1} << 18);
}

TEST_CASE("a method's own error arrives, and the actor goes on") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  auto failed = rt.get(one.call(&counter::refuse, -1));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code() == errc::invalid_argument);
  CHECK(value_of(rt.get(one.call(&counter::refuse, 4))) == 4);
  auto lambda = rt.get(one.call([](counter& c) { return c.process(); }));
  REQUIRE(!lambda.has_value());
  CHECK(lambda.error().code() == errc::not_registered);
}

TEST_CASE("what cannot live in a worker process says so") {
  runtime rt = start();
  auto never = rt.actor<unknown>().options(apart).remote(1);
  auto failed = rt.get(never.call(&unknown::one));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().describe().find("BEAMLET_REMOTE") != std::string::npos);
  auto hungry =
      rt.actor<counter>().options({.num_cpus = 1000, .isolation = isolation::process}).remote(1);
  auto refused = rt.get(hungry.call(&counter::add, 1));
  REQUIRE(!refused.has_value());
  CHECK(refused.error().describe().find("more resources") != std::string::npos);
  auto grouped = rt.actor<counter>()
                     .options({.concurrency_groups = {{"io", 2}}, .isolation = isolation::process})
                     .remote(1);
  CHECK(rt.get(grouped.call(&counter::add, 1)).error().code() == errc::unsupported);
}

TEST_CASE("a cancel reaches a call that waits for its turn in another process") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  auto running = one.call(&counter::forever);
  auto waiting = one.call(&counter::add, 1);
  CHECK(rt.cancel(waiting).has_value());
  rt.kill(one);
  CHECK(!rt.get(waiting).has_value());
  CHECK(!rt.get(running).has_value());
}

TEST_CASE("a full mailbox of an isolated actor refuses, drops or waits as one in the program") {
  runtime rt = start();
  auto made = [&](mailbox_policy policy, std::uint32_t capacity) {
    return rt.actor<counter>()
        .options({.mailbox_capacity = capacity,
                  .mailbox_policy = policy,
                  .isolation = isolation::process})
        .remote(1);
  };
  auto full = made(mailbox_policy::reject, 2);
  full.send(&counter::forever);
  errc last = errc::ok;
  for (int i = 0; i < 1000 && last == errc::ok; ++i) {
    auto next = full.call(&counter::add, 1);
    if (next.ready()) last = rt.get(next).error().code();
  }
  CHECK(last == errc::queue_full);
  auto newest = made(mailbox_policy::keep_latest, 1);
  newest.send(&counter::forever);
  auto dropped = newest.call(&counter::add, 1);
  auto kept = newest.call(&counter::add, 1);
  CHECK(rt.get(dropped).error().code() == errc::dropped);
  CHECK(!kept.ready());
  auto waits = made(mailbox_policy::block, 1);
  for (int i = 0; i < 200; ++i) waits.send(&counter::add, 1);
  CHECK(value_of(rt.get(waits.call(&counter::add, 0))) == 201);
}

TEST_CASE("an isolated actor with max_concurrency runs plain calls at once") {
  runtime rt = start();
  auto two =
      rt.actor<gate>().options({.max_concurrency = 2, .isolation = isolation::process}).remote();
  auto first = two.call(&gate::meet, 2);
  CHECK(value_of(rt.get(two.call(&gate::meet, 2))) == 2);
  CHECK(value_of(rt.get(first)) == 2);
}

TEST_CASE("an isolated actor starts with the environment that was asked for") {
  runtime rt = start();
  auto blue = rt.actor<gate>()
                  .options({.isolation = isolation::process,
                            .runtime_env = {.env_vars = {{"BEAMLET_TEST_COLOUR", "blue"}}}})
                  .remote();
  CHECK(value_of(rt.get(blue.call(&gate::variable, "BEAMLET_TEST_COLOUR"))) == "blue");
}

TEST_CASE("isolated actors are found by their names in the program") {
  runtime rt = start();
  auto made =
      rt.actor<counter>().options({.name = "numbers", .isolation = isolation::process}).remote(1);
  auto found = rt.get_actor<counter>("numbers");
  REQUIRE(found.has_value());
  CHECK(*found == made);
  CHECK(value_of(rt.get(found->call(&counter::add, 1))) == 2);
  rt.kill(made);
  CHECK(rt.get_actor<counter>("numbers").error().code() == errc::not_found);
}

TEST_CASE("an isolated actor works for a runtime without workers") {
  auto rt = runtime::start({.workers = 0});
  REQUIRE(rt.has_value());
  auto one = rt->actor<counter>().options(apart).remote(1);
  auto later = rt->task([](int a) { return a; }).remote(one.call(&counter::add, 1));
  CHECK(value_of(rt->get(later)) == 2);
}

// -- handles

TEST_CASE("a handle works in an isolated task, and calls keep their order there") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  task_options task_apart{.isolation = isolation::process};
  CHECK(value_of(rt.get(rt.task(add_through).options(task_apart).remote(one, 100))) == 101);
  CHECK(value_of(rt.get(one.call(&counter::add, 0))) == 101);
}

TEST_CASE("a handle works in another isolated actor, which may keep it") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  int process = value_of(rt.get(one.call(&counter::process)));
  auto friendly = rt.actor<forwarder>().options(apart).remote(one);
  one = {};
  for (int i = 0; i < 20; ++i) CHECK(value_of(rt.get(friendly.call(&forwarder::add, 1))) == 2 + i);
  auto back = value_of(rt.get(friendly.call(&forwarder::target)));
  CHECK(value_of(rt.get(back.call(&counter::process))) == process);
  CHECK(back == value_of(rt.get(friendly.call(&forwarder::target))));
  back = {};
  CHECK(kill(process, 0) == 0);
  friendly = {};
  CHECK(ends(process));
}

TEST_CASE("a handle of an actor that died is one whose calls fail, in every process") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  auto friendly = rt.actor<forwarder>().options(apart).remote(one);
  CHECK(value_of(rt.get(friendly.call(&forwarder::add, 1))) == 2);
  rt.kill(one);
  CHECK(!rt.get(one.call(&counter::add, 1)).has_value());
  CHECK(value_of(rt.get(friendly.call(&forwarder::error_code))) ==
        static_cast<int>(errc::actor_died));
}

TEST_CASE("a handle of an actor in the program itself does not travel, and says why") {
  runtime rt = start();
  auto here = rt.actor<counter>().remote(1);
  auto refused =
      rt.get(rt.task(add_through).options({.isolation = isolation::process}).remote(here, 1));
  REQUIRE(!refused.has_value());
  CAPTURE(refused.error().describe());
  CHECK(refused.error().code() == errc::unsupported);
  CHECK(refused.error().describe().find("isolation = process") != std::string::npos);
}

TEST_CASE("an isolated actor may make isolated actors, which end with it") {
  runtime rt = start();
  auto outer = rt.actor<maker>().options(apart).remote();
  int inner = value_of(rt.get(outer.call(&maker::make)));
  CHECK(inner != value_of(rt.get(outer.call(&maker::process))));
  CHECK(kill(inner, 0) == 0);
  rt.kill(outer);
  CHECK(ends(inner));
}

}  // namespace isolated_actors
