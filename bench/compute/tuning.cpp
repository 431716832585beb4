// SPDX-License-Identifier: Apache-2.0
// Products in every way that a device has, the fastest last: what the table of measured products in
// src/compute/ops/matmul_ways.cpp is made of. The first way is what would be taken without a
// search.
//
// tuning [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/compute/matmul_run.hpp"
#include "compute/ops/matmul_ways.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::compute;

constexpr const char* kinds[] = {"matvec", "tile", "panels", "vec4"};

std::string text_of(const matmul_way& way) {
  std::string made = kinds[static_cast<std::size_t>(way.kind)];
  for (const std::uint32_t n : {way.group_x, way.group_y, way.rows, way.columns})
    made += " " + std::to_string(n);
  return made;
}

struct shape {
  std::int64_t m, n, k;
};

double best_ms(const std::shared_ptr<device>& on, const shape& s, std::uint32_t way, int rounds) {
  const std::vector<float> a(static_cast<std::size_t>(s.m * s.k), 0.5f),
      b(static_cast<std::size_t>(s.k * s.n), 0.25f);
  bench::op_run run(
      on, ops::matmul{},
      {operand::dense(dtypes::f32, {s.m, s.k}), operand::dense(dtypes::f32, {s.k, s.n})},
      operand::dense(dtypes::f32, {s.m, s.n}), {a.data(), b.data()}, way);
  double least = 1e30;
  for (int i = -1; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run.run();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (i >= 0) least = std::min(least, took.count());
  }
  return least;
}

void print_ways(const std::shared_ptr<device>& on, const shape& s, int rounds) {
  const operand all[] = {operand::dense(dtypes::f32, {s.m, s.k}),
                         operand::dense(dtypes::f32, {s.k, s.n}),
                         operand::dense(dtypes::f32, {s.m, s.n})};
  const planner to(on->info(), all, 2);
  const matmul_ways ways = ways_of(product_of(ops::matmul{}, to), to);
  std::printf("%-9s %4lld x %4lld x %4lld", on->info().id().c_str(), static_cast<long long>(s.m),
              static_cast<long long>(s.n), static_cast<long long>(s.k));
  std::size_t best = 0;
  double least = 1e30;
  for (std::size_t i = 0; i < ways.count; ++i) {
    const double ms = best_ms(on, s, static_cast<std::uint32_t>(i), rounds);
    std::printf("  %s: %.3f ms", text_of(ways.all[i]).c_str(), ms);
    if (ms < least) best = i, least = ms;
  }
  std::printf("  BEST %s\n", text_of(ways.all[best]).c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  for (const backend& one : backends()) {
    if (std::string(one.name) == "cpu") continue;
    auto found = one.devices({});
    if (!found.has_value()) continue;
    for (auto& each : *found) {
      const std::shared_ptr<device> on = std::move(each);
      bench::check(on->open());
      for (const shape& s : {shape{16, 16, 16},
                             {64, 64, 64},
                             {256, 256, 256},
                             {512, 512, 512},
                             {1024, 1024, 1024},
                             {16, 1024, 1024},
                             {1, 1024, 4096},
                             {4096, 1, 1024}})
        print_ways(on, s, rounds);
    }
  }
  std::fflush(stdout);
  std::_Exit(0);  // drivers may not outlive static objects
}
