// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads and what threads wait on. A contract apart from `port`, because the simulated world has
// no threads: only the pool of `sched` and tests use this file. Everything here works before any
// runtime exists and keeps no state but what is said below.

#include <beamlet/base/result.hpp>
#include <beamlet/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// No time limit, wherever this layer takes a time in nanoseconds.
inline constexpr std::uint64_t forever = UINT64_MAX;

// -- threads

struct thread_options {
  /// Shown by debuggers and `top`. Copied by `start`; the system may cut it (Linux: 15 bytes).
  const char* name = "";
  /// Address space for the stack, which becomes memory page by page as it is touched. 0: the
  /// system's default.
  std::size_t stack_bytes = 0;
  /// The one processor that the thread may run on; -1: all that the caller may.
  int cpu = -1;
  /// Called on the new thread before its body, with `hook_user` and `index`: the embedder's place
  /// for affinity, priority and thread-local set-up. Must not throw.
  void (*hook)(void* user, unsigned index) = nullptr;
  void* hook_user = nullptr;
  unsigned index = 0;
};

/// A thread of this process, which somebody joins.
///
/// Thread: one owner at a time; the object may be handed from thread to thread.
class thread {
 public:
  /// Names no thread.
  thread() noexcept;
  thread(thread&& other) noexcept;
  /// REQUIRES: this one is not joinable.
  thread& operator=(thread&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(generation_, other.generation_);
    std::swap(joinable_, other.joinable_);
    return *this;
  }
  /// REQUIRES: joined, or never started, or this process is a fork of the one that started it.
  ~thread();

  /// Starts a thread that calls the hook, then `body(argument)`, and ends when that returns.
  ///
  /// All signals are blocked in it except those of a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
  /// SIGTRAP, SIGSYS): a thread of an embedded library must not receive what the program waits for,
  /// but a fault must still reach the program's crash handler.
  ///
  /// Thread: any.   Blocks: no.   Cost: tens of microseconds.
  /// Errors: exhausted (with errno: too many threads, or no address space for the stack),
  /// invalid_argument (a stack smaller than the system's minimum, a processor that cannot be used),
  /// no_memory. After an error nothing has run.
  /// Lifetime: `argument` must live until the body has returned.
  static result<thread> start(const thread_options& options, void (*body)(void*), void* argument);

  /// Waits until the body has returned; everything that it did is then visible here. In a fork of
  /// the process that started the thread there is nothing to wait for: returns at once.
  ///
  /// REQUIRES: joinable(), and not called on the thread itself.
  void join();
  /// The thread goes on by itself; nobody joins it. REQUIRES: joinable.
  void detach();
  bool joinable() const noexcept { return joinable_; }

  /// The system's number of the calling thread: unique among the living threads of the machine, the
  /// one that debuggers and `top` show. Cost: a thread-local read after the first call on a thread.
  static std::uint64_t current_id();

 private:
  std::uintptr_t handle_ = 0;
  std::uint32_t generation_ = 0;  // of fork_generation(): a fork has this object but not the thread
  bool joinable_ = false;
};

// -- waiting

/// Sleeps while `word` holds `expected`: returns true after a wake, at once when the value differs,
/// and now and then for no reason (the caller looks again); false when `timeout_ns` has passed, at
/// the earliest then. The comparison is atomic with going to sleep: a change followed by a wake is
/// never lost. Orders no memory by itself: the caller's load of `word` does. The time spent in
/// suspend does not count.
///
/// Thread: any.   Blocks: yes.   Cost: one system call.
bool wait_on(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t timeout_ns);

/// Wakes one, or all, who sleep on `word` now. The address alone counts: `word` may be gone or
/// reused by the time of the call, in which case somebody else's sleeper wakes once for no reason.
///
/// Thread: any.   Blocks: no.   Cost: one system call, also when nobody sleeps.
void wake_one(std::atomic<std::uint32_t>& word);
void wake_all(std::atomic<std::uint32_t>& word);

// -- fences
//
// A store-load barrier between two sides, paid by the rare one: side A stores x, calls
// light_fence(), loads y; side B stores y, calls heavy_fence(), loads x. At least one of them sees
// the other's store. Two light fences give no such promise. Thread sanitizer understands neither
// fences nor membarrier: under it both are a read-modify-write of one word, which it understands
// and which orders the two sides truly (and hides races between code that both fence; accesses
// ordered by atomics alone stay checked).

/// Prepares the process so that light_fence() costs nothing; false where the system cannot (an old
/// kernel, a sandbox, thread sanitizer): then both fences are sequentially consistent ones. Decided
/// once per process; later calls return the same answer.
///
/// REQUIRES: has returned before any thread calls a fence, in each runtime.   Thread: any.
bool prepare_asymmetric_fences();

/// The rare side's fence. Every thread of the process passes a full barrier during the call.
///
/// REQUIRES: the other side uses light_fence() or heavy_fence(); no sandbox that forbids membarrier
/// was entered after prepare_asymmetric_fences() returned true (panics, as nothing else could keep
/// the promise).
/// Cost: 0.1 to 4 microseconds, as other threads of the process are running or not.
void heavy_fence();

/// Read-mostly: written once, by prepare_asymmetric_fences().
extern std::atomic<bool> asymmetric_fences;

namespace detail {
extern std::atomic<std::uint32_t> fence_word;  // thread sanitizer only
}  // namespace detail

/// The frequent side's fence: a predictable branch and a compiler barrier where prepared.
inline void light_fence() {
#if BEAMLET_THREAD_SANITIZER
  detail::fence_word.fetch_add(0, std::memory_order_acq_rel);
#else
  if (asymmetric_fences.load(std::memory_order_relaxed)) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
#endif
}

// -- processors

/// Tells the processor that this is a spinning loop. Gives nothing up.
inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
  __asm__ __volatile__("yield" ::: "memory");
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

/// Lets another thread run on this processor, if one is ready. Cost: one system call.
void yield();

/// How many threads can run at a time: the processors that this process may use, less what a
/// container's cpu quota (cgroup v1 or v2, rounded up) leaves. At least 1.
///
/// Thread: any.   Blocks: reads a few files of the kernel.   Cost: tens of microseconds: ask once.
unsigned usable_cpus();

// -- this thread, this process

/// Addresses of the stack, from `low` (the end that overflows, without its guard page) to `high`.
struct stack_bounds {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};

/// The stack that the caller runs on; `low` is 0 when that is not known, as on a stack that the
/// program switched to by itself. On the program's first thread `low` follows the limit in force
/// when it is called.
///
/// Thread: any.   Cost: up to 100 microseconds on the program's first thread (reads /proc): ask
/// once.
stack_bounds current_stack();

/// This process. Cheap (no system call after the first), and right in a fork.
std::uint32_t process_id();

/// A number that differs in a fork of this process: a value remembered at start that is another one
/// later says "this is the child". Forking is legal; a child must not use the parent's runtimes,
/// whose threads it does not have, and starts its own. A process made by a bare clone system call,
/// past the C library, is not noticed.
///
/// Thread: any.   Blocks: no.   Cost: two loads after the first call, which registers a fork
/// handler.
std::uint32_t fork_generation();

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
