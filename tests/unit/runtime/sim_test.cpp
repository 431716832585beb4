// SPDX-License-Identifier: Apache-2.0
// The runtime in a simulated world: one thread, virtual time, every choice from a seed.
#include "tests/unit/runtime/support.hpp"

#include <utility>

#include "ports/sim/sim_port.hpp"

namespace sim_cases {

namespace {
using namespace runtime_test;

/// A runtime in a world of its own; the runtime owns the port.
struct world {
  explicit world(std::uint64_t seed, unsigned workers = 3)
      : port(new ports::sim_port(seed)),
        rt(start({.simulated_port = port, .simulated_workers = workers})) {}
  ports::sim_port* port;
  runtime rt;
};

struct counter {
  int n = 0;
  int add(int by) { return n += by; }
};

generator<int> numbers(int count) {
  for (int i = 0; i < count; ++i) co_yield i;
}

/// A bit of everything; returns the trace and the order in which the tasks ran.
std::pair<std::uint64_t, std::vector<int>> run_everything(std::uint64_t seed) {
  world w(seed);
  runtime& rt = w.rt;
  journal<int> order;
  std::vector<ref<int>> all;
  for (int i = 0; i < 30; ++i)
    all.push_back(rt.task([&order, i](int n) {
                      order.add(i);
                      runtime_handle here = this_task::runtime();
                      return *here.get(here.task([&order, i] {
                                             order.add(100 + i);
                                             return i;
                                           })
                                           .remote()) +
                             n;
                    }).remote(i));
  auto a = rt.actor<counter>().remote();
  for (int i = 0; i < 10; ++i) all.push_back(a.call(&counter::add, all[i]));
  for (int i = 0; i < 5; ++i)
    all.push_back(rt.task([](int n) -> async<int> {
                      co_await sleep_for(std::chrono::milliseconds(n));
                      co_return n;
                    }).remote(5 - i));
  auto stream = rt.task(numbers).remote(40);
  for (int i = 0; i < 40; ++i) all.push_back(stream.next());
  auto values = rt.get(all);
  REQUIRE(values.has_value());
  CHECK((*values)[29] == 58);
  CHECK(values->back() == 39);
  std::uint64_t trace = w.port->trace();
  return {trace, order.entries()};
}

TEST_CASE("two runs with the same seed are the same, others are not") {
  auto one = run_everything(42), two = run_everything(42);
  CHECK(one.first == two.first);
  CHECK(one.second == two.second);
  auto other = run_everything(43);
  CHECK(other.first != one.first);
  CHECK(other.second != one.second);
}

TEST_CASE("hours pass at once in a simulated world") {
  world w(1);
  std::uint64_t begin = w.port->now_ns();
  CHECK(*w.rt.get(w.rt.task([] { return 1; }).options({.delay = 1h}).remote()) == 1);
  CHECK(w.port->now_ns() - begin >= 3600ull * 1'000'000'000);
  CHECK(w.rt.get(w.rt.task([]() -> async<> { co_await sleep_for(24h); }).remote()).has_value());
  CHECK(w.port->now_ns() - begin >= 25 * 3600ull * 1'000'000'000);
  auto fail = []() -> result<int> { return errc::busy; };
  CHECK(failure(w.rt, w.rt.task(fail)
                          .options({.max_retries = 3,
                                    .retry_exceptions = true,
                                    .retry_backoff = 1h,
                                    .retry_backoff_max = 2h})
                          .remote()) == errc::busy);
  CHECK(w.port->now_ns() - begin >= 30 * 3600ull * 1'000'000'000);
}

TEST_CASE("a timeout and a deadline pass in virtual time") {
  world w(2);
  auto slow = w.rt.task([] { return 1; }).options({.delay = 2h}).remote();
  CHECK(code_of(w.rt.get(slow, 1h)) == errc::timeout);
  auto within =
      w.rt.task([](ref<int> r) -> async<int> { co_return code_of(co_await r.within(10min)); })
          .remote(slow);
  CHECK(failure(w.rt, within) == errc::timeout);
  auto late = w.rt.task([] { return 1; }).options({.delay = 2h, .deadline = 1h}).remote();
  CHECK(failure(w.rt, late) == errc::deadline);
  CHECK(*w.rt.get(slow) == 1);
}

TEST_CASE("a periodic task keeps its interval in virtual time") {
  world w(3);
  std::vector<std::uint64_t> times;
  periodic_task every = w.rt.every(1h, [&] { times.push_back(w.port->now_ns()); });
  CHECK(w.rt.get(w.rt.task([] {}).options({.delay = 10h + 1ms}).remote()).has_value());
  every.stop();
  REQUIRE(times.size() >= 9);
  for (std::size_t i = 1; i < times.size(); ++i)
    CHECK(times[i] - times[i - 1] >= 3600ull * 1'000'000'000);
}

TEST_CASE("what nothing could finish is a deadlock at once") {
  struct selfish {
    actor_handle<selfish> me;
    int one() { return 1; }
    int ask(actor_handle<selfish> h) {
      return this_task::runtime().get(h.call(&selfish::one)).value_or(-1);
    }
  };
  world w(4);
  auto never =
      w.rt.task([] {}).options({.num_gpus = 1, .on_infeasible = on_infeasible::wait}).remote();
  CHECK(failure(w.rt, never) == errc::would_deadlock);
  auto a = w.rt.actor<selfish>().remote();
  CHECK(*w.rt.get(a.call(&selfish::ask, a)) == -1);
}

TEST_CASE("a simulated runtime stops with work pending") {
  ref<int> delayed;
  {
    world w(5);
    delayed = w.rt.task([] { return 1; }).options({.delay = 1h}).remote();
    w.rt.task([] { return 1; }).remote();
    auto report = w.rt.stop();
    REQUIRE(report.has_value());
    CHECK(report->dropped == 2);
  }
  runtime other = start();
  CHECK(failure(other, delayed) == errc::stopped);
  world drains(6);
  delayed = drains.rt.task([] { return 1; }).options({.delay = 1h}).remote();
  auto report = drains.rt.stop({.drain = true, .drain_timeout = 2h});
  REQUIRE(report.has_value());
  CHECK(report->drained);
  CHECK(*other.get(delayed) == 1);
}

}  // namespace

}  // namespace sim_cases
