// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include <pthread.h>
#include <unistd.h>

#include "ports/posix/system.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

std::atomic<bool> forks_watched{false};
std::atomic<std::uint32_t> fork_count{0};
std::atomic<std::uint32_t> known_process{0};
thread_local std::uint64_t known_thread = 0;

// Runs on the child's only thread, whose thread-local copies are the ones that went stale.
void in_forked_child() {
  fork_count.fetch_add(1, std::memory_order_relaxed);
  known_process.store(static_cast<std::uint32_t>(getpid()), std::memory_order_relaxed);
  known_thread = 0;
}

// No lock and no guarded static: a fork in the middle of one would leave it held in the child for
// ever. Two threads that both come first register two handlers, which count a fork twice: any
// difference will do.
bool watch_forks() {
  if (forks_watched.load(std::memory_order_acquire)) return true;
  if (pthread_atfork(nullptr, nullptr, in_forked_child) != 0) return false;
  forks_watched.store(true, std::memory_order_release);
  return true;
}

}  // namespace

std::uint32_t fork_generation() {
  watch_forks();
  return fork_count.load(std::memory_order_relaxed);
}

std::uint32_t process_id() {
  if (!watch_forks()) return static_cast<std::uint32_t>(getpid());
  std::uint32_t id = known_process.load(std::memory_order_relaxed);
  if (id != 0) return id;
  id = static_cast<std::uint32_t>(getpid());
  known_process.store(id, std::memory_order_relaxed);
  return id;
}

std::uint64_t thread::current_id() {
  if (known_thread != 0) return known_thread;
  std::uint64_t id = thread_number();
  if (watch_forks()) known_thread = id;
  return id;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
