// SPDX-License-Identifier: Apache-2.0
#include "ports/shared_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/port_error.hpp"
#include "ports/posix/system.hpp"
#include "ports/posix/system_error.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

constexpr std::uint64_t mappable_bytes_max =
    std::min<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max(),
                            static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()));

result<void> check_segment(std::size_t bytes) {
  if (bytes == 0) return port_error(errc::invalid_argument, "a segment of 0 bytes");
  if (bytes > mappable_bytes_max) {
    return port_error(errc::too_large, "a segment of " + std::to_string(bytes) +
                                           " bytes is more than a process can map");
  }
  return check_file_limit("a segment could not be made", bytes);
}

// Gives the file all of its pages. In pieces, as a signal undoes the piece that it interrupts: a
// program with a profiler's timer would never see the end of a large one.
int back_with_pages(int file, std::size_t bytes) {
  constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  for (std::size_t done = 0; done < bytes;) {
    std::size_t piece = std::min(piece_bytes, bytes - done);
    int failed = posix_fallocate(file, static_cast<off_t>(done), static_cast<off_t>(piece));
    if (failed == 0) done += piece;
    else if (failed != EINTR) return failed;
  }
  return 0;
}

std::string segment_failed(std::size_t bytes, const std::string& place) {
  return "a segment of " + std::to_string(bytes) + " bytes could not be made in " + place;
}

error as_malformed(std::string what) { return port_error(errc::malformed, std::move(what)); }

// A descriptor that came from elsewhere may be anything: what is not checked here becomes a SIGBUS
// or another process's bytes later.
result<void> check_claim(int memory, const memory_claim& claim) {
  struct stat status {};
  if (fstat(memory, &status) != 0) return as_malformed("a segment's descriptor is not open");
  if (!S_ISREG(status.st_mode)) return as_malformed("a segment's descriptor is no memory");
  if (claim.bytes == 0 || static_cast<std::uint64_t>(status.st_size) != claim.bytes) {
    return as_malformed("a segment has " + std::to_string(status.st_size) + " bytes, not " +
                        std::to_string(claim.bytes));
  }
  if (claim.file) return {};
  unsigned seals = memory_seals(memory);
  if ((seals & seal_size) == 0) return as_malformed("a segment could still be resized");
  if (!claim.writable && (seals & (seal_new_writers | seal_bytes)) == 0) {
    return as_malformed("a segment is not sealed against writers");
  }
  if (static_cast<std::uint64_t>(status.st_blocks) * 512 < claim.bytes) {
    return as_malformed("a segment has pages that are not backed by memory");
  }
  return {};
}

result<void> answer_of_seals(int failed, const char* what) {
  if (failed == 0) return {};
  if (failed == EINVAL) return port_error(errc::unsupported, what, failed);
  return system_error(what, failed);
}

}  // namespace

result<shared_memory> create_shared_memory(std::size_t bytes, const char* name) {
  BEAMLET_TRY_VOID(check_segment(bytes));
  shared_memory made;
  made.bytes = bytes;
  made.sealable = true;
  made.writer = descriptor(open_memory_file(name));
  int failed = made.writer ? back_with_pages(made.writer.number(), bytes) : errno;
  if (failed == 0) failed = add_memory_seals(made.writer.number(), seal_size);
  if (failed == 0) return made;
  // Memory has no space of its own: this is what the machine, or its shmem limit, has left.
  if (failed == ENOSPC) failed = ENOMEM;
  return system_error(segment_failed(bytes, "memory"), failed);
}

result<shared_memory> create_shared_file(std::size_t bytes, const std::string& folder) {
  BEAMLET_TRY_VOID(check_segment(bytes));
  shared_memory made;
  made.bytes = bytes;
  std::string path = folder + "/beamlet-XXXXXX";
  made.writer = descriptor(mkostemp(path.data(), O_CLOEXEC));
  if (!made.writer) return system_error(segment_failed(bytes, folder), errno);
  // A descriptor that was opened for reading cannot be mapped writable.
  made.reader = descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  int failed = made.reader ? 0 : errno;
  unlink(path.c_str());
  if (failed == 0) failed = back_with_pages(made.writer.number(), bytes);
  if (failed == 0) return made;
  return system_error(segment_failed(bytes, folder), failed);
}

result<void> seal_against_writers(int memory) {
  return answer_of_seals(add_memory_seals(memory, seal_size | seal_new_writers | seal_seals),
                         "the segment cannot be sealed against writers");
}

// A fork on its way to exec has a mapping that was not yet kept from forks, and the system itself
// may hold pages for a moment: both end by themselves.
result<void> seal_content(int memory) {
  constexpr unsigned seals = seal_size | seal_bytes | seal_seals;
  int failed = add_memory_seals(memory, seals);
  for (base::time_ns nap = 1'000'000; failed == EBUSY && 2 * nap <= seal_wait_ns_max; nap *= 2) {
    const timespec for_now = {.tv_sec = 0, .tv_nsec = static_cast<long>(nap)};
    nanosleep(&for_now, nullptr);
    failed = add_memory_seals(memory, seals);
  }
  return answer_of_seals(failed, "the segment's content cannot be sealed");
}

result<mapped_memory> map_shared_memory(int memory, const memory_claim& claim) {
  BEAMLET_TRY_VOID(check_claim(memory, claim));
  int protection = claim.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  // Where nobody can write, a private mapping is the same; kernels before 6.7 allow no other one.
  const bool fixed = !claim.writable && !claim.file && (memory_seals(memory) & seal_bytes) != 0;
  void* data = mmap(nullptr, claim.bytes, protection, fixed ? MAP_PRIVATE : MAP_SHARED, memory, 0);
  if (data == MAP_FAILED) {
    return system_error("a segment of " + std::to_string(claim.bytes) + " bytes cannot be mapped",
                        errno);
  }
  if (int failed = keep_from_forks_and_dumps(data, claim.bytes)) {
    munmap(data, claim.bytes);
    return system_error("a segment cannot be kept from forks", failed);
  }
  mapped_memory made;
  made.data_ = static_cast<std::byte*>(data);
  made.bytes_ = claim.bytes;
  made.generation_ = fork_generation();
  return made;
}

mapped_memory& mapped_memory::operator=(mapped_memory&& other) noexcept {
  mapped_memory taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(bytes_, taken.bytes_);
  std::swap(generation_, taken.generation_);
  return *this;
}

// A private mapping, because the kernel counts a shared one of a descriptor that can write as a
// writer's. It takes the place of the old one in one step: who reads meanwhile sees no gap.
result<void> mapped_memory::make_read_only(int memory) {
  void* data = mmap(data_, bytes_, PROT_READ, MAP_PRIVATE | MAP_FIXED, memory, 0);
  if (data == MAP_FAILED) return system_error("a segment cannot be mapped for reading", errno);
  if (int failed = keep_from_forks_and_dumps(data, bytes_))
    return system_error("a segment cannot be kept from forks", failed);
  return {};
}

void mapped_memory::unmap() noexcept {
  void* data = std::exchange(data_, nullptr);
  // In a fork the addresses may be somebody else's by now.
  if (data == nullptr || generation_ != fork_generation()) return;
  munmap(data, bytes_);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
