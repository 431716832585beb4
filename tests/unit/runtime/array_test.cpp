// SPDX-License-Identifier: Apache-2.0
#include <beamlet/runtime/array.hpp>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tests/unit/runtime/support.hpp"

namespace array_cases {

using namespace runtime_test;

namespace {

struct pixel {
  std::uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(const pixel&, const pixel&) = default;
};
enum class shade : std::uint8_t { dark, light };
union either {
  int number;
  float fraction;
};
static_assert(array_element<pixel> && array_element<shade> && array_element<either>);
static_assert(array_element<char> && array_element<double> && array_element<object_id>);
static_assert(!array_element<bool> && !array_element<const int> && !array_element<int*>);
static_assert(!array_element<std::string> && !array_element<int[2]> && !array_element<int&>);

/// Gives once, then says that there is no more.
class small_source final : public memory_source {
 public:
  result<memory_block> allocate(std::size_t bytes, std::size_t align) override {
    if (blocks == 0) return error(errc::exhausted, error_layer::user);
    --blocks;
    return heap_memory().allocate(bytes, align);
  }
  int blocks = 1;
};

double sum_of_span(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}
std::size_t length_of_view(std::string_view text) { return text.size(); }
std::size_t length_of_const_view(const std::string_view& text) { return text.size(); }
array<int> counted_array(int size) {
  array_builder<int> made;
  for (int i = 0; i < size; ++i)
    if (!made.push_back(i).has_value()) return {};
  return std::move(made).freeze();
}

template <class T>
array<T> through_bytes(const array<T>& value) {
  auto bytes = *encode_to(value);
  auto back = decode_from<array<T>>(bytes);
  REQUIRE(back.has_value());
  return *std::move(back);
}

}  // namespace

TEST_CASE("an array is built element by element, as a vector is, and frozen without a copy") {
  array_builder<int> made;
  CHECK(made.size() == 0);
  for (int i = 0; i < 1000; ++i) REQUIRE(made.push_back(i).has_value());
  REQUIRE(made.push_back(made[7]).has_value());  // one of its own, while it grows or not
  made[0] = -1;
  const int* where = made.data();
  array<int> all = std::move(made).freeze();
  CHECK(made.size() == 0);
  CHECK(all.data() == where);
  REQUIRE(all.size() == 1001);
  CHECK(all[0] == -1);
  CHECK(all[999] == 999);
  CHECK(all[1000] == 7);
  array<int> copy = all, part = all.slice(10, 3);
  CHECK(copy.data() == where);
  CHECK(part.data() == where + 10);
  CHECK(std::vector<int>(part.begin(), part.end()) == std::vector<int>{10, 11, 12});
  CHECK(part == *array<int>::copy_of(std::vector<int>{10, 11, 12}));
  CHECK_FALSE(part == all);
}

TEST_CASE("an array is built at once, with zeros or with what is copied in") {
  array_builder<pixel> made;
  REQUIRE(made.resize(3).has_value());
  CHECK(made[2] == pixel{});
  made.values()[1] = {1, 2, 3};
  REQUIRE(made.resize(2).has_value());
  const pixel more[] = {{4, 5, 6}, {7, 8, 9}};
  REQUIRE(made.append(more).has_value());
  array<pixel> all = std::move(made).freeze();
  CHECK(all == *array<pixel>::copy_of(std::vector<pixel>{{}, {1, 2, 3}, {4, 5, 6}, {7, 8, 9}}));
  CHECK(std::move(array_builder<pixel>()).freeze().empty());
}

TEST_CASE("an array of char is text") {
  auto greeting = *array<char>::copy_of("hello");
  CHECK(greeting.size() == 5);
  std::string_view seen = greeting;
  CHECK(seen == "hello");
  array_builder<char> made;
  REQUIRE(made.append(greeting).has_value());
  REQUIRE(made.append(" world").has_value());
  CHECK(std::move(made).freeze().view() == "hello world");
}

TEST_CASE("a builder that cannot grow says why and keeps what it has") {
  small_source source;
  array_builder<std::uint64_t> made(source);
  REQUIRE(made.reserve(40).has_value());
  for (std::uint64_t i = 0; i < 40; ++i) REQUIRE(made.push_back(i).has_value());
  CHECK(made.push_back(40).error().code() == errc::exhausted);
  CHECK(made.reserve(~std::size_t{0}).error().code() == errc::too_large);
  CHECK(made.resize(~std::size_t{0} / 8).error().code() == errc::too_large);
  CHECK(made.size() == 40);
  CHECK(std::move(made).freeze()[39] == 39);
}

TEST_CASE("an array is all of a buffer that holds whole elements") {
  auto bytes = *buffer::copy_of(std::vector<std::byte>(12, std::byte{1}));
  auto whole = array<std::uint32_t>::make(bytes);
  REQUIRE(whole.has_value());
  CHECK((*whole)[2] == 0x01010101);
  CHECK(whole->memory().data() == bytes.data());
  CHECK(array<std::uint64_t>::make(bytes).error().code() == errc::invalid_argument);
  CHECK(array<std::uint16_t>::make(bytes.slice(1, 4)).error().code() == errc::invalid_argument);
  CHECK(array<std::uint64_t>::make(buffer())->empty());
}

TEST_CASE("an array is encoded as its bytes and decoded equal, and no part of an element is one") {
  for (int size : {0, 1, 1000}) CHECK(through_bytes(counted_array(size)) == counted_array(size));
  CHECK(through_bytes(*array<char>::copy_of("text")).view() == "text");
  auto bytes = *encode_to(*array<char>::copy_of("seven b"));
  CHECK(decode_from<array<std::uint32_t>>(bytes).error().code() == errc::malformed);
  CHECK(wire_name<array<float>>() == "array<f32>");
  CHECK(wire_name<array<char>>() == "array<char>");
  CHECK(wire_name<array<pixel>>() == "array<pixel:3>");
}

TEST_CASE("an object is read as an array where it lies, once; a misaligned one is copied") {
  alignas(64) std::uint32_t memory[5] = {1, 2, 3, 4, 5};
  int dropped = 0;
  auto held = [&](std::size_t from, std::size_t size) {
    return sched::held_bytes{reinterpret_cast<const std::byte*>(memory) + from, size,
                             [](void* count) { ++*static_cast<int*>(count); }, &dropped};
  };
  {
    auto in_place = codec<array<std::uint32_t>>::open(held(4, 16));
    REQUIRE(in_place.has_value());
    CHECK(in_place->data() == memory + 1);
    CHECK(dropped == 0);
  }
  CHECK(dropped == 1);
  auto copied = codec<array<std::uint64_t>>::open(held(4, 16));
  REQUIRE(copied.has_value());
  CHECK(dropped == 2);
  CHECK(copied->size() == 2);
  CHECK(codec<array<std::uint32_t>>::open(held(0, 7)).error().code() == errc::malformed);
  CHECK(dropped == 2);
}

TEST_CASE("a task takes an array as it is or as the view that it is, and copies nothing") {
  runtime rt = start();
  auto values = *array<double>::copy_of(std::vector<double>{1, 2, 3.5});
  auto object = rt.put(values);
  CHECK(*rt.get(rt.task(sum_of_span).remote(object)) == 6.5);
  CHECK(*rt.get(rt.task(sum_of_span).remote(values)) == 6.5);
  CHECK(*rt.get(rt.task([](const array<double>& a) { return a.size(); }).remote(object)) == 3);
  auto text = rt.put(*array<char>::copy_of("four"));
  CHECK(*rt.get(rt.task(length_of_view).remote(text)) == 4);
  CHECK(*rt.get(rt.task(length_of_const_view).remote(text)) == 4);
  CHECK(*rt.get(rt.task(counted_array).remote(10)) == counted_array(10));
}

TEST_CASE("an array given by value to a view lives until the task has run") {
  runtime rt = start();
  ref<double> late;
  {
    auto values = *array<double>::copy_of(std::vector<double>(100, 0.5));
    late = rt.task(sum_of_span)
               .options({.delay = std::chrono::milliseconds(5)})
               .remote(std::move(values));
  }
  CHECK(*rt.get(late) == 50);
}

}  // namespace array_cases
