// SPDX-License-Identifier: Apache-2.0
// Actors with isolation = process: calls, order, errors, death, restarts, handles on their way.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace isolated_actors {

using namespace beamlet;
using namespace std::chrono_literals;

struct picky {
  explicit picky(int n) {
    if (n < 0) throw std::runtime_error("the constructor refuses");
  }
  int one() { return 1; }
};
BEAMLET_REMOTE(beamlet::constructor<picky(int)>);
BEAMLET_REMOTE(&picky::one);

/// Of whose constructor nothing is said.
struct unknown {
  explicit unknown(int) {}
  int one() { return 1; }
};
BEAMLET_REMOTE(&unknown::one);

int process_number() { return static_cast<int>(getpid()); }
BEAMLET_REMOTE(process_number);

class counter {
 public:
  explicit counter(int from) : value_(from) {}
  counter(std::string text, int more) : value_(static_cast<int>(text.size()) + more) {}
  int add(int by) { return value_ += by; }
  int process() { return static_cast<int>(getpid()); }
  std::vector<int> history(std::size_t size) const { return std::vector<int>(size, value_); }
  int total(const std::vector<int>& all) {
    for (int each : all) value_ += each;
    return value_;
  }
  result<int> refuse(int n) {
    if (n < 0) return error(errc::invalid_argument, error_layer::user, {"too small", "", "", ""});
    return n;
  }
  int crash(int number) {
    if (number == SIGABRT) std::abort();
    kill(getpid(), number);
    for (;;) pause();
  }
  int crash_unless_restarted() {
    if (!this_actor::was_restarted()) abort();
    return value_;
  }
  bool restarted() { return this_actor::was_restarted(); }
  async<int> add_slowly(int by) {
    co_await sleep_for(1ms);
    co_return value_ += by;
  }
  int add_of(ref<int> by) { return value_ += *this_task::runtime().get(by); }
  int leave() {
    (void)this_actor::exit();
    return value_;
  }
  int forever() {
    for (;;) pause();
  }

 private:
  int value_;
};
BEAMLET_REMOTE(beamlet::constructor<counter(int)>);
BEAMLET_REMOTE((beamlet::constructor<counter(std::string, int)>));
BEAMLET_REMOTE(&counter::add);
BEAMLET_REMOTE(&counter::process);
BEAMLET_REMOTE(&counter::history);
BEAMLET_REMOTE(&counter::total);
BEAMLET_REMOTE(&counter::refuse);
BEAMLET_REMOTE(&counter::crash);
BEAMLET_REMOTE(&counter::crash_unless_restarted);
BEAMLET_REMOTE(&counter::restarted);
BEAMLET_REMOTE(&counter::add_slowly);
BEAMLET_REMOTE(&counter::add_of);
BEAMLET_REMOTE(&counter::leave);
BEAMLET_REMOTE(&counter::forever);

/// Calls that wait for each other.
class gate {
 public:
  int meet(int count) {
    ++here_;
    while (here_.load() < count) usleep(100);
    return here_.load();
  }
  std::string variable(std::string name) {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
  }

 private:
  std::atomic<int> here_{0};
};
BEAMLET_REMOTE(beamlet::constructor<gate()>);
BEAMLET_REMOTE(&gate::meet);
BEAMLET_REMOTE(&gate::variable);

/// In any process; the last of so many calls.
int add_through(actor_handle<counter> to, int count) {
  ref<int> last;
  for (int i = 0; i < count; ++i) last = to.call(&counter::add, 1);
  auto value = this_task::runtime().get(last);
  return value.has_value() ? *value : -1;
}
BEAMLET_REMOTE(add_through);

class forwarder {
 public:
  explicit forwarder(actor_handle<counter> to) : to_(std::move(to)) {}
  int add(int by) {
    auto value = this_task::runtime().get(to_.call(&counter::add, by));
    return value.has_value() ? *value : -1;
  }
  int error_code() {
    auto value = this_task::runtime().get(to_.call(&counter::add, 1));
    return value.has_value() ? 0 : static_cast<int>(value.error().code());
  }
  actor_handle<counter> target() { return to_; }

 private:
  actor_handle<counter> to_;
};
BEAMLET_REMOTE(beamlet::constructor<forwarder(actor_handle<counter>)>);
BEAMLET_REMOTE(&forwarder::add);
BEAMLET_REMOTE(&forwarder::error_code);
BEAMLET_REMOTE(&forwarder::target);

class maker {
 public:
  int make() {
    auto rt = this_task::runtime();
    made_ = rt.actor<counter>().options({.isolation = isolation::process}).remote(1);
    auto value = rt.get(made_.call(&counter::process));
    return value.has_value() ? *value : -1;
  }
  int process() { return static_cast<int>(getpid()); }

 private:
  actor_handle<counter> made_;
};
BEAMLET_REMOTE(beamlet::constructor<maker()>);
BEAMLET_REMOTE(&maker::make);
BEAMLET_REMOTE(&maker::process);

runtime start(unsigned processes_max = 4) {
  auto rt = runtime::start({.workers = 2, .worker_processes_max = processes_max});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}
const actor_options apart{.isolation = isolation::process};

/// Waits for the end of a process that is not necessarily ours to wait for.
bool ends(int process) {
  for (int i = 0; i < 20'000; ++i) {
    if (kill(process, 0) != 0 && errno == ESRCH) return true;
    usleep(1000);
  }
  return false;
}
template <class T>
T value_of(result<T> r) {
  if (!r.has_value()) FAIL(r.error().describe());
  return *std::move(r);
}

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

TEST_CASE("the process of an actor that nobody has a handle of ends") {
  runtime rt = start();
  int process = 0;
  {
    auto one = rt.actor<counter>().options(apart).remote(1);
    process = value_of(rt.get(one.call(&counter::process)));
  }
  CHECK(ends(process));
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
