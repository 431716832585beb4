// SPDX-License-Identifier: Apache-2.0
#include "ports/memory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

namespace memory_cases {

namespace {
using namespace beamlet;

// Mapped for one test, with everything set to 'x'.
struct pages {
  explicit pages(std::size_t size) : bytes(size), data(*ports::map_memory(size)) {}
  ~pages() { ports::unmap_memory(data, bytes); }
  unsigned char* at(std::size_t offset) const { return static_cast<unsigned char*>(data) + offset; }
  void fill() const { std::memset(data, 'x', bytes); }
  bool all(std::size_t from, std::size_t to, unsigned char value) const {
    return std::all_of(at(from), at(to), [=](unsigned char byte) { return byte == value; });
  }
  std::size_t bytes;
  void* data;
};

TEST_CASE("mapped memory starts at a page, reads as zero and can be written to its last byte") {
  std::size_t page = ports::page_bytes();
  pages memory(10 * page);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data) % page == 0);
  CHECK(memory.all(0, memory.bytes, 0));
  memory.fill();
  CHECK(memory.all(0, memory.bytes, 'x'));
}

TEST_CASE("a size that is no multiple of a page is mapped and given back") {
  pages memory(ports::page_bytes() + 1);
  memory.fill();
  CHECK(memory.all(0, memory.bytes, 'x'));
}

TEST_CASE("discarded memory reads as zero and can be used again") {
  pages memory(8 * ports::page_bytes());
  memory.fill();
  ports::discard_memory(memory.data, memory.bytes);
  CHECK(memory.all(0, memory.bytes, 0));
  memory.fill();
  CHECK(memory.all(0, memory.bytes, 'x'));
}

TEST_CASE("a page that is discarded in part keeps what it holds") {
  std::size_t page = ports::page_bytes();
  pages memory(4 * page);
  memory.fill();
  ports::discard_memory(memory.at(1), 2 * page);
  CHECK(memory.all(0, page, 'x'));
  CHECK(memory.all(page, 2 * page, 0));
  CHECK(memory.all(2 * page, 4 * page, 'x'));
  ports::discard_memory(memory.at(3 * page + 1), page - 2);
  CHECK(memory.all(2 * page, 4 * page, 'x'));
  ports::discard_memory(memory.at(3 * page), 0);
  CHECK(memory.all(2 * page, 4 * page, 'x'));
}

TEST_CASE("memory that the program has locked reads as zero after it was discarded") {
  pages memory(ports::page_bytes());
  memory.fill();
  if (mlock(memory.data, memory.bytes) != 0) MESSAGE("locking is not allowed here");
  ports::discard_memory(memory.data, memory.bytes);
  CHECK(memory.all(0, memory.bytes, 0));
}

TEST_CASE("discarding gives memory back to the system") {
  constexpr std::size_t bytes = 64 << 20;
  constexpr std::size_t most = 48 << 20;
  pages memory(bytes);
  std::uint64_t untouched = ports::resident_bytes();
  memory.fill();
  std::uint64_t touched = ports::resident_bytes();
  CHECK(touched >= untouched + most);
  ports::discard_memory(memory.data, bytes);
  CHECK(ports::resident_bytes() + most <= touched);
}

TEST_CASE("mapping nothing is refused") {
  auto mapped = ports::map_memory(0);
  REQUIRE_FALSE(mapped.has_value());
  CHECK(mapped.error() == errc::invalid_argument);
  CHECK(mapped.error().layer() == error_layer::ports);
}

TEST_CASE("mapping more than there is address space is an error with the system's number") {
  auto mapped = ports::map_memory(SIZE_MAX - (1 << 20));
  REQUIRE_FALSE(mapped.has_value());
  CHECK(mapped.error() == errc::no_memory);
  CHECK(mapped.error().system() == ENOMEM);
}

}  // namespace

}  // namespace memory_cases
