// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <limits>
#include <thread>

namespace options_cases {

namespace {
using namespace runtime_test;

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
constexpr double endless = std::numeric_limits<double>::infinity();

/// The error names the option.
void refuses_start(const runtime_options& options, std::string_view name) {
  auto rt = runtime::start(options);
  CAPTURE(name);
  REQUIRE(!rt.has_value());
  CHECK(rt.error().code() == errc::invalid_argument);
  CHECK_MESSAGE(mentions(rt.error().message(), name), rt.error().describe());
}

void refuses_task(const runtime& rt, task_options options, errc code, std::string_view name) {
  auto refused = rt.task([] {}).options(std::move(options)).remote();
  CAPTURE(name);
  CHECK(refused.ready());
  auto got = rt.get(refused);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == code);
  CHECK_MESSAGE(mentions(got.error().message(), name), got.error().describe());
}

struct nothing {
  int one() { return 1; }
};

void refuses_actor(const runtime& rt, actor_options options, errc code, std::string_view name) {
  auto a = rt.actor<nothing>().options(std::move(options)).remote();
  CAPTURE(name);
  auto got = rt.get(a.call(&nothing::one));
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == code);
  CHECK_MESSAGE(mentions(got.error().message(), name), got.error().describe());
}

TEST_CASE("a runtime refuses absurd options by name") {
  refuses_start({.workers = 1u << 30}, "workers");
  refuses_start({.workers = ~0u}, "workers");
  refuses_start({.resources = {{"gpu", -1}}}, "gpu");
  refuses_start({.resources = {{"gpu", no_number}}}, "gpu");
  refuses_start({.resources = {{"gpu", endless}}}, "gpu");
  refuses_start({.resources = {{"cpu", 4}}}, "cpu");
  refuses_start({.resources = {{"", 4}}}, "");
  refuses_start({.tasks_max = 0}, "tasks_max");
  refuses_start({.spare_threads_max = ~0u}, "spare_threads_max");
  refuses_start({.blocking_threads_max = 0}, "blocking_threads_max");
  refuses_start({.blocking_threads_max = ~0u}, "blocking_threads_max");
  refuses_start({.stack_bytes = 1}, "stack_bytes");
  refuses_start({.timeline_events = ~std::size_t{0}}, "timeline_events");
}

TEST_CASE("a task refuses absurd options by name") {
  runtime rt = start();
  for (double wrong : {-1.0, no_number, endless, 1e300}) {
    refuses_task(rt, {.num_cpus = wrong}, errc::invalid_argument, "cpu");
    refuses_task(rt, {.num_gpus = wrong}, errc::invalid_argument, "gpu");
    refuses_task(rt, {.memory = wrong}, errc::invalid_argument, "memory");
    refuses_task(rt, {.resources = {{"camera", wrong}}}, errc::invalid_argument, "camera");
  }
  refuses_task(rt, {.resources = {{std::string(1000, 'x'), 1}}}, errc::invalid_argument, "");
  refuses_task(rt, {.max_retries = -2}, errc::invalid_argument, "max_retries");
  refuses_task(rt, {.max_retries = std::numeric_limits<int>::max()}, errc::invalid_argument,
               "max_retries");
  refuses_task(rt, {.retry_backoff = -1ns}, errc::invalid_argument, "retry_backoff");
  refuses_task(rt, {.retry_backoff_max = -1ns}, errc::invalid_argument, "retry_backoff_max");
  refuses_task(rt, {.delay = -1ns}, errc::invalid_argument, "delay");
  refuses_task(rt, {.deadline = -1ns}, errc::invalid_argument, "deadline");
  CHECK(rt.get(rt.task([] {}).remote()).has_value());
}

TEST_CASE("main without run_child: isolation = process is refused with the line that is missing") {
  runtime rt = start();  // this program has none
  refuses_task(rt, {.isolation = isolation::process}, errc::unsupported,
               "the first line of main: if (auto code = beamlet::run_child(argc, argv))");
  CHECK(rt.get(rt.task([] {}).remote()).has_value());
}

