// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// The kernel's own struct for this call, which on 32-bit systems is not always the C library's.
struct futex_time {
  long seconds;
  long nanoseconds;
};

using futex_word = std::atomic<std::uint32_t>;
static_assert(sizeof(futex_word) == 4, "the kernel compares the word itself");

long futex(futex_word& word, int operation, std::uint32_t value, const futex_time* limit) {
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, limit, nullptr, 0);
}

}  // namespace

bool wait_on(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t timeout_ns) {
  constexpr std::uint64_t second = 1'000'000'000;
  constexpr std::uint64_t seconds_max = 1'000'000;  // fits a `long`; longer: spurious
  bool bounded = timeout_ns / second < seconds_max;
  futex_time limit{static_cast<long>(bounded ? timeout_ns / second : seconds_max),
                   static_cast<long>(bounded ? timeout_ns % second : 0)};
  long failed = futex(word, FUTEX_WAIT, expected, timeout_ns == forever ? nullptr : &limit);
  return failed == 0 || errno != ETIMEDOUT || !bounded;
}

void wake_one(std::atomic<std::uint32_t>& word) { futex(word, FUTEX_WAKE, 1, nullptr); }

void wake_all(std::atomic<std::uint32_t>& word) { futex(word, FUTEX_WAKE, INT_MAX, nullptr); }

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
