// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <beamlet/base/time.hpp>

#include <limits>

using namespace beamlet::base;
using namespace std::chrono_literals;

TEST_CASE("a deadline is now plus the timeout") {
  CHECK(deadline_after(1000, 50ns) == 1050);
  CHECK(deadline_after(1000, 2ms) == 2'001'000);
  CHECK(deadline_after(0, 1.5s) == 1'500'000'000);
}

TEST_CASE("a timeout that is no positive number has passed already") {
  CHECK(deadline_after(1000, 0s) == 1000);
  CHECK(deadline_after(1000, -5s) == 1000);
  CHECK(deadline_after(1000, std::chrono::hours::min()) == 1000);
  CHECK(deadline_after(
            1000, std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())) == 1000);
}

TEST_CASE("a timeout that does not fit never comes") {
  CHECK(deadline_after(1000, beamlet::duration::max()) == never_ns);
  CHECK(deadline_after(1000, std::chrono::hours::max()) == never_ns);
  CHECK(deadline_after(1000, std::chrono::duration<float>(1e30f)) == never_ns);
  CHECK(deadline_after(1000, std::chrono::duration<double>(
                                 std::numeric_limits<double>::infinity())) == never_ns);
  CHECK(deadline_after(never_ns - 10, 11ns) == never_ns);
  CHECK(deadline_after(never_ns - 10, 9ns) == never_ns - 1);
}

TEST_CASE("the time left falls to zero and stays there") {
  CHECK(time_left(1000, 1500) == 500ns);
  CHECK(time_left(1500, 1500) == 0ns);
  CHECK(time_left(2000, 1500) == 0ns);
  CHECK(time_left(0, never_ns) == beamlet::duration::max());
  CHECK(time_left(never_ns - 5, never_ns) == beamlet::duration::max());
}
