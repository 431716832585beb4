// SPDX-License-Identifier: Apache-2.0
// A runtime on the caller's own libuv loop. The only unit test of this layer that knows libuv.
#include "tests/unit/runtime/support.hpp"

#include <atomic>
#include <thread>

#include <uv.h>

namespace embedded_cases {

namespace {
using namespace runtime_test;

/// A loop of the test's own, with a handle that ends it when it should have ended long ago.
class own_loop {
 public:
  own_loop() {
    REQUIRE(uv_loop_init(&loop_) == 0);
    uv_timer_init(&loop_, &guard_);
    uv_timer_start(
        &guard_,
        [](uv_timer_t* t) {
          FAIL_CHECK("the loop ran too long");
          uv_stop(t->loop);
        },
        60'000, 0);
    uv_unref(guard());
  }
  ~own_loop() {
    uv_close(guard(), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop_) == 0);
  }
  /// Until the loop has nothing more to do.
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  /// As in a program whose loop has other things to do.
  template <class F>
  void run_until(F over) {
    uv_ref(guard());
    while (!over()) uv_run(&loop_, UV_RUN_NOWAIT);
    uv_unref(guard());
  }
  template <class T>
  void run_until(const ref<T>& object) {
    run_until([&] { return object.ready(); });
  }
  uv_loop_t* get() { return &loop_; }

 private:
  uv_handle_t* guard() { return reinterpret_cast<uv_handle_t*>(&guard_); }

  uv_loop_t loop_{};
  uv_timer_t guard_{};
};

int fibonacci(int n) {
  if (n < 2) return n;
  runtime_handle rt = this_task::runtime();
  auto one = rt.task(fibonacci).remote(n - 1), two = rt.task(fibonacci).remote(n - 2);
  return *rt.get(one) + *rt.get(two);
}

TEST_CASE("without workers the caller's loop runs the tasks and ends when they have ended") {
  own_loop loop;
  {
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    auto where = rt.task([] { return std::this_thread::get_id(); }).remote();
    auto sum = rt.task(fibonacci).remote(10);
    CHECK(!where.ready());
    loop.run();
    CHECK(where.ready());
    CHECK(sum.ready());
    CHECK(*rt.get(where) == std::this_thread::get_id());
    CHECK(*rt.get(sum) == 55);
    loop.run();  // nothing is left
  }
}

TEST_CASE("on the caller's loop with workers a get outside of callbacks waits") {
  own_loop loop;
  {
    runtime rt = start({.workers = 2, .uv_loop = loop.get()});
    CHECK(*rt.get(rt.task(fibonacci).remote(10)) == 55);
  }
}

TEST_CASE("timers of an embedded runtime need the loop") {
  for (unsigned workers : {0u, 2u}) {
    CAPTURE(workers);
    own_loop loop;
    {
      runtime rt = start({.workers = workers, .uv_loop = loop.get()});
      auto later = rt.task([] { return 1; }).options({.delay = 2ms}).remote();
      auto slept = rt.task([]() -> async<int> {
                       co_await sleep_for(2ms);
                       co_return 2;
                     }).remote();
      loop.run_until(later);
      loop.run_until(slept);
      CHECK(*rt.get(later) == 1);
      CHECK(*rt.get(slept) == 2);
    }
  }
}

TEST_CASE("the caller's loop runs as long as a delayed task of an embedded runtime waits") {
  for (unsigned workers : {0u, 2u}) {
    CAPTURE(workers);
    own_loop loop;
    {
      runtime rt = start({.workers = workers, .uv_loop = loop.get()});
      auto later = rt.task([] { return 1; }).options({.delay = 20ms}).remote();
      auto slept = rt.task([] { return 2; }).options({.delay = 10ms}).remote();
      loop.run();
      CHECK(*rt.get(later) == 1);
      CHECK(*rt.get(slept) == 2);
    }
  }
}

TEST_CASE("a get that only the caller's loop could serve is refused") {
  own_loop loop;
  {
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    auto pending = rt.task([] { return 1; }).options({.delay = 1h}).remote();
    CHECK(failure(rt, pending) == errc::would_block);
    // Inside the loop's callback: what can run here does, what needs the loop does not.
    auto inside = rt.task([](ref<int> needs_loop) {
                      runtime_handle here = this_task::runtime();
                      int direct = here.get(here.task([] { return 5; }).remote()).value_or(-1);
                      auto never = here.get(needs_loop);
                      return direct == 5 ? outcome_of(never) : errc::malformed;
                    }).remote(pending);
    loop.run_until(inside);
    CHECK(failure(rt, inside) == errc::would_block);
  }
}

struct sleeper {
  async<void> nap() { co_await sleep_for(1h); }
  void touch() {}
};

TEST_CASE("a full mailbox that only the caller's loop could empty is refused") {
  own_loop loop;
  {
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    auto asleep = rt.actor<sleeper>()
                      .options({.mailbox_capacity = 1, .mailbox_policy = mailbox_policy::block})
                      .remote();
    auto inside = rt.task([](actor_handle<sleeper> a) {
                      a.send(&sleeper::nap);
                      ref<void> last;
                      for (int i = 0; i < 10 && !last.ready(); ++i) last = a.call(&sleeper::touch);
                      return outcome_of(this_task::runtime().get(last));
                    }).remote(asleep);
    loop.run_until(inside);
    auto got = rt.get(inside);
    REQUIRE(!got.has_value());
    CHECK(got.error() == errc::would_block);
    CHECK(mentions(got.error().message(), "mailbox"));
  }
}

TEST_CASE("other threads wait for what the caller's loop runs") {
  own_loop loop;
  {
    std::atomic<int> sum{0};
    std::atomic<int> ended{0};
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) sum += rt.get(rt.task([] { return 1; }).remote()).value_or(0);
        ++ended;
      });
    loop.run_until([&] { return ended == 2; });
    for (auto& t : threads) t.join();
    CHECK(sum == 100);
  }
}