TEST_CASE("an actor and a call refuse absurd options by name") {
  runtime rt = start();
  refuses_actor(rt, {.num_cpus = -1}, errc::invalid_argument, "cpu");
  refuses_actor(rt, {.mailbox_capacity = 0}, errc::invalid_argument, "mailbox_capacity");
  refuses_actor(rt, {.mailbox_capacity = ~0u}, errc::invalid_argument, "mailbox_capacity");
  refuses_actor(rt, {.max_concurrency = 0}, errc::invalid_argument, "max_concurrency");
  refuses_actor(rt, {.max_concurrency = ~0u}, errc::invalid_argument, "max_concurrency");
  refuses_actor(rt, {.concurrency_groups = {{"io", 0}}}, errc::invalid_argument,
                "concurrency_groups");
  refuses_actor(rt, {.concurrency_groups = {{"", 1}}}, errc::invalid_argument,
                "concurrency_groups");
  refuses_actor(rt, {.get_if_exists = true}, errc::invalid_argument, "get_if_exists");
  refuses_actor(rt, {.max_restarts = 1}, errc::invalid_argument, "max_restarts");
  refuses_actor(rt, {.isolation = isolation::process}, errc::unsupported, "run_child");
  refuses_actor(rt, {.num_gpus = 1}, errc::infeasible, "gpu");
  auto a = rt.actor<nothing>().remote();
  CHECK(failure(rt, a.options({.deadline = -1ns}).call(&nothing::one)) == errc::invalid_argument);
  auto lost = rt.get(a.options({.concurrency_group = "io"}).call(&nothing::one));
  REQUIRE(!lost.has_value());
  CHECK(lost.error().code() == errc::not_found);
  CHECK(mentions(lost.error().message(), "io"));
}

TEST_CASE("more resources than there are fail or wait, as asked") {
  runtime rt = start({.workers = 2, .resources = {{"camera", 1}}});
  refuses_task(rt, {.num_cpus = 3}, errc::infeasible, "cpu");
  refuses_task(rt, {.resources = {{"camera", 1.5}}}, errc::infeasible, "camera");
  refuses_task(rt, {.resources = {{"radar", 1}}}, errc::infeasible, "radar");
  auto waits =
      rt.task([] {}).options({.num_gpus = 1, .on_infeasible = on_infeasible::wait}).remote();
  CHECK(failure(rt, rt.task([](ref<void> r) { return r.ready(); }).remote(waits)) == errc::ok);
  CHECK(!waits.ready());
  CHECK(rt.stats().waiting_for_resources == 1);
  CHECK(code_of(rt.get(waits, 1ms)) == errc::timeout);
  CHECK(rt.stop().has_value());
  CHECK(failure(rt, waits) == errc::stopped);
}

TEST_CASE("tasks with fractions share a resource and never take more than there is") {
  std::atomic<int> now{0}, most{0};
  tally inside;
  runtime rt = start({.workers = 4, .resources = {{"camera", 1}}});
  std::vector<ref<void>> all;
  for (int i = 0; i < 200; ++i)
    all.push_back(rt.task([&, i] {
                      int seen = now.fetch_add(1) + 1;
                      for (int m = most; m < seen && !most.compare_exchange_weak(m, seen);) {}
                      inside.add();
                      if (i < 2) inside.reaches(2);  // two halves fit at a time
                      now.fetch_sub(1);
                    })
                      .options({.num_cpus = 0, .resources = {{"camera", 0.5}}})
                      .remote());
  CHECK(rt.get(all).has_value());
  CHECK(most == 2);
  CHECK(rt.stats().waiting_for_resources == 0);
}

