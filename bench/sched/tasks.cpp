// SPDX-License-Identifier: Apache-2.0

// Tasks and refs: the rows that oneTBB, two threads with a futex, and Ray are measured against.

#include <algorithm>
#include <beamlet/beamlet.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace {

constexpr int million = 1'000'000;

beamlet::runtime start(const beamlet::runtime_options& options = {}) {
  auto started = beamlet::runtime::start(options);
  if (!started.has_value()) std::exit(3);
  return std::move(*started);
}

int one() { return 1; }
int next(int x) { return x + 1; }
int deeper(int left, int right) { return 1 + std::max(left, right); }

long spawn_and_get(beamlet::runtime_handle rt) {
  std::vector<beamlet::ref<int>> refs;
  refs.reserve(million);
  for (int i = 0; i < million; ++i) refs.push_back(rt.task(one).remote());
  long sum = 0;
  for (auto& ref : refs) sum += rt.get(ref).value_or(0);
  return sum;
}

long chain(beamlet::runtime_handle rt) {
  auto ref = rt.put(0);
  for (int i = 0; i < million; ++i) ref = rt.task(next).remote(std::move(ref));
  return rt.get(ref).value_or(0);
}

/// Node (layer, i) waits for (layer - 1, i) and (layer - 1, i + 1); its value is its depth.
long layered(beamlet::runtime_handle rt) {
  constexpr int width = 1000, depth = 100;
  std::vector<beamlet::ref<int>> above, layer(width);
  for (auto& ref : layer) ref = rt.task(one).remote();
  for (int d = 1; d < depth; ++d) {
    std::swap(above, layer);
    layer.resize(width);
    for (int i = 0; i < width; ++i)
      layer[i] = rt.task(deeper).remote(above[i], above[(i + 1) % width]);
  }
  long sum = 0;
  for (auto& ref : layer) sum += rt.get(ref).value_or(0);
  return sum;
}

long fib(int n) {
  if (n < 2) return n;
  auto rt = beamlet::this_task::runtime();
  auto left = rt.task(fib).remote(n - 1);
  long right = fib(n - 2);
  return rt.get(left).value_or(0) + right;
}

/// The row as a program's main thread runs it, and as a task does. By default the main thread's get
/// would run that task itself; here a worker does.
template <long (*work)(beamlet::runtime_handle)>
void from_main() {
  auto rt = start();
  bench::measure([&] { return work(rt); });
}
template <long (*work)(beamlet::runtime_handle)>
void from_task() {
  auto rt = start({.get_helps = beamlet::help::nothing});
  auto inside = [] { return work(beamlet::this_task::runtime()); };
  bench::measure([&] { return rt.get(rt.task(inside).remote()).value_or(0); });
}

void fib_27() {
  auto rt = start();
  bench::measure([&] { return rt.get(rt.task(fib).remote(27)).value_or(0); });
}

long round_trips(beamlet::runtime_handle rt) {
  long sum = 0;
  for (int i = 0; i < 20'000; ++i) sum += rt.get(rt.task(one).remote()).value_or(0);
  return sum;
}
template <beamlet::help helps>
void round_trip() {
  auto rt = start({.get_helps = helps});
  bench::measure([&] { return round_trips(rt); });
}
void round_trip_asleep() {
  auto rt = start({.get_helps = beamlet::help::nothing});
  bench::measure_paused([&]() -> long { return rt.get(rt.task(one).remote()).value_or(0); });
}

struct counter {
  int touch() { return 1; }
};

template <class Submit>
long thousand_then_get(beamlet::runtime_handle rt, Submit submit) {
  std::vector<beamlet::ref<int>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(submit());
  auto values = rt.get(refs);
  return values.has_value() ? static_cast<long>(values->size()) : -1;
}
void task_batch() {
  auto rt = start();
  bench::measure([&] { return thousand_then_get(rt, [&] { return rt.task(one).remote(); }); });
}
void call() {
  auto rt = start();
  auto actor = rt.actor<counter>().remote();
  bench::measure([&] {
    long sum = 0;
    for (int i = 0; i < 20'000; ++i) sum += rt.get(actor.call(&counter::touch)).value_or(0);
    return sum;
  });
}
void call_batch() {
  auto rt = start();
  auto actor = rt.actor<counter>().remote();
  bench::measure(
      [&] { return thousand_then_get(rt, [&] { return actor.call(&counter::touch); }); });
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_row(argc, argv,
                        {{"spawn", from_main<spawn_and_get>},
                         {"spawn_in_task", from_task<spawn_and_get>},
                         {"fib", fib_27},
                         {"layered", from_main<layered>},
                         {"layered_in_task", from_task<layered>},
                         {"chain", from_main<chain>},
                         {"chain_in_task", from_task<chain>},
                         {"round_trip_asleep", round_trip_asleep},
                         {"round_trip_nothing", round_trip<beamlet::help::nothing>},
                         {"round_trip_default", round_trip<beamlet::help::awaited>},
                         {"round_trip_helping", round_trip<beamlet::help::anything>},
                         {"task_batch", task_batch},
                         {"call", call},
                         {"call_batch", call_batch}});
}
