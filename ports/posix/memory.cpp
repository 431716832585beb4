// SPDX-License-Identifier: Apache-2.0
#include "ports/memory.hpp"

#include <beamlet/base/panic.hpp>

#include <cerrno>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

#include "ports/port_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

result<void*> map_memory(std::size_t bytes) {
  if (bytes == 0) return port_error(errc::invalid_argument, "0 bytes of memory cannot be mapped");
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return error(errc::no_memory, error_layer::ports, errno);
  return memory;
}

void unmap_memory(void* memory, std::size_t bytes) {
  int failed = munmap(memory, bytes);
  BEAMLET_ASSERT(failed == 0, "unmap_memory takes what map_memory gave");
}

void discard_memory(void* memory, std::size_t bytes) {
  std::uintptr_t page = page_bytes();
  auto begin = reinterpret_cast<std::uintptr_t>(memory);
  std::uintptr_t first = (begin + page - 1) & ~(page - 1);
  std::uintptr_t last = (begin + bytes) & ~(page - 1);
  if (first >= last) return;
  auto* pages = reinterpret_cast<void*>(first);
  // Refused for memory that the program has locked, which must still read as zero.
  if (madvise(pages, last - first, MADV_DONTNEED) != 0) std::memset(pages, 0, last - first);
}

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
