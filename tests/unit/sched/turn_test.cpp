// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/sched/turn.hpp>

using beamlet::sched::turn;

TEST_CASE("a raised turn has one entry and runs once") {
  turn t;
  CHECK(t.raise());
  CHECK_FALSE(t.raise());  // the entry is in the queue already
  CHECK(t.is_wanted());
  CHECK(t.enter());
  CHECK(t.is_running());
  CHECK_FALSE(t.enter());
  CHECK(t.leave());
  CHECK_FALSE(t.is_running());
  CHECK_FALSE(t.enter());
}

TEST_CASE("a raise while the turn runs makes it run again, without an entry") {
  turn t;
  t.raise();
  t.enter();
  CHECK_FALSE(t.raise());
  CHECK_FALSE(t.leave());
  CHECK(t.is_running());
  CHECK(t.leave());
}

TEST_CASE("a claimed turn leaves a stale entry, which later raises use") {
  turn t;
  CHECK(t.raise());
  CHECK(t.claim());
  CHECK_FALSE(t.claim());
  CHECK(t.leave());
  CHECK_FALSE(t.raise());  // the stale entry is still in a queue
  CHECK(t.enter());
  CHECK(t.leave());
  CHECK(t.raise());
}

TEST_CASE("a turn that nobody asked for can be taken but not claimed") {
  turn t;
  CHECK_FALSE(t.claim());
  CHECK(t.take());
  CHECK_FALSE(t.take());
  CHECK(t.leave());
}

TEST_CASE("a turn cut short is queued again unless its entry still is") {
  turn t;
  t.raise();
  t.enter();
  CHECK(t.leave_and_raise());
  CHECK(t.claim());
  CHECK_FALSE(t.leave_and_raise());  // the entry was not popped
  CHECK(t.enter());
}

TEST_CASE("a turn that starts out running is woken by leave") {
  turn t;
  t.start_running();
  CHECK_FALSE(t.raise());
  CHECK_FALSE(t.leave());
  CHECK(t.leave());
}
