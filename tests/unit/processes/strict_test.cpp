// SPDX-License-Identifier: Apache-2.0
// Strict mode: what is an object nobody changes, not even who made it.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/unit/processes/actors.hpp"

namespace strict_objects {

using namespace beamlet;
using isolated_actors::value_of;

constexpr std::int64_t large = 1 << 20, small = 1 << 16;  // floats: 4 MiB, 256 KiB

double sum_of(const tensor& t) {
  auto values = t.view<float>();
  return values.has_value() ? std::accumulate(values->begin(), values->end(), 0.0) : -1;
}
tensor ones(std::int64_t size, memory_source& in) {
  auto made = tensor_builder<float>::make({size}, in);
  if (!made.has_value()) return {};
  std::ranges::fill(made->values(), 1.0f);
  return std::move(*made).freeze();
}
/// Makes the pages writable for this process, whatever they were, and writes there.
bool scribble(const tensor& t) {
  auto* data = const_cast<std::byte*>(t.data());
  const auto bytes = static_cast<std::size_t>(t.elements()) * sizeof(float);
  if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0) return false;
  std::fill_n(data, bytes, std::byte{0x41});
  return true;
}
tensor kept_by_worker;
tensor make_strict(std::int64_t size) {
  return kept_by_worker = ones(size, this_task::runtime().memory());
}
bool scribble_on_kept() { return scribble(kept_by_worker); }
BEAMLET_REMOTE(sum_of);
BEAMLET_REMOTE(make_strict);
BEAMLET_REMOTE(scribble_on_kept);

const task_options apart{.isolation = isolation::process};

runtime start_strict(bool strict = true) {
  auto rt = runtime::start({.workers = 2,
                            .object_store_memory = std::uint64_t{64} << 20,
                            .strict_objects = strict,
                            .worker_processes_max = 1});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

TEST_CASE("in strict mode a program that scribbles over its large object changes it for nobody") {
  runtime rt = start_strict();
  tensor own = ones(large, rt.memory());
  auto object = rt.put(own);
  CHECK(value_of(rt.get(rt.task(sum_of).options(apart).remote(object))) == large);
  CHECK(sum_of(own) == large);  // its maker reads it where it was built
  REQUIRE(scribble(own));
  CHECK(sum_of(own) != large);
  CHECK(value_of(rt.get(rt.task(sum_of).options(apart).remote(object))) == large);
}

TEST_CASE("in strict mode a worker process that scribbles over its result changes it for nobody") {
  runtime rt = start_strict();
  tensor made = value_of(rt.get(rt.task(make_strict).options(apart).remote(large)));
  CHECK(sum_of(made) == large);
  CHECK(value_of(rt.get(rt.task(scribble_on_kept).options(apart).remote())));
  CHECK(sum_of(made) == large);
}

TEST_CASE("in strict mode what is small, and without it everything, stays its writer's own") {
  for (bool strict : {true, false}) {
    runtime rt = start_strict(strict);
    const std::int64_t size = strict ? small : large;
    tensor made = value_of(rt.get(rt.task(make_strict).options(apart).remote(size)));
    CHECK(sum_of(made) == size);
    CHECK(value_of(rt.get(rt.task(scribble_on_kept).options(apart).remote())));
    CHECK(sum_of(made) != size);
  }
}

TEST_CASE("in strict mode the memory of objects that are gone is used again") {
  runtime rt = start_strict();
  for (int i = 0; i < 40; ++i) {  // 160 MiB in a store of 64
    auto made = rt.put(ones(large, rt.memory()));
    REQUIRE(value_of(rt.get(rt.task(sum_of).options(apart).remote(made))) == large);
  }
}

}  // namespace strict_objects
