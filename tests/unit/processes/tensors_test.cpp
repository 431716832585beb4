// SPDX-License-Identifier: Apache-2.0
// Buffers and tensors on their way to worker processes and back, and where they lie meanwhile.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "tests/unit/processes/shared_memory.hpp"

namespace isolated_tensors {

using namespace beamlet;

constexpr std::int64_t large = std::int64_t{16} << 20;  // floats: 64 MiB
constexpr std::uint64_t large_bytes = static_cast<std::uint64_t>(large) * sizeof(float);

/// Without elements where there is no memory.   Also in worker processes: no test's macros.
tensor counted(const dimensions& shape, memory_source& source) {
  auto made = tensor_builder<float>::make(shape, source);
  if (!made.has_value()) return {};
  auto values = made->values();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000);
  return std::move(*made).freeze();
}
/// Of the elements as they follow each other; -1: not contiguous, or of another type.
double sum(const tensor& t) {
  auto values = t.view<float>();
  return values.has_value() ? std::accumulate(values->begin(), values->end(), 0.0) : -1;
}

bool equal(const tensor& a, const tensor& b) {
  auto left = a.contiguous(), right = b.contiguous();
  REQUIRE((left.has_value() && right.has_value()));
  const auto bytes = a.elements() * a.type().bytes();
  return a.type() == b.type() && a.shape() == b.shape() &&
         std::equal(left->data(), left->data() + bytes, right->data());
}

/// The sum of what a process reads; negative where it reads a copy.
double sum_in_place(const tensor& t) { return is_shared(t.data()) ? sum(t) : -sum(t); }
double sum_anywhere(const tensor& t) {
  auto dense = t.contiguous();
  return dense.has_value() ? sum(*dense) : -1;
}
tensor make_in_store(std::int64_t size) { return counted({size}, this_task::runtime().memory()); }
tensor make_on_heap(std::int64_t size) { return counted({size}, heap_memory()); }
tensor same(tensor t) { return t; }
buffer reversed(const buffer& b) {
  auto made = buffer_builder::make(b.size());
  std::reverse_copy(b.bytes().begin(), b.bytes().end(), made->data());
  return std::move(*made).freeze();
}
tensor first_rows(tensor t) { return *t.slice(0, 0, 2); }
BEAMLET_REMOTE(sum_in_place);
BEAMLET_REMOTE(sum_anywhere);
BEAMLET_REMOTE(make_in_store);
BEAMLET_REMOTE(make_on_heap);
BEAMLET_REMOTE(same);
BEAMLET_REMOTE(reversed);
BEAMLET_REMOTE(first_rows);

/// Keeps what it returned, as the cache of a worker process might.
tensor kept_in_worker;
tensor make_and_keep(std::int64_t size) { return kept_in_worker = make_in_store(size); }
double sum_of_kept() { return sum(kept_in_worker); }
BEAMLET_REMOTE(make_and_keep);
BEAMLET_REMOTE(sum_of_kept);

int build_and_crash(std::int64_t size) {
  tensor t = make_in_store(size);
  raise(SIGKILL);
  return static_cast<int>(t.elements());
}
BEAMLET_REMOTE(build_and_crash);

const task_options apart{.isolation = isolation::process};

TEST_CASE("a tensor built in the store is read by a worker process where it lies") {
  runtime rt =
      start_with_store(large_bytes + (std::uint64_t{40} << 20));  // no room for a second one
  tensor t = counted({large}, rt.memory());
  CHECK(is_shared(t.data()));
  const double expected = sum(t);
  const std::byte* before = t.data();
  auto object = rt.put(t);
  CHECK(must(rt.get(rt.task(sum_in_place).options(apart).remote(object))) == expected);
  CHECK(must(rt.get(rt.task(sum_in_place).options(apart).remote(object))) == expected);
  CHECK(must(rt.get(object)).data() == before);
  object = {};
  CHECK(sum(t) == expected);
}

TEST_CASE("a worker process's tensor is read by the program where it was built") {
  runtime rt = start_with_store(large_bytes + (std::uint64_t{40} << 20));
  auto made = rt.task(make_in_store).options(apart).remote(large);
  tensor t = must(rt.get(made));
  CHECK(is_shared(t.data()));
  CHECK(equal(t, counted({large}, heap_memory())));
  // And goes on to the next one as it is.
  CHECK(must(rt.get(rt.task(sum_in_place).options(apart).remote(made))) == sum(t));
}

TEST_CASE("the store has room again when the last reader of a tensor has gone") {
  runtime rt = start_with_store(large_bytes + (std::uint64_t{40} << 20));
  double expected = -1;
  for (int round = 0; round < 4; ++round) {
    CAPTURE(round);
    tensor t = counted({large}, rt.memory());
    if (round == 0) expected = sum(t);
    CHECK(must(rt.get(rt.task(sum_in_place).options(apart).remote(rt.put(std::move(t))))) ==
          expected);
    CHECK(sum(must(rt.get(rt.task(make_in_store).options(apart).remote(large)))) == expected);
  }
}

TEST_CASE("what a worker process was building when it died does not keep its memory") {
  runtime rt = start_with_store(large_bytes + (std::uint64_t{40} << 20));
  for (int round = 0; round < 3; ++round)
    CHECK(rt.get(rt.task(build_and_crash).options(apart).remote(large)).error().code() ==
          errc::worker_died);
  CHECK(counted({large}, rt.memory()).elements() == static_cast<std::size_t>(large));
}

