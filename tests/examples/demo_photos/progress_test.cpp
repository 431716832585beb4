// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include "test_support.hpp"

namespace demo {

TEST_CASE("progress is told as a share, an amount and a rate") {
  CHECK(progress_text("plain loop", 100, 200, 4) ==
        "plain loop  50 %, 100.0 of 200.0 megapixels, 25.0 per second");
}

TEST_CASE("progress of nothing, or beyond the total, stays within bounds") {
  CHECK(progress_text("x", 0, 0, 0) == "x   0 %, 0.0 of 0.0 megapixels, 0.0 per second");
  CHECK(progress_text("x", 3, 2, 1).substr(0, 7) == "x 100 %");
  CHECK(progress_bar(3, 2, 4) == "[####]");
  CHECK(progress_bar(0, 0, 4) == "[    ]");
}

TEST_CASE("the bar is filled by the share that is done") {
  CHECK(progress_bar(1, 2, 6) == "[###   ]");
}

}  // namespace demo
