// SPDX-License-Identifier: Apache-2.0
#include <beamlet/base/panic.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

std::atomic<bool> asymmetric_fences{false};

namespace detail {
std::atomic<std::uint32_t> fence_word{0};
}  // namespace detail

namespace {

enum class fences : int { undecided, symmetric, asymmetric };
std::atomic<fences> fences_decided{fences::undecided};

bool membarrier(int command) {
#ifdef SYS_membarrier
  return syscall(SYS_membarrier, command, 0, 0) == 0;
#else
  return (void)command, false;
#endif
}

bool register_membarrier() { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

}  // namespace

// Threads that race here ask the kernel the same question; the first answer holds for all.
bool prepare_asymmetric_fences() {
  fences decided = fences_decided.load(std::memory_order_acquire);
  if (decided == fences::undecided) {
    bool can = !BEAMLET_THREAD_SANITIZER && register_membarrier();
    fences mine = can ? fences::asymmetric : fences::symmetric;
    if (fences_decided.compare_exchange_strong(decided, mine)) decided = mine;
  }
  bool prepared = decided == fences::asymmetric;
  if (prepared) asymmetric_fences.store(true, std::memory_order_release);
  return prepared;
}

void heavy_fence() {
#if BEAMLET_THREAD_SANITIZER
  detail::fence_word.fetch_add(0, std::memory_order_acq_rel);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!asymmetric_fences.load(std::memory_order_relaxed)) return;
  bool passed = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  // A fork may have lost the registration with the rest of its parent's threads.
  if (!passed) passed = register_membarrier() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  BEAMLET_ASSERT(passed, "membarrier was forbidden after the fences had been prepared");
#endif
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