TEST_CASE("a tensor made on the heap arrives equal, large or small, and comes back") {
  runtime rt = start_with_store();
  for (std::int64_t size : {0, 1, 1000, 20'000, 1 << 20}) {
    CAPTURE(size);
    tensor t = counted({size}, heap_memory());
    CHECK(must(rt.get(rt.task(sum_anywhere).options(apart).remote(rt.put(t)))) == sum(t));
    CHECK(must(rt.get(rt.task(sum_anywhere).options(apart).remote(t))) == sum(t));
    CHECK(equal(must(rt.get(rt.task(same).options(apart).remote(rt.put(t)))), t));
    CHECK(equal(must(rt.get(rt.task(make_on_heap).options(apart).remote(size))), t));
    CHECK(equal(must(rt.get(rt.task(make_in_store).options(apart).remote(size))), t));
  }
}

TEST_CASE("views of a tensor arrive as what they show") {
  runtime rt = start_with_store();
  for (std::int64_t size : {8, 1000}) {
    CAPTURE(size);
    tensor whole = counted({size, size}, rt.memory());
    tensor views[] = {must(whole.slice(0, 1, 5)), must(whole.slice(1, 2, 4)),
                      must(whole.permuted({1, 0})), must(whole.reshaped({size * size})), whole};
    for (const tensor& view : views) {
      tensor back = must(rt.get(rt.task(same).options(apart).remote(rt.put(view))));
      CHECK(equal(back, view));
    }
    CHECK(equal(must(rt.get(rt.task(first_rows).options(apart).remote(rt.put(whole)))),
                must(whole.slice(0, 0, 2))));
  }
}

TEST_CASE("buffers arrive as the bytes they are") {
  runtime rt = start_with_store();
  for (std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{300'000}}) {
    CAPTURE(size);
    auto made = must(buffer_builder::make(size, rt.memory()));
    for (std::size_t i = 0; i < size; ++i) made.data()[i] = static_cast<std::byte>(i % 251);
    buffer b = std::move(made).freeze();
    auto turned = rt.task(reversed).options(apart).remote(rt.put(b));
    CHECK(must(rt.get(rt.task(reversed).options(apart).remote(turned))) == b);
  }
}

TEST_CASE("two objects of one tensor are both right, and only one lies where it was built") {
  runtime rt = start_with_store();
  tensor t = counted({1000, 1000}, rt.memory());
  auto flat = rt.put(must(t.reshaped({1'000'000}))), square = rt.put(t);
  CHECK(equal(must(rt.get(rt.task(same).options(apart).remote(square))), t));
  CHECK(must(rt.get(rt.task(same).options(apart).remote(flat))).shape() == dimensions{1'000'000});
  CHECK(equal(must(rt.get(rt.task(same).options(apart).remote(square))), t));
}

TEST_CASE("a tensor outlives its ref, its object and its runtime") {
  tensor built, put, fetched, passed;
  double expected = 0;
  {
    runtime rt = start_with_store();
    built = counted({1 << 20}, rt.memory());
    put = counted({1 << 20}, rt.memory());
    expected = sum(built);
    auto object = rt.put(put);
    CHECK(must(rt.get(rt.task(sum_in_place).options(apart).remote(object))) == expected);
    fetched = must(rt.get(rt.task(make_in_store).options(apart).remote(std::int64_t{1} << 20)));
    passed = must(rt.get(rt.task(same).options(apart).remote(object)));
    object = {};
    // What would take the memory of objects that have gone.
    for (int i = 0; i < 8; ++i) {
      auto other = must(tensor_builder<float>::make({1 << 20}, rt.memory()));
      std::ranges::fill(other.values(), -1.0f);
    }
    for (const tensor& t : {built, put, fetched, passed}) CHECK(sum(t) == expected);
  }
  for (const tensor& t : {built, put, fetched, passed}) {
    CHECK(is_shared(t.data()));
    CHECK(sum(t) == expected);
  }
}

TEST_CASE("a tensor that its worker process keeps is not written over when its object is gone") {
  runtime rt = start_with_store();
  const std::int64_t size = 1 << 20;
  const double expected = sum(must(rt.get(rt.task(make_and_keep).options(apart).remote(size))));
  for (int i = 0; i < 4; ++i)
    CHECK(sum(must(rt.get(rt.task(make_in_store).options(apart).remote(size / 2)))) > 0);
  CHECK(must(rt.get(rt.task(sum_of_kept).options(apart).remote())) == expected);
}

TEST_CASE("memory of the store starts where builders want it, and says what it does not have") {
  runtime rt = start_with_store();
  for (std::size_t align : {std::size_t{64}, std::size_t{4096}}) {
    auto block = must(rt.memory().allocate(100, align));
    CHECK(reinterpret_cast<std::uintptr_t>(block.data) % align == 0);
    block.drop(block.keeper);
  }
  CHECK(buffer_builder::make(~std::size_t{0}, rt.memory()).error().code() == errc::too_large);
  CHECK(!buffer_builder::make(std::size_t{1} << 40, rt.memory()).has_value());
}

}  // namespace isolated_tensors
