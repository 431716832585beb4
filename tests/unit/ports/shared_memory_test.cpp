// SPDX-License-Identifier: Apache-2.0
#include "ports/shared_memory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/ports/in_child.hpp"
#include "tests/unit/ports/limit_for_now.hpp"
#include "tests/unit/ports/scratch_folder.hpp"

namespace shared_memory_cases {

namespace {
using namespace beamlet;
using ports::map_shared_memory;
using ports::memory_claim;

constexpr std::size_t segment_bytes = 1 << 20;

ports::shared_memory make_segment(std::size_t bytes = segment_bytes) {
  auto made = ports::create_shared_memory(bytes, "test");
  REQUIRE(made.has_value());
  return *std::move(made);
}

ports::mapped_memory map(int memory, const memory_claim& claim) {
  auto mapped = map_shared_memory(memory, claim);
  REQUIRE_MESSAGE(mapped.has_value(),
                  std::string(mapped.has_value() ? "" : mapped.error().describe()));
  return *std::move(mapped);
}

TEST_CASE("what the writer writes, a reader reads") {
  auto segment = make_segment();
  auto writer = map(segment.writer.number(), {.bytes = segment_bytes, .writable = true});
  REQUIRE(ports::seal_against_writers(segment.writer.number()).has_value());
  auto reader = map(segment.for_readers(), {.bytes = segment_bytes});
  writer.data()[segment_bytes - 1] = std::byte{7};
  CHECK(reader.data()[segment_bytes - 1] == std::byte{7});
  CHECK(reader.data()[0] == std::byte{0});
  CHECK(reader.bytes() == segment_bytes);
}

TEST_CASE("SIGBUS on lazy pages: a new segment has all of its pages") {
  auto segment = make_segment();
  struct stat status {};
  REQUIRE(fstat(segment.writer.number(), &status) == 0);
  CHECK(static_cast<std::size_t>(status.st_blocks) * 512 >= segment_bytes);
  CHECK((fcntl(segment.writer.number(), F_GETFD) & FD_CLOEXEC) != 0);
}

// Everything that somebody who was given the descriptor may try. The number of what worked.
int try_to_write(int memory) {
  if (mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) != MAP_FAILED) return 1;
  void* reader = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, memory, 0);
  if (reader == MAP_FAILED) return 2;
  if (mprotect(reader, 4096, PROT_READ | PROT_WRITE) == 0) return 3;
  if (ftruncate(memory, 0) == 0 || ftruncate(memory, 2 * segment_bytes) == 0) return 4;
  if (fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0) return 5;
  if (pwrite(memory, "x", 1, 0) >= 0) return 6;
  if (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL) == 0) return 7;
  std::string path = "/proc/self/fd/" + std::to_string(memory);
  if (int again = open(path.c_str(), O_RDWR | O_CLOEXEC); again >= 0) {
    if (mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED) return 8;
    if (pwrite(again, "x", 1, 0) >= 0) return 9;
  }
  return 0;
}

TEST_CASE("a sealed segment cannot be written, resized or punched by anybody else") {
  auto segment = make_segment();
  auto writer = map(segment.writer.number(), {.bytes = segment_bytes, .writable = true});
  REQUIRE(ports::seal_against_writers(segment.writer.number()).has_value());
  int memory = segment.for_readers();
  CHECK(try_to_write(memory) == 0);
  CHECK(in_forked_process([&] { return try_to_write(memory); }) == 0);
  writer.data()[0] = std::byte{1};  // the one writer goes on
  if (getuid() != 0) {
    MESSAGE("SKIPPED: another user's process, as this one is not root's");
    return;
  }
  auto as_nobody = [&] { return setuid(65534) != 0 ? 100 : try_to_write(memory); };
  CHECK(in_forked_process(as_nobody) == 0);
}

TEST_CASE("a segment cannot be resized even before it is sealed") {
  auto segment = make_segment();
  CHECK(ftruncate(segment.writer.number(), 0) != 0);
  CHECK(ftruncate(segment.writer.number(), 2 * segment_bytes) != 0);
}

TEST_CASE("a writer that goes on reading at the same address hinders no sealing of the content") {
  auto segment = make_segment();
  int memory = segment.writer.number();
  auto writer = map(memory, {.bytes = segment_bytes, .writable = true});
  std::byte* at = writer.data();
  at[5] = std::byte{5};
  REQUIRE(writer.make_read_only(memory).has_value());
  CHECK(writer.data() == at);
  CHECK(at[5] == std::byte{5});
  REQUIRE(ports::seal_content(memory).has_value());
  auto reader = map(memory, {.bytes = segment_bytes});
  CHECK(at[5] == std::byte{5});
  // By force it writes to pages of its own.
  REQUIRE(mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0);
  at[5] = std::byte{6};
  CHECK(reader.data()[5] == std::byte{5});
  CHECK(try_to_write(memory) == 0);
}

TEST_CASE("sealing the content proves that nobody can write any more") {
  auto segment = make_segment();
  int memory = segment.writer.number();
  auto writer = map(memory, {.bytes = segment_bytes, .writable = true});
  writer.data()[5] = std::byte{5};
  CHECK(ports::seal_content(memory).error() == errc::busy);
  writer.unmap();
  REQUIRE(ports::seal_content(memory).has_value());
  CHECK(try_to_write(memory) == 0);
  CHECK(map(memory, {.bytes = segment_bytes}).data()[5] == std::byte{5});
  auto again = map_shared_memory(memory, {.bytes = segment_bytes, .writable = true});
  CHECK(again.error() == errc::permission);
}

