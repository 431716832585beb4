// SPDX-License-Identifier: Apache-2.0

// CAF 0.17 (Debian's libcaf-dev) in its best form. Its mailboxes have no bound.

#include <sched.h>

#include <caf/all.hpp>
#include <cstdlib>
#include <vector>

#include "measure.hpp"

using caf::actor;
using caf::behavior;

CAF_BEGIN_TYPE_ID_BLOCK(opponents, first_custom_type_id)
CAF_ADD_ATOM(opponents, words, count_atom, "count")
CAF_ADD_ATOM(opponents, words, report_atom, "report")
CAF_ADD_ATOM(opponents, words, ball_atom, "ball")
CAF_END_TYPE_ID_BLOCK(opponents)

using namespace words;

namespace {

struct counter_state {
  long seen = 0;
};
behavior counter(caf::stateful_actor<counter_state>* self) {
  return {[=](count_atom) { ++self->state.seen; }, [=](report_atom) { return self->state.seen; }};
}

behavior echo() {
  return {[](ball_atom, int n) { return n; }};
}

/// Asks `rounds` times, one question at a time, and reports the sum.
behavior asker(caf::event_based_actor* self, actor other, int rounds, actor sink) {
  self->send(self, ball_atom_v, rounds, 0L);
  return {[=](ball_atom, int left, long sum) {
    if (left == 0) {
      self->send(sink, report_atom_v, sum);
      return self->quit();
    }
    self->request(other, caf::infinite, ball_atom_v, left).then([=](int got) {
      self->send(self, ball_atom_v, left - 1, sum + got);
    });
  }};
}

struct player_state {
  actor peer;
};
behavior player(caf::stateful_actor<player_state>* self, actor sink) {
  return {[=](actor peer) { self->state.peer = peer; },
          [=](ball_atom, int left) {
            if (left == 0) return self->send(sink, report_atom_v);
            self->send(self->state.peer, ball_atom_v, left - 1);
          }};
}

/// As many threads as the process has cores.
struct settings : caf::actor_system_config {
  settings() {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof cores, &cores);
    set("scheduler.max-threads", CPU_COUNT(&cores));
  }
};
struct world {
  /// The players hold each other: without this the system would wait for them for ever.
  ~world() {
    std::fflush(stdout);
    std::_Exit(0);
  }
  settings config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
};

void messages() {
  world w;
  bench::measure([&] {
    auto sink = w.system.spawn(counter);
    for (long i = 0; i < 5'000'000; ++i) caf::anon_send(sink, count_atom_v);
    long seen = 0;
    w.self->request(sink, caf::infinite, report_atom_v)
        .receive([&](long n) { seen = n; }, [](caf::error&) {});
    return seen;
  });
}

void ping_pong() {
  constexpr int hops = 2'000'000;
  world w;
  auto a = w.system.spawn(player, actor{w.self}), b = w.system.spawn(player, actor{w.self});
  caf::anon_send(a, b);
  caf::anon_send(b, a);
  bench::measure([&] {
    caf::anon_send(a, ball_atom_v, hops);
    w.self->receive([](report_atom) {});
    return hops;
  });
}

void requests() {
  world w;
  auto answering = w.system.spawn(echo);
  bench::measure([&] {
    w.system.spawn(asker, answering, 300'000, actor{w.self});
    long sum = 0;
    w.self->receive([&](report_atom, long got) { sum = got; });
    return sum;
  });
}

/// Measured before the first message, which is where its actors are smallest.
void memory() {
  constexpr int count = 1'000'000;
  world w;
  std::vector<actor> actors;
  actors.reserve(count);
  const long before = bench::resident_bytes();
  const double start = bench::now();
  for (int i = 0; i < count; ++i) actors.push_back(w.system.spawn<caf::lazy_init>(counter));
  const long bytes = bench::resident_bytes() - before;
  long answered = 0;
  for (int i = 0; i < count; i += 1000) {
    for (int k = 0; k < 1000; ++k) w.self->send(actors[i + k], report_atom_v);
    for (int k = 0; k < 1000; ++k) w.self->receive([&](long seen) { answered += seen == 0; });
  }
  std::printf("bytes %.1f seconds %.3f check %ld\n", double(bytes) / count, bench::now() - start,
              answered);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_row(argc, argv,
                        {{"messages", messages},
                         {"ping_pong", ping_pong},
                         {"requests", requests},
                         {"memory", memory}});
}