TEST_CASE("an embedded runtime stops with work pending and leaves the loop usable") {
  for (unsigned workers : {0u, 1u}) {
    CAPTURE(workers);
    own_loop loop;
    ref<int> queued, delayed;
    for (int i = 0; i < 3; ++i) {
      runtime rt = start({.workers = workers, .uv_loop = loop.get()});
      delayed = rt.task([] { return 1; }).options({.delay = 1h}).remote();
      queued = rt.task([](int n) { return n; }).remote(delayed);
      CHECK(rt.stop().has_value());
    }
    runtime other = start();
    CHECK(failure(other, queued) == errc::stopped);
    CHECK(failure(other, delayed) == errc::stopped);
    bool fired = false;
    uv_timer_t timer;
    uv_timer_init(loop.get(), &timer);
    timer.data = &fired;
    uv_timer_start(
        &timer,
        [](uv_timer_t* t) {
          *static_cast<bool*>(t->data) = true;
          uv_close(reinterpret_cast<uv_handle_t*>(t), nullptr);
        },
        1, 0);
    loop.run();
    CHECK(fired);
  }
}

TEST_CASE("a draining stop on the caller's loop runs what is left") {
  own_loop loop;
  {
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    auto sum = rt.task(fibonacci).remote(8);
    auto report = rt.stop({.drain = true});
    REQUIRE(report.has_value());
    CHECK(report->drained);
    CHECK(*rt.get(sum) == 21);
  }
}

TEST_CASE("actors live on the caller's loop") {
  struct counter {
    int n = 0;
    int next() { return ++n; }
  };
  own_loop loop;
  {
    runtime rt = start({.workers = 0, .uv_loop = loop.get()});
    auto a = rt.actor<counter>().remote();
    ref<int> last;
    for (int i = 0; i < 100; ++i) last = a.call(&counter::next);
    loop.run_until(last);
    CHECK(*rt.get(last) == 100);
  }
}

}  // namespace

}  // namespace embedded_cases
