// SPDX-License-Identifier: Apache-2.0
// What a runtime tells about itself: counts, who waits for what, the timeline.
#include "tests/unit/runtime/support.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

#include "tests/unit/json_reader.hpp"

namespace observe_cases {

namespace {
using namespace runtime_test;

const function_stats* find(const runtime_stats& s, std::string_view name) {
  for (auto& f : s.functions)
    if (f.name == name) return &f;
  return nullptr;
}

TEST_CASE("stats count what was submitted, completed, failed and cancelled") {
  struct counter {
    int f() { return 1; }
  };
  runtime rt = start();
  std::vector<ref<int>> all;
  for (int i = 0; i < 10; ++i)
    all.push_back(rt.task([] { return 1; }).options({.name = "good"}).remote());
  CHECK(rt.get(all).has_value());
  for (int i = 0; i < 3; ++i)
    CHECK(
        !rt.get(rt.task([]() -> result<int> { return errc::io; }).options({.name = "bad"}).remote())
             .has_value());
  auto a = rt.actor<counter>().remote();
  for (int i = 0; i < 5; ++i) CHECK(*rt.get(a.call(&counter::f)) == 1);
  // What a get has helped leaves its entry behind, for a worker to drop.
  while (rt.stats().queued != 0) std::this_thread::yield();
  // The thread that ran the last one counts before it seals.
  runtime_stats s = rt.stats();
  CHECK(s.submitted == 19);  // the constructor is a call too
  CHECK(s.completed == 19);
  CHECK(s.failed == 3);
  CHECK(s.cancelled == 0);
  CHECK(s.messages == 6);
  CHECK(s.actors == 1);
  CHECK(s.workers == 2);
  CHECK(s.queued == 0);
  REQUIRE(find(s, "good") != nullptr);
  CHECK(find(s, "good")->calls == 10);
  CHECK(find(s, "good")->errors == 0);
  REQUIRE(find(s, "bad") != nullptr);
  CHECK(find(s, "bad")->calls == 3);
  CHECK(find(s, "bad")->errors == 3);
}

TEST_CASE("stats tell what is queued, suspended and timed now") {
  runtime rt = start({.workers = 1});
  auto suspended = rt.task([]() -> async<> { co_await sleep_for(1h); }).remote();
  while (rt.stats().suspended == 0) std::this_thread::yield();
  auto delayed = rt.task([] {}).options({.delay = 1h}).remote();
  CHECK(rt.stats().suspended == 1);
  CHECK(rt.stats().timers >= 2);  // an idle worker may have one that trims the pool
}

TEST_CASE("counts of threads that have ended are kept") {
  runtime rt = start();
  std::thread([&] {
    for (int i = 0; i < 10; ++i) rt.task([] {}).remote();
  }).join();
  while (rt.stats().completed < 10) std::this_thread::yield();
  CHECK(rt.stats().submitted == 10);
}

TEST_CASE("dump names who waits for what") {
  gate leave, holding;
  runtime rt = start({.workers = 2});
  CHECK(rt.dump() == "nothing waits\n");
  auto slow = rt.task([&] {
                  holding.open();
                  leave.wait();
                  return 1;
                })
                  .options({.name = "slow one"})
                  .remote();
  CHECK(holding.wait());
  auto waiter = rt.task([](ref<int> r) { return *this_task::runtime().get(r); })
                    .options({.name = "patient one"})
                    .remote(slow);
  auto coroutine = rt.task([](ref<int> r) -> async<int> { co_return co_await r; })
                       .options({.name = "sleeping one"})
                       .remote(slow);
  auto wanting =
      rt.task([] {})
          .options({.name = "hungry one", .num_gpus = 1, .on_infeasible = on_infeasible::wait})
          .remote();
  // `patient one` may yet be on its way to the wait: it gets there.
  std::string text;
  while (!mentions(text = rt.dump(), "patient one waits for slow one") ||
         !mentions(text, "coroutine"))
    std::this_thread::yield();
  CHECK(mentions(text, "coroutine sleeping one waits for slow one"));
  CHECK(mentions(text, "hungry one waits for resources"));
  CHECK(mentions(text, " ms"));
  leave.open();
  CHECK(*rt.get(waiter) == 1);
  CHECK(*rt.get(coroutine) == 1);
  CHECK(!mentions(rt.dump(), "slow one"));
}

TEST_CASE("dump counts the calls that an actor has waiting") {
  struct counter {
    int f() { return 1; }
  };
  gate started, leave;
  runtime rt = start();
  auto a = rt.actor<counter>().remote();
  a.send([&](counter&) {
    started.open();
    leave.wait();
  });
  CHECK(started.wait());
  ref<int> last;
  for (int i = 0; i < 7; ++i) last = a.call(&counter::f);
  std::string text = rt.dump();
  CHECK_MESSAGE(mentions(text, "7 calls waiting"), text);
  leave.open();
  CHECK(*rt.get(last) == 1);
}

/// A file's name that goes with the file.
class own_file {
 public:
  own_file() {
    int file = mkstemp(name_);
    REQUIRE(file >= 0);
    close(file);
  }
  ~own_file() { std::remove(name_); }
  std::string name() const { return name_; }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(name_).rdbuf();
    return all.str();
  }

 private:
  char name_[32] = "/tmp/beamlet_timeline_XXXXXX";
};

TEST_CASE("the timeline is JSON with an event for every task") {
  own_file file;
  runtime rt = start({.workers = 2, .timeline_events = 100});
  CHECK(rt.write_timeline(file.name()).has_value());
  CHECK(json_reader(file.text()).whole());
  std::vector<ref<int>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(rt.task([] { return 1; }).options({.name = "a \"quoted\"\n\\name"}).remote());
  CHECK(rt.get(all).has_value());
  CHECK(rt.stop().has_value());
  CHECK(rt.write_timeline(file.name()).has_value());
  std::string text = file.text();
  CHECK_MESSAGE(json_reader(text).whole(), text);
  std::size_t events = 0;
  for (std::size_t at = text.find("\"ph\":\"X\""); at != text.npos;
       at = text.find("\"ph\":\"X\"", at + 1))
    ++events;
  CHECK(events == 20);
  CHECK(mentions(text, "a \\\"quoted\\\""));
}

TEST_CASE("the timeline keeps the newest events of each thread") {
  own_file file;
  runtime rt = start({.workers = 1, .timeline_events = 8});
  std::vector<ref<int>> all;
  for (int i = 0; i < 100; ++i)
    all.push_back(rt.task([] { return 1; }).options({.name = "old"}).remote());
  CHECK(rt.get(all).has_value());
  for (int i = 0; i < 100; ++i) rt.task([] {}).options({.name = "new"}).remote();
  CHECK(rt.stop({.drain = true}).has_value());
  CHECK(rt.write_timeline(file.name()).has_value());
  CHECK(json_reader(file.text()).whole());
  CHECK(mentions(file.text(), "new"));
}

TEST_CASE("a timeline that is off or cannot be written says so") {
  runtime off = start();
  auto none = off.write_timeline("unused");
  REQUIRE(!none.has_value());
  CHECK(none.error().code() == errc::unsupported);
  CHECK(mentions(none.error().message(), "timeline_events"));
  runtime on = start({.workers = 1, .timeline_events = 8});
  auto nowhere = on.write_timeline("/nowhere/at/all.json");
  REQUIRE(!nowhere.has_value());
  CHECK(nowhere.error().code() == errc::io);
  CHECK(nowhere.error().system() != 0);
  CHECK(mentions(nowhere.error().message(), "/nowhere/at/all.json"));
}

}  // namespace

}  // namespace observe_cases
