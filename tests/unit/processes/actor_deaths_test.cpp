// SPDX-License-Identifier: Apache-2.0
// How actors with isolation = process end, and are made again.
#include "actors.hpp"

#include <thread>

namespace isolated_actors {

TEST_CASE("the process of an actor that nobody has a handle of ends") {
  runtime rt = start();
  int process = 0;
  {
    auto one = rt.actor<counter>().options(apart).remote(1);
    process = value_of(rt.get(one.call(&counter::process)));
  }
  CHECK(ends(process));
}

TEST_CASE("the destructor of an isolated actor runs when its last handle has gone") {
  char folder[] = "/tmp/beamlet-test-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  runtime rt = start();
  auto last = rt.actor<leaver>().options(apart).remote(std::string(folder));
  int process = value_of(rt.get(last.call(&leaver::process)));
  last = {};
  CHECK(ends(process));
  CHECK(rmdir(folder) != 0);  // it did
}

TEST_CASE("a killed actor's process ends, and its calls fail") {
  runtime rt = start();
  auto one = rt.actor<counter>().options(apart).remote(1);
  int process = value_of(rt.get(one.call(&counter::process)));
  auto running = one.call(&counter::forever);
  auto waiting = one.call(&counter::add, 1);
  rt.kill(one);
  CHECK(rt.get(running).error().code() == errc::actor_died);
  CHECK(rt.get(waiting).error().code() == errc::actor_died);
  CHECK(rt.get(one.call(&counter::add, 1)).error().code() == errc::actor_died);
  CHECK(ends(process));
}

TEST_CASE("the actors' processes end with the runtime") {
  std::vector<int> processes;
  actor_handle<counter> kept;
  {
    runtime rt = start();
    kept = rt.actor<counter>().options(apart).remote(1);
    auto other = rt.actor<counter>()
                     .options({.lifetime = lifetime::detached, .isolation = isolation::process})
                     .remote(1);
    processes = {value_of(rt.get(kept.call(&counter::process))),
                 value_of(rt.get(other.call(&counter::process)))};
    kept.send(&counter::forever);
  }
  for (int each : processes) CHECK(ends(each));
  runtime other = start();
  CHECK(other.get(kept.call(&counter::add, 1)).error().code() == errc::stopped);
}

#if BEAMLET_HAS_EXCEPTIONS
TEST_CASE("a constructor that fails is the isolated actor's death, and the cause of all errors") {
  runtime rt = start();
  auto never = rt.actor<picky>().options(apart).remote(-1);
  for (int i = 0; i < 2; ++i) {
    auto failed = rt.get(never.call(&picky::one));
    REQUIRE(!failed.has_value());
    CHECK(failed.error().code() == errc::actor_died);
    CHECK(failed.error().describe().find("the constructor refuses") != std::string::npos);
  }
  CHECK(value_of(rt.get(rt.actor<picky>().options(apart).remote(1).call(&picky::one))) == 1);
}
#endif

TEST_CASE("a constructor that crashes ends the isolated actor, or is run again") {
  runtime rt = start();
  auto never = rt.actor<picky>().options(apart).remote(0);
  auto failed = rt.get(never.call(&picky::one));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code() == errc::actor_died);
  CHECK(failed.error().describe().find("signal " + std::to_string(SIGABRT)) != std::string::npos);
  auto later =
      rt.actor<picky>().options({.max_restarts = 1, .isolation = isolation::process}).remote(0);
  CHECK(value_of(rt.get(later.call(&picky::one))) == 1);
}

TEST_CASE("a constructor's argument that failed is the isolated actor's death") {
  runtime rt = start();
  auto bad = rt.task([]() -> result<int> {
                 return error(errc::invalid_argument, error_layer::user, {"no number", "", "", ""});
               }).remote();
  auto never = rt.actor<counter>().options(apart).remote(bad);
  auto failed = rt.get(never.call(&counter::add, 1));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code() == errc::actor_died);
  CHECK(failed.error().describe().find("no number") != std::string::npos);
}

TEST_CASE("a crash ends an isolated actor, and the errors name signal and method") {
  runtime rt = start();
  for (int number : {SIGSEGV, SIGABRT, SIGKILL}) {
    CAPTURE(number);
    auto one = rt.actor<counter>().options(apart).remote(1);
    auto died = rt.get(one.call(&counter::crash, number));
    REQUIRE(!died.has_value());
    CHECK(died.error().code() == errc::actor_died);
    std::string text = died.error().describe();
    CAPTURE(text);
    CHECK(text.find("signal " + std::to_string(number)) != text.npos);
    CHECK(text.find("crash") != text.npos);
    auto later = rt.get(one.call(&counter::add, 1));
    REQUIRE(!later.has_value());
    CHECK(later.error().code() == errc::actor_died);
    CHECK(later.error().describe().find("signal " + std::to_string(number)) != text.npos);
  }
}

