// SPDX-License-Identifier: Apache-2.0
// Tasks that wait for tasks, ten thousand deep, and long chains of objects.
#include "tests/unit/runtime/support.hpp"
#include "tests/unit/seeds.hpp"

namespace nesting_cases {

namespace {
using namespace runtime_test;

#if BEAMLET_THREAD_SANITIZER
constexpr int levels =
    500;  // it keeps the whole stack of every allocation: memory grows as the square
#else
constexpr int levels = 10000;
#endif
// A million in the plain build; elsewhere still more than a stack has frames for.
constexpr int chain = static_cast<int>(std::max<std::uint64_t>(100'000, seeds(1'000'000)));
constexpr std::size_t mib = std::size_t{1} << 20;

result<int> down(int n) {
  if (n == 0) return 0;
  runtime_handle rt = this_task::runtime();
  auto below = rt.get(rt.task(down).remote(n - 1));
  if (!below.has_value()) return below.error();
  return *below + 1;
}

TEST_CASE("blocking gets nest ten thousand deep") {
  for (unsigned workers : {2u, 0u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers, .stack_bytes = 64 * mib * frame_factor});
    auto depth = rt.get(rt.task(down).remote(levels), safety);
    if (!depth.has_value()) FAIL(depth.error().describe());
    CHECK(*depth == levels);
  }
}

TEST_CASE("work that comes while one worker waits in a get and the others are busy is run") {
  // More rounds than there may be spares: one that is not needed any more can be one again.
  runtime rt = start({.workers = 2, .spare_threads_max = 4});
  for (int round = 0; round < 20; ++round) {
    gate busy, leave, ran;
    auto slow = rt.task([&] {
                    busy.open();
                    leave.wait();
                    return 1;
                  })
                    .options({.name = "slow one"})
                    .remote();
    CHECK(busy.wait());
    auto waiter = rt.task([](ref<int> r) { return *this_task::runtime().get(r); }).remote(slow);
    while (!mentions(rt.dump(), "waits for slow one")) std::this_thread::yield();
    rt.task([&] { ran.open(); }).remote();
    CHECK(ran.wait());
    leave.open();
    CHECK(*rt.get(waiter) == 1);
  }
}

TEST_CASE("past the stack's limit a get says that it is too deep, and the runtime lives") {
  for (unsigned workers : {2u, 0u}) {
    CAPTURE(workers);
    runtime rt = start({.workers = workers, .spare_threads_max = 0, .stack_bytes = mib / 2});
    auto depth = rt.get(rt.task(down).remote(1'000'000), safety);
    REQUIRE(!depth.has_value());
    CHECK(depth.error().code() == errc::too_deep);
    CHECK(mentions(depth.error().describe(), "stack_bytes"));
    CHECK(*rt.get(rt.task(down).remote(5), safety) == 5);
  }
}

TEST_CASE(
    "a waiting chain of a hundred thousand tasks is followed without a stack frame for each") {
  gate leave;
  runtime rt = start({.workers = 1, .stack_bytes = mib});
  auto first = rt.task([&] {
                   leave.wait();
                   return 0;
                 })
                   .options({.blocking = true})
                   .remote();
  auto last = first;
  for (int i = 0; i < 100'000; ++i) last = rt.task([](int n) { return n + 1; }).remote(last);
  auto waits = rt.task([](ref<int> r) { return *this_task::runtime().get(r); }).remote(last);
  leave.open();
  CHECK(*rt.get(last) == 100'000);
  CHECK(*rt.get(waits) == 100'000);
}

struct link {
  std::vector<ref<link>> previous;
};

TEST_CASE("a chain of a million objects is dropped at once") {
  runtime rt = start({.workers = 1});
  {
    ref<link> head = rt.put(link{});
    for (int i = 0; i < chain; ++i) {
      link next;
      next.previous.push_back(std::move(head));
      head = rt.put(std::move(next));
    }
    CHECK(head);
  }
  CHECK(*rt.get(rt.task([] { return 1; }).remote()) == 1);
}

TEST_CASE("a million tasks that wait for one another are dropped at once") {
  runtime rt = start({.workers = 1});
  ref<int> last = rt.task([] { return 0; }).options({.delay = 1h}).remote();
  for (int i = 0; i < chain; ++i)
    last = rt.task([](int n) { return n + 1; }).remote(std::move(last));
  CHECK(!last.ready());
  CHECK(rt.stop().has_value());
  CHECK(failure(rt, last) == errc::stopped);
}

}  // namespace

}  // namespace nesting_cases
