// SPDX-License-Identifier: Apache-2.0
#include "ports/posix/system.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>

#include <link.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

int bind_thread(pthread_attr_t& attributes, int cpu) {
  constexpr int cpus_max = 1 << 16;
  if (cpu < 0 || cpu >= cpus_max) return EINVAL;
  auto count = static_cast<std::size_t>(cpu) + 1;
  cpu_set_t* set = CPU_ALLOC(count);
  if (set == nullptr) return ENOMEM;
  std::size_t bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(static_cast<std::size_t>(cpu), bytes, set);
  int failed = pthread_attr_setaffinity_np(&attributes, bytes, set);
  CPU_FREE(set);
  return failed;
}

void name_thread(const char* name) {
  char cut[16] = {};
  for (std::size_t i = 0; i < sizeof cut - 1 && name[i] != 0; ++i) cut[i] = name[i];
  pthread_setname_np(pthread_self(), cut);
}

std::uint64_t thread_number() { return static_cast<std::uint64_t>(syscall(SYS_gettid)); }

std::uint64_t boot_clock_ns() {
  timespec time{};
  if (clock_gettime(CLOCK_BOOTTIME, &time) != 0) clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

bool is_static_program() {
  bool interpreted = false;  // the first object is the program
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* to) {
        for (int i = 0; i < object->dlpi_phnum; ++i)
          if (object->dlpi_phdr[i].p_type == PT_INTERP) *static_cast<bool*>(to) = true;
        return 1;
      },
      &interpreted);
  return !interpreted;
}

stack_bounds current_stack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  std::size_t bytes = 0;
  bool known = pthread_attr_getstack(&attributes, &low, &bytes) == 0;
  pthread_attr_destroy(&attributes);
  stack_bounds bounds{reinterpret_cast<std::uintptr_t>(low), 0};
  bounds.high = bounds.low + bytes;
  // A program that switches stacks by itself is on none that the system knows.
  auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return known && here >= bounds.low && here < bounds.high ? bounds : stack_bounds{};
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
