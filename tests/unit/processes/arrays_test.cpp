// SPDX-License-Identifier: Apache-2.0
// Arrays of plain things and text on their way to worker processes and back, and where they lie.
#include <doctest/doctest.h>
#include <beamlet/beamlet.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "tests/unit/processes/shared_memory.hpp"

namespace isolated_arrays {

using namespace beamlet;

constexpr std::size_t large = std::size_t{8} << 20;  // doubles: 64 MiB

struct sample {
  std::int32_t at;
  float value;
};

/// Also in worker processes: no test's macros. Empty where there is no memory.
array<double> counted(std::size_t size, memory_source& source) {
  array_builder<double> made(source);
  if (!made.resize_uninitialized(size).has_value()) return {};
  std::iota(made.begin(), made.end(), 0.0);
  return std::move(made).freeze();
}
array<sample> sampled(std::int32_t size, memory_source& source) {
  array_builder<sample> made(source);
  for (std::int32_t i = 0; i < size; ++i)
    if (!made.push_back({i, 0.5f}).has_value()) return {};
  return std::move(made).freeze();
}
double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// The sum of what a process reads; negative where it reads a copy.
double sum_of_array_in_place(const array<double>& a) {
  return is_shared(a.data()) ? sum(a) : -sum(a);
}
double sum_of_span_in_place(std::span<const double> a) {
  return is_shared(a.data()) ? sum(a) : -sum(a);
}
double sum_of_span_anywhere(std::span<const double> a) { return sum(a); }
std::int64_t letters_in_place(std::string_view text) {
  return is_shared(text.data()) ? std::ssize(text) : -std::ssize(text);
}
std::string_view::size_type words(const std::string_view& text, char between) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), between));
}
array<double> counted_in_store(std::size_t size) {
  return counted(size, this_task::runtime().memory());
}
array<sample> sampled_in_store(std::int32_t size) {
  return sampled(size, this_task::runtime().memory());
}
double sum_of_samples(std::span<const sample> all) {
  double made = 0;
  for (const sample& each : all) made += each.at * static_cast<double>(each.value);
  return made;
}
BEAMLET_REMOTE(sum_of_array_in_place);
BEAMLET_REMOTE(sum_of_span_in_place);
BEAMLET_REMOTE(sum_of_span_anywhere);
BEAMLET_REMOTE(letters_in_place);
BEAMLET_REMOTE(words);
BEAMLET_REMOTE(counted_in_store);
BEAMLET_REMOTE(sampled_in_store);
BEAMLET_REMOTE(sum_of_samples);

struct summing_actor {
  double add(std::span<const double> more) { return all += sum(more); }
  double all = 0;
};
BEAMLET_REMOTE(beamlet::constructor<summing_actor()>);
BEAMLET_REMOTE(&summing_actor::add);

const task_options apart{.isolation = isolation::process};

TEST_CASE("an array built in the store is read by a worker process where it lies") {
  runtime rt =
      start_with_store(large * sizeof(double) + (std::uint64_t{40} << 20));  // no room for another
  auto values = counted(large, rt.memory());
  REQUIRE(values.size() == large);
  CHECK(is_shared(values.data()));
  auto object = rt.put(values);
  CHECK(must(rt.get(rt.task(sum_of_array_in_place).options(apart).remote(object))) == sum(values));
  CHECK(must(rt.get(rt.task(sum_of_span_in_place).options(apart).remote(object))) == sum(values));
  CHECK(must(rt.get(rt.task(sum_of_span_in_place).remote(object))) == sum(values));
  CHECK(must(rt.get(object)).data() == values.data());
}

TEST_CASE("an array that grew in the store is read where it was when it was done") {
  runtime rt = start_with_store();
  auto values = sampled(1 << 18, rt.memory());
  REQUIRE(values.size() == 1 << 18);
  CHECK(is_shared(values.data()));
  const double expected = sum_of_samples(values);
  CHECK(must(rt.get(rt.task(sum_of_samples).options(apart).remote(rt.put(values)))) == expected);
  auto made = rt.task(sampled_in_store).options(apart).remote(1 << 18);
  CHECK(must(rt.get(rt.task(sum_of_samples).options(apart).remote(made))) == expected);
  CHECK(is_shared(must(rt.get(made)).data()));
}

TEST_CASE("arrays on the heap, small and large, arrive equal as values and as objects") {
  runtime rt = start_with_store();
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{100'000}}) {
    CAPTURE(size);
    auto values = counted(size, heap_memory());
    const double expected = sum(values);
    CHECK(must(rt.get(rt.task(sum_of_span_anywhere).options(apart).remote(values))) == expected);
    CHECK(must(rt.get(rt.task(sum_of_span_anywhere).options(apart).remote(rt.put(values)))) ==
          expected);
    CHECK(must(rt.get(rt.task(counted_in_store).options(apart).remote(size))) == values);
  }
}

TEST_CASE("text is read in place as a string_view") {
  runtime rt = start_with_store();
  array_builder<char> made(rt.memory());
  REQUIRE(made.resize(200'000).has_value());
  std::fill(made.begin(), made.end(), 'a');
  made[5] = made[7] = ' ';
  auto text = rt.put(std::move(made).freeze());
  CHECK(must(rt.get(rt.task(letters_in_place).options(apart).remote(text))) == 200'000);
  CHECK(must(rt.get(rt.task(words).options(apart).remote(text, ' '))) == 3);
  CHECK(must(rt.get(rt.task(words).remote(text, ' '))) == 3);
}

TEST_CASE("an actor in a worker process takes arrays as views") {
  runtime rt = start_with_store();
  auto a = rt.actor<summing_actor>().options({.isolation = isolation::process}).remote();
  auto values = counted(10'000, rt.memory());
  auto object = rt.put(values);
  CHECK(must(rt.get(a.call(&summing_actor::add, object))) == sum(values));
  CHECK(must(rt.get(a.call(&summing_actor::add, values))) == 2 * sum(values));
}

TEST_CASE("an array outlives its ref and its runtime") {
  array<double> fetched;
  {
    runtime rt = start_with_store();
    fetched = must(rt.get(rt.task(counted_in_store).options(apart).remote(std::size_t{100'000})));
  }
  CHECK(is_shared(fetched.data()));
  CHECK(fetched == counted(100'000, heap_memory()));
}

}  // namespace isolated_arrays