TEST_CASE("small tasks pass a large one that waits for resources, and it runs in the end") {
  gate leave;
  runtime rt = start({.workers = 2, .resources = {{"slot", 2}}});
  auto half = rt.task([&] { leave.wait(); })
                  .options({.resources = {{"slot", 1}}, .blocking = true})
                  .remote();
  auto large = rt.task([] {}).options({.resources = {{"slot", 2}}}).remote();
  CHECK(rt.get(rt.task([] {}).options({.resources = {{"slot", 1}}}).remote()).has_value());
  CHECK(!large.ready());
  leave.open();
  CHECK(rt.get(large).has_value());
}

TEST_CASE("a task that waits in a get lends its cpu") {
  runtime rt = start({.workers = 1});
  auto outer =
      rt.task([] {
          runtime_handle here = this_task::runtime();
          return *here.get(here.task([] { return 1; }).options({.num_cpus = 0.5}).remote());
        })
          .options({.num_cpus = 0.75})
          .remote();
  CHECK(*rt.get(outer) == 1);
}

TEST_CASE("urgent tasks run before the others, and the least urgent do not starve") {
  runtime rt = start({.workers = 1});
  journal<char> order;
  {
    busy_worker busy(rt);
    auto note = [&](char what, priority p) {
      rt.task([&order, what] { order.add(what); }).options({.priority = p}).remote();
    };
    note('l', priority::low);
    for (int i = 0; i < 600; ++i) note('n', priority::normal);
    for (int i = 0; i < 10; ++i) note('h', priority::high);
  }
  CHECK(rt.stop({.drain = true}).has_value());
  auto entries = order.entries();
  REQUIRE(entries.size() == 611);
  std::string text(entries.begin(), entries.end());
  CHECK(text.find_last_of('h') < 20);
  CHECK(text.find('l') < text.find_last_of('n'));
}

TEST_CASE("a delayed task does not start before its time") {
  runtime rt = start();
  auto begin = std::chrono::steady_clock::now();
  auto later =
      rt.task([] { return std::chrono::steady_clock::now(); }).options({.delay = 5ms}).remote();
  auto never = rt.task([] {}).options({.delay = std::chrono::nanoseconds::max()}).remote();
  CHECK(*rt.get(later) - begin >= 5ms);
  CHECK(!never.ready());
}

TEST_CASE("a queued task whose deadline has passed is not started") {
  std::atomic<bool> ran{false};
  runtime rt = start({.workers = 1});
  ref<void> late, early;
  {
    busy_worker busy(rt);
    late = rt.task([&] { ran = true; }).options({.name = "late", .deadline = 1ns}).remote();
    early = rt.task([] {}).options({.deadline = 1h}).remote();
    auto before = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - before < 1us) {}
  }
  auto got = rt.get(late);
  REQUIRE(!got.has_value());
  CHECK(got.error().code() == errc::deadline);
  CHECK(got.error().function() == "late");
  CHECK(rt.get(early).has_value());
  CHECK(!ran);
}

TEST_CASE("blocking tasks do not take the workers") {
  tally started;
  gate leave;
  runtime rt = start({.workers = 1});
  std::vector<ref<void>> blocked;
  for (int i = 0; i < 5; ++i)
    blocked.push_back(rt.task([&] {
                          started.add();
                          leave.wait();
                        })
                          .options({.blocking = true})
                          .remote());
  CHECK(started.reaches(5));
  rt.task([&] { leave.open(); }).remote();
  CHECK(rt.get(blocked).has_value());
}

TEST_CASE("a get does not run a blocking task, and a repeated one stays on its threads") {
  runtime rt = start({.workers = 1});
  std::thread::id main_thread = std::this_thread::get_id();
  auto is_apart = [main_thread](std::thread::id waiting) -> result<int> {
    std::thread::id here = std::this_thread::get_id();
    if (here == waiting || here == main_thread) return errc::malformed;
    if (this_task::attempt() == 0) return errc::io;
    return 1;
  };
  auto ask = [is_apart] {
    return this_task::runtime()
        .get(this_task::runtime()
                 .task(is_apart)
                 .options({.max_retries = 1, .retry_exceptions = true, .blocking = true})
                 .remote(std::this_thread::get_id()))
        .value_or(-1);
  };
  for (int round = 0; round < 50; ++round) CHECK(*rt.get(rt.task(ask).remote()) == 1);
}

