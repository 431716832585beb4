// SPDX-License-Identifier: Apache-2.0
#include "heap.hpp"

#include <beamlet/config.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include <pthread.h>

namespace {
thread_local std::uint64_t fails_at = 0;
thread_local bool all_after = false;
std::atomic<bool> failed{false};
std::atomic<std::uint64_t> left_on_threads{0};
std::atomic<const char*> name_of_threads{nullptr};

bool fails_on_this_thread() {
  char name[32] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  return std::strcmp(name, name_of_threads.load()) == 0 && left_on_threads.fetch_sub(1) == 1;
}

bool fails() {
  if (left_on_threads.load(std::memory_order_relaxed) != 0 && fails_on_this_thread())
    return failed = true;
  if (!heap::counts || fails_at == 0) return false;
  if (fails_at > 1) return --fails_at, false;
  if (!all_after) fails_at = 0;
  return failed = true;
}
void* take(std::size_t bytes, std::size_t alignment) noexcept {
  if (fails()) return nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(bytes != 0 ? bytes : 1);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
void* take_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = take(bytes, alignment);
#if BEAMLET_HAS_EXCEPTIONS
  if (memory == nullptr) throw std::bad_alloc();
#endif
  return memory;
}
}  // namespace

namespace heap {
void fail_at(std::uint64_t n, bool and_all_after) {
  fails_at = n;
  all_after = and_all_after;
  failed = false;
}
void fail_on_threads(const char* name, std::uint64_t n) {
  name_of_threads = name;
  left_on_threads = n;
  failed = false;
}
bool has_failed() { return failed; }
}  // namespace heap

// The forms for arrays, and those with a size, call these.
void* operator new(std::size_t bytes) { return take_or_throw(bytes, 1); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return take(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return take_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
