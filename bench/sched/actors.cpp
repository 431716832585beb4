// SPDX-License-Identifier: Apache-2.0

// Actors: the rows that CAF is measured against.

#include <beamlet/beamlet.hpp>
#include <cstdlib>
#include <semaphore>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace {

beamlet::runtime start(const beamlet::runtime_options& options = {}) {
  auto started = beamlet::runtime::start(options);
  if (!started.has_value()) std::exit(3);
  return std::move(*started);
}

struct counter {
  void count() { ++seen; }
  long report() { return seen; }
  long seen = 0;
};

constexpr long messages = 5'000'000;

/// One sender, one actor, the mailbox bounded as it is by default.
long send_all(beamlet::runtime_handle rt) {
  auto sink = rt.actor<counter>().remote();
  for (long i = 0; i < messages; ++i) sink.send(&counter::count);
  return rt.get(sink.call(&counter::report)).value_or(0);
}
void messages_from_main() {
  auto rt = start();
  bench::measure([&] { return send_all(rt); });
}
void messages_from_task() {
  auto rt = start({.get_helps = beamlet::help::nothing});  // a worker runs the task
  auto inside = [] { return send_all(beamlet::this_task::runtime()); };
  bench::measure([&] { return rt.get(rt.task(inside).remote()).value_or(0); });
}
/// The same with a ref for each message, dropped at once.
void messages_with_refs() {
  auto rt = start();
  bench::measure([&] {
    auto sink = rt.actor<counter>().remote();
    for (long i = 0; i < messages; ++i) (void)sink.call(&counter::count);
    return rt.get(sink.call(&counter::report)).value_or(0);
  });
}

struct player {
  void meet(beamlet::actor_handle<player> other) { peer = std::move(other); }
  void hit(int left, std::binary_semaphore* over) {
    if (left == 0) return over->release();
    peer.send(&player::hit, left - 1, over);
  }
  beamlet::actor_handle<player> peer;
};

void ping_pong() {
  constexpr int hops = 2'000'000;
  auto rt = start();
  auto a = rt.actor<player>().remote(), b = rt.actor<player>().remote();
  a.send(&player::meet, b);
  b.send(&player::meet, a);
  bench::measure([&] {
    std::binary_semaphore over{0};
    a.send(&player::hit, hops, &over);
    over.acquire();
    return hops;
  });
}

struct echo {
  int answer(int n) { return n; }
};
struct asker {
  beamlet::async<long> ask(beamlet::actor_handle<echo> other, int rounds) {
    long sum = 0;
    for (int n = rounds; n > 0; --n) sum += co_await other.call(&echo::answer, n);
    co_return sum;
  }
};

void requests() {
  constexpr int rounds = 300'000;
  auto rt = start();
  auto asking = rt.actor<asker>().remote();
  auto answering = rt.actor<echo>().remote();
  bench::measure([&] { return rt.get(asking.call(&asker::ask, answering, rounds)).value_or(0); });
}

/// A million actors, in a process of its own. Measured when each has answered, so that a state and
/// a mailbox in use are counted.
void memory() {
  constexpr int count = 1'000'000, batch = 1000;
  auto rt = start();
  std::vector<beamlet::actor_handle<counter>> actors;
  actors.reserve(count);
  std::vector<beamlet::ref<long>> answers;
  const long before = bench::resident_bytes();
  const double start_seconds = bench::now();
  long answered = 0;
  for (int i = 0; i < count; ++i) actors.push_back(rt.actor<counter>().remote());
  for (int i = 0; i < count; i += batch) {
    answers.clear();
    for (int k = 0; k < batch; ++k) answers.push_back(actors[i + k].call(&counter::report));
    for (auto& answer : answers) answered += rt.get(answer).value_or(-1) == 0;
  }
  const double seconds = bench::now() - start_seconds;
  const long bytes = bench::resident_bytes() - before;
  std::printf("bytes %.1f seconds %.3f check %ld\n", double(bytes) / count, seconds, answered);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_row(argc, argv,
                        {{"messages", messages_from_main},
                         {"messages_in_task", messages_from_task},
                         {"messages_with_refs", messages_with_refs},
                         {"ping_pong", ping_pong},
                         {"requests", requests},
                         {"memory", memory}});
}