TEST_CASE("a descriptor that is not what it claims is not mapped") {
  auto segment = make_segment();
  int memory = segment.writer.number();
  auto refused = [](int number, const memory_claim& claim) {
    auto mapped = map_shared_memory(number, claim);
    return !mapped.has_value() && mapped.error() == errc::malformed;
  };
  CHECK(refused(memory, {.bytes = segment_bytes}));  // not sealed
  CHECK(refused(memory, {.bytes = 2 * segment_bytes, .writable = true}));
  CHECK(refused(memory, {.bytes = segment_bytes - 1, .writable = true}));
  CHECK(refused(memory, {.bytes = 0, .writable = true}));
  CHECK(refused(-1, {.bytes = segment_bytes}));

  ports::descriptor lazy(static_cast<int>(memfd_create("lazy", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  REQUIRE(ftruncate(lazy.number(), segment_bytes) == 0);
  CHECK(refused(lazy.number(), {.bytes = segment_bytes, .writable = true}));  // can shrink
  REQUIRE(ports::seal_against_writers(lazy.number()).has_value());
  CHECK(refused(lazy.number(), {.bytes = segment_bytes}));  // has no pages

  ports::descriptor folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(refused(folder.number(), {.bytes = segment_bytes, .file = true}));
  scratch_folder scratch;
  auto file = ports::create_shared_file(segment_bytes, scratch.path());
  REQUIRE(file.has_value());
  CHECK(refused(file->for_readers(), {.bytes = segment_bytes}));  // no seals
}

TEST_CASE("a file stands in where memory cannot be had, and leaves nothing behind") {
  scratch_folder scratch;
  auto made = ports::create_shared_file(segment_bytes, scratch.path());
  REQUIRE(made.has_value());
  CHECK(std::filesystem::is_empty(scratch.path()));
  auto writer =
      map(made->writer.number(), {.bytes = segment_bytes, .writable = true, .file = true});
  auto reader = map(made->for_readers(), {.bytes = segment_bytes, .file = true});
  writer.data()[segment_bytes - 1] = std::byte{9};
  CHECK(reader.data()[segment_bytes - 1] == std::byte{9});
  auto as_writer = map_shared_memory(made->for_readers(),
                                     {.bytes = segment_bytes, .writable = true, .file = true});
  CHECK(as_writer.error() == errc::permission);
  CHECK_FALSE(made->sealable);
  CHECK(ports::seal_against_writers(made->writer.number()).error() == errc::unsupported);
}

TEST_CASE("a segment of nothing, or of more than there is, is an error") {
  CHECK(ports::create_shared_memory(0, "test").error() == errc::invalid_argument);
  CHECK(ports::create_shared_memory(SIZE_MAX, "test").error() == errc::too_large);
  CHECK(ports::create_shared_file(segment_bytes, "/nowhere").error() == errc::not_found);
}

TEST_CASE("RLIMIT_FSIZE is an error that names it, not a signal") {
  scratch_folder scratch;
  limit_for_now limit(RLIMIT_FSIZE, segment_bytes / 2);
  auto memory = ports::create_shared_memory(segment_bytes, "test");
  auto file = ports::create_shared_file(segment_bytes, scratch.path());
  REQUIRE_FALSE(memory.has_value());
  REQUIRE_FALSE(file.has_value());
  CHECK(memory.error() == errc::too_large);
  CHECK(memory.error().message().find("RLIMIT_FSIZE") != std::string_view::npos);
  CHECK(file.error() == errc::too_large);
}

TEST_CASE("a process out of descriptors is told which limit to raise") {
  scratch_folder scratch;
  limit_for_now limit(RLIMIT_NOFILE, 0);
  auto memory = ports::create_shared_memory(segment_bytes, "test");
  auto file = ports::create_shared_file(segment_bytes, scratch.path());
  REQUIRE_FALSE(memory.has_value());
  REQUIRE_FALSE(file.has_value());
  CHECK(memory.error() == errc::exhausted);
  CHECK(memory.error().message().find("RLIMIT_NOFILE") != std::string_view::npos);
  CHECK(file.error() == errc::exhausted);
}

TEST_CASE("a full folder is an error that names it, and gives everything back") {
  scratch_folder scratch;
  if (mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
    MESSAGE("SKIPPED: this test may not mount a small tmpfs");
    return;
  }
  auto made = ports::create_shared_file(segment_bytes, scratch.path());
  bool empty = std::filesystem::is_empty(scratch.path());
  auto smaller = ports::create_shared_file(64 << 10, scratch.path());
  bool fits = smaller.has_value();
  smaller = errc::closed;
  umount2(scratch.path().c_str(), MNT_DETACH);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error() == errc::exhausted);
  CHECK(made.error().message().find(scratch.path()) != std::string_view::npos);
  CHECK(empty);
  CHECK(fits);
}

TEST_CASE("a fork has no mapping, and destroys the object without touching its own memory") {
  auto segment = make_segment();
  auto writer = map(segment.writer.number(), {.bytes = segment_bytes, .writable = true});
  auto take_the_place = [&] {
    void* place = writer.data();
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    // Only free where the fork was kept from having the mapping.
    void* own = mmap(place, segment_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (own != place) return 1;
    writer.unmap();
    *static_cast<char*>(own) = 1;
    return 0;
  };
  CHECK(in_forked_process(take_the_place) == 0);
  writer.data()[0] = std::byte{1};
}

TEST_CASE("a mapping outlives its descriptor, and moves") {
  auto segment = make_segment();
  auto writer = map(segment.writer.number(), {.bytes = segment_bytes, .writable = true});
  segment.writer.close();
  writer.data()[0] = std::byte{3};
  ports::mapped_memory other = std::move(writer);
  CHECK(writer.data() == nullptr);
  CHECK(other.data()[0] == std::byte{3});
  writer = std::move(other);
  CHECK(writer.data()[0] == std::byte{3});
}

}  // namespace

}  // namespace shared_memory_cases
