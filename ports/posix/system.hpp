// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a POSIX system spells in its own way: each (`linux`, ...) supplies these for `posix` and
// `uv`.

#include <beamlet/version.hpp>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include <pthread.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Threads made with `attributes` shall run on `cpu` only. 0 or an errno; pthread_create may refuse
/// later.
int bind_thread(pthread_attr_t& attributes, int cpu);

/// Names the calling thread, cut to what the system takes.
void name_thread(const char* name);

/// The kernel's number of the calling thread.
std::uint64_t thread_number();

/// Monotonic time that counts suspend; plain monotonic time where the system has no such clock.
std::uint64_t boot_clock_ns();

// -- shared memory

/// Seals of memory files, as a sum.
enum memory_seal : unsigned { seal_size = 1, seal_new_writers = 2, seal_bytes = 4, seal_seals = 8 };

/// An empty, close-on-exec file in memory that can be sealed; -1 with errno, ENOSYS where there are
/// none.
int open_memory_file(const char* name);
/// 0 or an errno: EBUSY when `seal_bytes` meets a writable mapping, EINVAL for a seal that the
/// system does not have or a file that cannot be sealed.
int add_memory_seals(int descriptor, unsigned seals);
/// The seals of a file; 0 for one that cannot be sealed.
unsigned memory_seals(int descriptor);
/// A fork shall not have these pages, a core dump not hold them. 0 or an errno.
int keep_from_forks_and_dumps(void* memory, std::size_t bytes);

// -- processes

/// A close-on-exec descriptor that is ready to read when the process has ended; -1 with errno,
/// ENOSYS where there are none.
int open_process(int id);
/// As open_process(), of the process at the other end of a local socket.
int open_peer_process(int socket);
/// Who made the other end of a local socket. 0 or an errno.
int read_peer(int socket, std::uint32_t& process, std::uint32_t& user, std::uint32_t& group);
/// waitid() for this child alone; `descriptor` is of open_process(), or -1. 0 or an errno.
int wait_for_child(int id, int descriptor, int flags, siginfo_t& info);
/// Sends a signal to the process that `descriptor` stands for. 0 or an errno.
int signal_process(int descriptor, int signal);
/// Bounds a child's processor time: SIGXCPU, and SIGKILL a second later. 0 or an errno.
int limit_cpu_seconds(int id, std::uint64_t seconds);
/// Bounds a child's private, writable memory: allocations past it fail. 0 or an errno.
int limit_memory(int id, std::uint64_t bytes);
/// How this program is named so that a child runs the same file, even where another one has taken
/// its place; null where that is not known.
const char* own_program();
/// Whether this program has no dynamic loader, so that libraries cannot be loaded safely.
bool is_static_program();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
