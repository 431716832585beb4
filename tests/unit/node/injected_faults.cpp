// SPDX-License-Identifier: Apache-2.0
// One fixed run of the agent, again and again: each time the next thing that it asks of the disk,
// of the system's memory or of a connection fails. Every answer is an error or right, and nothing
// is left. Built with BEAMLET_CHAOS.
#include <doctest/doctest.h>

#include "../ports/scratch_folder.hpp"
#include "../seeds.hpp"
#include "faulty_run.hpp"
#include "node/chaos.hpp"

namespace {
using namespace agent_test;

/// Runs until nothing is left to fail. `plant(run, n)` arms the n-th fault, `armed` tells whether
/// it has not come. Returns how many faults there were.
template <class Plant, class Armed>
int inject(const node::agent_options& options, Plant plant, Armed armed) {
  const int step = seeds(100) < 100 ? 7 : 1;
  for (int n = 1;; n += step) {
    faulty_run r(options);
    plant(r, static_cast<std::uint64_t>(n));
    r.run();
    const bool came = !armed(r);
    CAPTURE(n);
    CHECK(r.wrong == "");
    if (!came) {
      CHECK(r.right == answers_in_all);
      return n - 1;
    }
    CHECK(r.right + r.errors > 0);
  }
}
}  // namespace

TEST_CASE("injected faults: any one request to the disk may fail") {
  errc how = errc::io;
  SUBCASE("with an error") {}
  SUBCASE("because it is full") { how = errc::exhausted; }
  int faults = inject(
      small_options(),
      [&](faulty_run& r, std::uint64_t n) {
        r.b.port.disk().faults().fails_at = n;
        r.b.port.disk().faults().fails_with = how;
      },
      [](faulty_run& r) { return r.b.port.disk().faults().fails_at != 0; });
  CHECK(faults > 30);
}

TEST_CASE("injected faults: any one segment may be refused by the system") {
  node::agent_options options = small_options();
  scratch_folder folder;
  SUBCASE("in memory") {}
  SUBCASE("in files") {
    options.store.memory_bytes = mib;
    options.store.fallback_bytes = 3 * mib;
    options.fallback_folder = folder.path();
  }
  auto& at = node::chaos::refused_at;
  int faults = inject(
      options, [&](faulty_run&, std::uint64_t n) { at = n; }, [&](faulty_run&) { return at != 0; });
  at = 0;
  CHECK(faults > 5);
}

TEST_CASE("injected faults: any one message to a session may be the last") {
  for (bool to_writer : {true, false}) {
    CAPTURE(to_writer);
    auto of = [&](faulty_run& r) -> client& { return to_writer ? *r.writer : *r.reader; };
    int faults = inject(
        small_options(), [&](faulty_run& r, std::uint64_t n) { of(r).send_fails_at = n; },
        [&](faulty_run& r) { return of(r).send_fails_at != 0; });
    CHECK(faults > objects);
  }
}
