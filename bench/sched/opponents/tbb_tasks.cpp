// SPDX-License-Identifier: Apache-2.0

// oneTBB in its best form.

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_group.h>

#include <atomic>
#include <memory>
#include <vector>

#include "measure.hpp"

namespace {

/// No futures: what a task_group offers is to wait for all.
void spawn() {
  bench::measure([] {
    std::atomic<long> ran{0};
    tbb::task_group group;
    for (int i = 0; i < 1'000'000; ++i)
      group.run([&] { ran.fetch_add(1, std::memory_order_relaxed); });
    group.wait();
    return ran.load();
  });
}

long fib(int n) {
  if (n < 2) return n;
  long left = 0;
  tbb::task_group group;
  group.run([&] { left = fib(n - 1); });
  long right = fib(n - 2);
  group.wait();
  return left + right;
}
void fib_27() {
  bench::measure([] { return fib(27); });
}

namespace flow = tbb::flow;

/// Node (layer, i) waits for (layer - 1, i) and (layer - 1, i + 1).
struct layered_graph {
  using node = flow::continue_node<flow::continue_msg>;
  static constexpr int width = 1000, depth = 100;

  flow::graph graph;
  std::vector<std::unique_ptr<node>> nodes;
  std::atomic<long> fired{0};

  layered_graph() {
    for (int i = 0; i < width * depth; ++i)
      nodes.push_back(std::make_unique<node>(graph, [this](const flow::continue_msg&) {
        fired.fetch_add(1, std::memory_order_relaxed);
      }));
    for (int layer = 1; layer < depth; ++layer)
      for (int i = 0; i < width; ++i) {
        node& below = *nodes[layer * width + i];
        flow::make_edge(*nodes[(layer - 1) * width + i], below);
        flow::make_edge(*nodes[(layer - 1) * width + (i + 1) % width], below);
      }
  }

  long run() {
    for (int i = 0; i < width; ++i) nodes[i]->try_put(flow::continue_msg());
    graph.wait_for_all();
    return fired.load();
  }
};
void layered() {
  bench::measure([] { return layered_graph().run(); });
}

}  // namespace

int main(int argc, char** argv) {
  tbb::global_control workers(tbb::global_control::max_allowed_parallelism, 2);
  return bench::run_row(argc, argv, {{"spawn", spawn}, {"fib", fib_27}, {"layered", layered}});
}
