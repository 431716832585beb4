// SPDX-License-Identifier: Apache-2.0
#include <beamlet/runtime/buffer.hpp>

#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/unit/base/panics.hpp"
#include "tests/unit/runtime/support.hpp"

namespace buffer_cases {

using namespace runtime_test;

namespace {
std::span<const std::byte> bytes_in(std::string_view text) { return base::bytes_of(text); }
std::string_view text_in(const buffer& b) { return base::text_of(b.bytes()); }
buffer buffer_with(std::string_view text) { return *buffer::copy_of(bytes_in(text)); }

/// Gives from one array, and counts what is given and dropped.
class counting_source final : public memory_source {
 public:
  result<memory_block> allocate(std::size_t bytes, std::size_t align) override {
    if (fails) return error(errc::exhausted);
    asked = bytes;
    aligned = align;
    ++given;
    return memory_block{memory, sizeof(memory), [](void* self) { ++*static_cast<int*>(self); },
                        &dropped};
  }
  alignas(4096) std::byte memory[8192];
  std::size_t asked = 0, aligned = 0;
  int given = 0, dropped = 0;
  bool fails = false;
};
}  // namespace

TEST_CASE("a buffer is frozen, copied and sliced without a copy of its bytes") {
  auto builder = *buffer_builder::make(11);
  REQUIRE(builder.size() == 11);
  std::memcpy(builder.data(), "hello world", 11);
  const std::byte* where = builder.data();
  buffer whole = std::move(builder).freeze();
  buffer copy = whole, world = whole.slice(6, 5);
  CHECK(text_in(copy) == "hello world");
  CHECK(text_in(world) == "world");
  CHECK(whole.data() == where);
  CHECK(copy.data() == where);
  CHECK(world.data() == where + 6);
  CHECK(world == buffer_with("world"));
  CHECK_FALSE(world == copy);
  CHECK(whole.slice(11, 0).empty());
  CHECK(whole.slice(11, 0) == buffer());
}

TEST_CASE("a slice past the end of its buffer panics") {
  buffer b = buffer_with("abc");
  for (std::size_t from : {std::size_t{1}, std::size_t{4}, ~std::size_t{0}})
    CHECK(panic_test::panics([&] { (void)b.slice(from, 3); }));
  CHECK(panic_test::panics([&] { (void)b.slice(1, ~std::size_t{0}); }));
}

TEST_CASE("the memory is dropped once, with the last buffer of it") {
  counting_source source;
  {
    buffer slice;
    {
      buffer whole = std::move(*buffer_builder::make(100, source)).freeze(10);
      CHECK(whole.size() == 10);
      slice = whole.slice(2, 3);
      buffer moved = std::move(whole);
      whole = moved;
      CHECK(source.dropped == 0);
    }
    buffer& itself = slice;
    slice = itself;
    CHECK(source.dropped == 0);
    CHECK(slice.size() == 3);
  }
  CHECK(source.given == 1);
  CHECK(source.dropped == 1);
  { auto unused = buffer_builder::make(1, source); }
  CHECK(source.dropped == 2);
}

TEST_CASE("bytes start at a multiple of 64, and on a page from 64 KiB on") {
  counting_source source;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65535}}) {
    auto b = *buffer_builder::make(size);
    CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
  }
  CHECK(reinterpret_cast<std::uintptr_t>(buffer_builder::make(65536)->data()) % 4096 == 0);
  CHECK(buffer_builder::make(64, source).has_value());
  CHECK(source.aligned == 64);
}

TEST_CASE("what a source cannot give is its error") {
  counting_source source;
  source.fails = true;
  CHECK(code_of(buffer_builder::make(1, source)) == errc::exhausted);
  CHECK(code_of(buffer::copy_of(bytes_in("a"), source)) == errc::exhausted);
  CHECK(code_of(buffer_builder::make(~std::size_t{0})) == errc::too_large);
}

TEST_CASE("bytes that somebody else keeps are kept until the last buffer is gone") {
  static int dropped;
  dropped = 0;
  const std::vector<std::byte> kept(5, std::byte{7});
  {
    buffer b = *buffer::adopt({kept.data(), kept.size(), [](void*) { ++dropped; }, nullptr});
    CHECK(b.data() == kept.data());
    buffer part = b.slice(1, 2);
    b = buffer();
    CHECK(dropped == 0);
    CHECK(part.bytes()[1] == std::byte{7});
  }
  CHECK(dropped == 1);
  CHECK(buffer::adopt({})->empty());  // nothing to drop
}

TEST_CASE("buffers are shared and dropped by many threads at a time") {
  counting_source source;
  {
    buffer b = std::move(*buffer_builder::make(64, source)).freeze();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([b] {
        for (std::size_t n = 0; n < 1000; ++n) buffer part = b.slice(n % 64, 1);
      });
    for (std::thread& t : threads) t.join();
    CHECK(source.dropped == 0);
  }
  CHECK(source.dropped == 1);
}

TEST_CASE("a buffer knows its block only while nobody can read what lies behind it") {
  counting_source source;
  buffer whole = std::move(*buffer_builder::make(100, source)).freeze(40);
  const sched::held_bytes* block = detail::memory_of(whole);
  REQUIRE(block != nullptr);
  CHECK(block->data == whole.data());
  CHECK(block->size == sizeof(source.memory));
  CHECK(detail::memory_of(whole.slice(0, 40)) == block);
  CHECK(detail::memory_of(whole.slice(0, 39)) == nullptr);
  CHECK(detail::memory_of(whole.slice(1, 39)) == nullptr);
  CHECK(detail::memory_of(buffer()) == nullptr);
}

TEST_CASE("a buffer goes through its codec, alone and within others") {
  CHECK(wire_name<buffer>() == "buffer");
  for (std::string_view text : {"", "a", "some bytes"}) {
    auto encoded = *encode_to(buffer_with(text));
    CHECK(encoded.size() == 8 + text.size());
    CHECK(text_in(*decode_from<buffer>(encoded)) == text);
    encoded.pop_back();
    CHECK(code_of(decode_from<buffer>(encoded)) == errc::malformed);
  }
  using both = std::pair<buffer, std::vector<buffer>>;
  both sent{buffer_with("x"), {buffer(), buffer_with("yz")}};
  CHECK(*decode_from<both>(*encode_to(sent)) == sent);
}

TEST_CASE("as an object by itself a buffer is its bytes") {
  buffer b = buffer_with("payload");
  auto placed = *detail::place(b);
  CHECK(placed.payload.data() == b.data());
  CHECK(placed.trailer_bytes().empty());
  buffer back = *codec<buffer>::open({b.data(), b.size(), nullptr, nullptr});
  CHECK(back == b);
  CHECK(back.data() == b.data());
}

TEST_CASE("tasks take and return buffers") {
  auto rt = start();
  auto doubled = rt.task([](const buffer& b) {
                     auto twice = *buffer_builder::make(2 * b.size());
                     std::memcpy(twice.data(), b.data(), b.size());
                     std::memcpy(twice.data() + b.size(), b.data(), b.size());
                     return std::move(twice).freeze();
                   }).remote(rt.put(buffer_with("ab")));
  auto answer = rt.get(doubled);
  REQUIRE(answer.has_value());
  CHECK(text_in(*answer) == "abab");
}

}  // namespace buffer_cases
