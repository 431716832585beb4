// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/posix/system.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// By number, as neither every C library nor every kernel header knows them.
constexpr unsigned memory_close_on_exec = 1, memory_may_be_sealed = 2, memory_never_executed = 8;
constexpr int set_seals = 1033, get_seals = 1034;
constexpr unsigned kernel_seal = 1, kernel_shrink = 2, kernel_grow = 4, kernel_write = 8,
                   kernel_future_write = 16;

}  // namespace

int open_memory_file(const char* name) {
  constexpr unsigned flags = memory_close_on_exec | memory_may_be_sealed;
  auto made = syscall(SYS_memfd_create, name, flags | memory_never_executed);
  if (made < 0 && errno == EINVAL) made = syscall(SYS_memfd_create, name, flags);  // before 6.3
  return static_cast<int>(made);
}

int add_memory_seals(int descriptor, unsigned seals) {
  unsigned wanted = 0;
  if ((seals & seal_size) != 0) wanted |= kernel_shrink | kernel_grow;
  if ((seals & seal_new_writers) != 0) wanted |= kernel_future_write;
  if ((seals & seal_bytes) != 0) wanted |= kernel_write;
  if ((seals & seal_seals) != 0) wanted |= kernel_seal;
  return fcntl(descriptor, set_seals, wanted) == 0 ? 0 : errno;
}

unsigned memory_seals(int descriptor) {
  int held = fcntl(descriptor, get_seals);
  if (held < 0) return 0;
  auto kernel = static_cast<unsigned>(held);
  constexpr unsigned size = kernel_shrink | kernel_grow;
  unsigned seals = 0;
  if ((kernel & size) == size) seals |= seal_size;
  if ((kernel & kernel_future_write) != 0) seals |= seal_new_writers;
  if ((kernel & kernel_write) != 0) seals |= seal_bytes;
  if ((kernel & kernel_seal) != 0) seals |= seal_seals;
  return seals;
}

int keep_from_forks_and_dumps(void* memory, std::size_t bytes) {
  if (madvise(memory, bytes, MADV_DONTFORK) != 0) return errno;
  madvise(memory, bytes, MADV_DONTDUMP);  // a kernel that cannot writes larger dumps
  return 0;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
