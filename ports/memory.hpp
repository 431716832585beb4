// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whole pages of private memory, for pools that give memory back after a burst. Memory shared
// between processes and files that are mapped come with the mapped store.

#include <beamlet/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Address space that reads as zero and becomes memory page by page as it is touched. Starts at a
/// page; the last page is usable to its end.
///
/// Thread: any.   Blocks: no.   Cost: one system call.
/// Errors: no_memory (with errno: the system's or the process's limit), invalid_argument (0 bytes).
/// Lifetime: until unmap_memory().   Limits: the system may promise more than it has; a touch that
/// it cannot serve then ends the process, as everywhere on such a system.
result<void*> map_memory(std::size_t bytes);

/// Gives the address space back.
///
/// REQUIRES: `memory` and `bytes` of one map_memory(); nobody touches it during or after the call.
void unmap_memory(void* memory, std::size_t bytes);

/// Gives the memory of the whole pages in [memory, memory + bytes) back to the system; they read as
/// zero from then on, and the address space stays. A page that lies in the range in part is left
/// alone. Where the program has locked its memory nothing can be given back: the pages are zeroed
/// only.
///
/// REQUIRES: the range lies in one map_memory(); nobody touches it during the call.
/// Thread: any.   Blocks: no.   Cost: one system call, then one page fault per page touched again.
void discard_memory(void* memory, std::size_t bytes);

/// Cost: a load after the first call.
std::size_t page_bytes();

/// Memory that this process occupies now, 0 where it is not known. For tests and benchmarks.
/// Cost: reads a file of the kernel.
std::uint64_t resident_bytes();

/// The same of another process, without what it shares with others, as files and the object store.
std::uint64_t private_bytes(std::uint32_t process);

/// What the system can give back at once, as files that it keeps in memory, is not in use.
struct memory_use {
  std::uint64_t used = 0;
  std::uint64_t limit = 0;    ///< 0: not known
  bool of_container = false;  ///< a limit around this process; else the machine's memory
};

/// The memory in use where this process would run out of it first: in the machine, or within a
/// limit around it (cgroup v1 or v2, parents too).
///
/// Thread: any.   Blocks: reads a few files of the kernel.   Cost: some 50 microseconds.
memory_use used_memory();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