TEST_CASE("more blocking tasks than threads wait their turn") {
  std::atomic<int> ran{0};
  runtime rt = start({.workers = 1, .blocking_threads_max = 2});
  std::vector<ref<void>> all;
  for (int i = 0; i < 50; ++i)
    all.push_back(rt.task([&] { ++ran; }).options({.blocking = true}).remote());
  CHECK(rt.get(all).has_value());
  CHECK(ran == 50);
  CHECK(rt.stats().blocking_threads <= 2);
}

TEST_CASE("the bound on pending tasks refuses what is beyond it") {
  runtime rt = start({.workers = 1, .tasks_max = 1000});
  std::vector<ref<void>> all;
  {
    busy_worker busy(rt);
    for (int i = 0; i < 10000; ++i) all.push_back(rt.task([] {}).remote());
  }
  std::size_t refused = 0;
  for (auto& r : all) {
    errc code = failure(rt, r);
    if (code == errc::queue_full) ++refused;
    else CHECK(code == errc::ok);
  }
  CHECK(refused >= 10000 - 1000 - 1024 - 1);
}

TEST_CASE("a failed task is repeated as often as asked") {
  std::atomic<int> attempts{0};
  runtime rt = start();
  auto fail = [&]() -> result<int> {
    if (static_cast<int>(this_task::attempt()) != attempts++) return errc::malformed;
    return errc::io;
  };
  CHECK(failure(rt, rt.task(fail).options({.max_retries = 3, .retry_exceptions = true}).remote()) ==
        errc::io);
  CHECK(attempts == 4);
  attempts = 0;
  CHECK(failure(rt, rt.task(fail).options({.max_retries = 3}).remote()) == errc::io);
  CHECK(attempts == 1);  // its own errors are repeated only on request
  auto in_the_end = [&]() -> result<int> {
    if (this_task::attempt() < 20) return errc::io;
    return 1;
  };
  CHECK(*rt.get(
            rt.task(in_the_end).options({.max_retries = -1, .retry_exceptions = true}).remote()) ==
        1);
  CHECK(rt.stats().retried == 23);
}

TEST_CASE("retry_on chooses which errors are repeated") {
  std::atomic<int> attempts{0};
  runtime rt = start();
  auto fail = [&]() -> result<int> { return attempts++ < 2 ? errc::busy : errc::io; };
  auto only_busy = [](const error& e) { return e == errc::busy; };
  CHECK(failure(rt, rt.task(fail).options({.max_retries = 10, .retry_on = only_busy}).remote()) ==
        errc::io);
  CHECK(attempts == 3);
}

TEST_CASE("attempts keep their distance") {
  runtime rt = start();
  auto begin = std::chrono::steady_clock::now();
  auto fail = []() -> result<int> { return errc::io; };
  auto slow = rt.task(fail)
                  .options({.max_retries = 4,
                            .retry_exceptions = true,
                            .retry_backoff = 1ms,
                            .retry_backoff_max = 2ms})
                  .remote();
  CHECK(failure(rt, slow) == errc::io);
  CHECK(std::chrono::steady_clock::now() - begin >= 7ms);  // 1 + 2 + 2 + 2
}

TEST_CASE("threads are told to the hook before anything else") {
  std::atomic<int> threads{0};
  runtime rt =
      start({.workers = 2,
             .thread_name = "hooked",
             .thread_hook = [](void* user, unsigned) { ++*static_cast<std::atomic<int>*>(user); },
             .thread_hook_user = &threads});
  CHECK(rt.get(rt.task([] {}).remote()).has_value());
  CHECK(rt.stop().has_value());
  CHECK(threads >= 2);
}

}  // namespace

}  // namespace options_cases