TEST_CASE("an isolated actor may leave by itself") {
  runtime rt = start();
  auto one =
      rt.actor<counter>().options({.max_restarts = -1, .isolation = isolation::process}).remote(7);
  int process = value_of(rt.get(one.call(&counter::process)));
  CHECK(value_of(rt.get(one.call(&counter::leave))) == 7);
  CHECK(rt.get(one.call(&counter::add, 1)).error().code() == errc::actor_died);
  CHECK(ends(process));
}

TEST_CASE("an isolated actor is made again with its arguments, as often as was said") {
  runtime rt = start();
  auto one = rt.actor<counter>()
                 .options({.max_restarts = 2, .isolation = isolation::process})
                 .remote(rt.put(5));
  CHECK(value_of(rt.get(one.call(&counter::restarted))) == false);
  for (int i = 0; i < 2; ++i) {
    CHECK(value_of(rt.get(one.call(&counter::add, 1))) == 6);
    int before = value_of(rt.get(one.call(&counter::process)));
    CHECK(rt.get(one.call(&counter::crash, SIGKILL)).error().code() == errc::actor_died);
    CHECK(value_of(rt.get(one.call(&counter::restarted))) == true);
    CHECK(value_of(rt.get(one.call(&counter::process))) != before);
  }
  CHECK(rt.get(one.call(&counter::crash, SIGKILL)).error().code() == errc::actor_died);
  CHECK(rt.get(one.call(&counter::add, 1)).error().code() == errc::actor_died);
}

TEST_CASE("a call that was under way when the process died is repeated, and those after it run") {
  runtime rt = start();
  auto one =
      rt.actor<counter>()
          .options({.max_restarts = 1, .max_task_retries = 1, .isolation = isolation::process})
          .remote(5);
  std::vector<ref<int>> all;
  all.push_back(one.call(&counter::crash_unless_restarted));
  for (int i = 0; i < 100; ++i) all.push_back(one.call(&counter::add, 1));
  for (int i = 0; i <= 100; ++i) CHECK(value_of(rt.get(all[static_cast<std::size_t>(i)])) == 5 + i);
}

TEST_CASE("a call from another process is repeated as one from the program is") {
  runtime rt = start();
  auto one =
      rt.actor<counter>()
          .options({.max_restarts = 1, .max_task_retries = 1, .isolation = isolation::process})
          .remote(5);
  auto friendly = rt.actor<forwarder>().options(apart).remote(one);
  CHECK(value_of(rt.get(friendly.call(&forwarder::crash_unless_restarted))) == 5);
}

TEST_CASE("calls that may be repeated are all answered, however often the process is killed") {
  std::atomic<bool> done{false};
  std::atomic<int> kills{0};
  runtime rt = start();
  auto one =
      rt.actor<counter>()
          .options({.max_restarts = -1, .max_task_retries = -1, .isolation = isolation::process})
          .remote(100);
  std::thread killer([&] {
    while (!done.load() && kills.load() < 20) {
      auto process = rt.get(one.call(&counter::process));
      if (process.has_value() && kill(*process, SIGKILL) == 0) ++kills;
    }
  });
  int answered = 0;
  while (kills.load() < 20) {
    std::vector<ref<int>> all;
    for (int i = 0; i < 100; ++i) all.push_back(one.call(&counter::refuse, i));
    for (int i = 0; i < 100; ++i) {
      auto value = rt.get(all[static_cast<std::size_t>(i)]);
      if (!value.has_value()) FAIL_CHECK(value.error().describe());
      else if (*value == i) ++answered;
    }
  }
  done = true;
  killer.join();
  CHECK(answered >= 100);
  CHECK(answered % 100 == 0);
}

TEST_CASE("runtimes end at any moment of an isolated actor's life") {
  for (int i = 0; i < 20; ++i) {
    ref<int> last;
    actor_handle<counter> one;
    {
      runtime rt = start();
      one = rt.actor<counter>()
                .options({.max_restarts = 1, .isolation = isolation::process})
                .remote(1);
      for (int k = 0; k < 50; ++k) last = one.call(&counter::add, 1);
      if (i % 4 == 1) (void)rt.get(last);
      if (i % 4 == 2) one = {};
      if (i % 4 == 3) rt.kill(one);
    }
    CHECK(last.ready());
  }
}

}  // namespace isolated_actors
