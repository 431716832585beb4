// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <memory>

#include "sched/deque.hpp"

using namespace beamlet::sched;

namespace {
struct deque_fixture {
  static constexpr int count = 5 * static_cast<int>(deque::capacity_first);
  std::unique_ptr<cell[]> cells = std::make_unique<cell[]>(count);
  deque q;
  deque_fixture() { beamlet::ports::prepare_asymmetric_fences(); }
  void push(int from, int to) {
    for (int i = from; i < to; ++i) REQUIRE(q.push(&cells[i]));
  }
};
}  // namespace

TEST_CASE_FIXTURE(deque_fixture, "the owner pops the newest, a thief steals the oldest") {
  push(0, 4);
  CHECK(q.size() == 4);
  CHECK(q.pop() == &cells[3]);
  CHECK(q.steal() == &cells[0]);
  CHECK(q.pop() == &cells[2]);
  CHECK(q.steal() == &cells[1]);
  CHECK(q.size() == 0);
}

TEST_CASE_FIXTURE(deque_fixture, "an empty deque gives nothing, again and again") {
  for (int round = 0; round < 3; ++round) {
    CHECK(q.pop() == nullptr);
    CHECK(q.steal() == nullptr);
    push(0, 1);
    CHECK(q.pop() == &cells[0]);
  }
}

TEST_CASE_FIXTURE(deque_fixture, "a deque grows past its first ring and keeps the order") {
  push(0, 100);
  for (int i = 0; i < 50; ++i)
    REQUIRE(q.steal() == &cells[i]);  // the ring's start lies in its middle
  push(100, count);
  CHECK(q.size() == static_cast<std::size_t>(count - 50));
  for (int i = 50; i < 60; ++i) REQUIRE(q.steal() == &cells[i]);
  for (int i = count; i-- > 60;) REQUIRE(q.pop() == &cells[i]);
  CHECK(q.size() == 0);
}

TEST_CASE_FIXTURE(deque_fixture, "a deque that shrank after a burst works on, with entries too") {
  push(0, count);
  q.shrink();  // not empty: nothing happens
  CHECK(q.size() == static_cast<std::size_t>(count));
  while (q.pop() != nullptr) {}
  q.shrink();
  push(0, 3);
  q.shrink();
  CHECK(q.steal() == &cells[0]);
  CHECK(q.pop() == &cells[2]);
  push(3, count);  // grows once more
  CHECK(q.steal() == &cells[1]);
}
