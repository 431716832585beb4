// SPDX-License-Identifier: Apache-2.0
// Worker processes that are ended because memory is short: to a threshold of next to nothing it
// always is.
#include "actors.hpp"

namespace isolated_memory {

using namespace beamlet;
using namespace std::chrono_literals;
using isolated_actors::counter;
using isolated_actors::value_of;

int forever_at_first(int answer) {
  while (this_task::attempt() == 0) pause();
  return answer;
}
BEAMLET_REMOTE(forever_at_first);

runtime start_short_of_memory() {
  auto rt = runtime::start({.workers = 2, .memory_usage_threshold = 1e-9});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

TEST_CASE(
    "a task that is ended because memory is short fails with what was in use and the remedy") {
  runtime rt = start_short_of_memory();
  auto ended =
      rt.get(rt.task(forever_at_first).options({.isolation = isolation::process}).remote(1));
  REQUIRE(!ended.has_value());
  CHECK(ended.error().code() == errc::no_memory);
  std::string text = ended.error().describe();
  CAPTURE(text);
  for (const char* part : {"forever_at_first", "MiB", "memory_usage_threshold", "max_retries"})
    CHECK(text.find(part) != text.npos);
}

TEST_CASE("a task that is ended because memory is short is tried again, by agent or program") {
  runtime rt = start_short_of_memory();
  CHECK(value_of(rt.get(rt.task(forever_at_first)
                            .options({.max_retries = -1, .isolation = isolation::process})
                            .remote(7))) == 7);
  CHECK(value_of(rt.get(
            rt.task(forever_at_first)
                .options({.max_retries = -1, .retry_backoff = 1ms, .isolation = isolation::process})
                .remote(8))) == 8);
}

TEST_CASE("an actor that is ended because memory is short is made again, or says why not") {
  runtime rt = start_short_of_memory();
  auto again =
      rt.actor<counter>()
          .options({.max_restarts = -1, .max_task_retries = -1, .isolation = isolation::process})
          .remote(1);
  again.send(&counter::forever_unless_restarted);
  CHECK(value_of(rt.get(again.call(&counter::restarted))));
  auto gone = rt.actor<counter>().options(isolated_actors::apart).remote(1);
  auto ended = rt.get(gone.call(&counter::forever));
  REQUIRE(!ended.has_value());
  CHECK(ended.error().code() == errc::actor_died);
  CHECK(ended.error().describe().find("memory_usage_threshold") != std::string::npos);
}

TEST_CASE("a threshold that is no part of the memory is refused") {
  for (double wrong : {0.0, -1.0, 1.5})
    CHECK(runtime::start({.memory_usage_threshold = wrong}).error() == errc::invalid_argument);
}

}  // namespace isolated_memory
