// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "sched/queue.hpp"

using namespace beamlet::sched;

TEST_CASE("a locked queue gives back what it was given, oldest first") {
  cell cells[3];
  locked_queue q;
  CHECK(q.empty());
  CHECK(q.pop() == nullptr);
  for (cell& x : cells) q.push(x);
  CHECK(q.size() == 3);
  CHECK(q.pop() == &cells[0]);
  q.push(cells[0]);
  CHECK(q.pop() == &cells[1]);
  CHECK(q.pop() == &cells[2]);
  CHECK(q.pop() == &cells[0]);
  CHECK(q.empty());
  CHECK(q.pop() == nullptr);
  q.push(cells[1]);
  CHECK(q.pop() == &cells[1]);
}
