// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory that runs out when a test says so: heap.cpp replaces the program's operator new. Programs
// without heap.cpp only mark what counts.

#include <cstdint>
#include <utility>

namespace heap {

/// Whether what is allocated on this thread counts: by the code under test, not by the test.
inline thread_local bool counts = false;
class counting {
 public:
  explicit counting(bool so) : outer_(std::exchange(counts, so)) {}
  counting(const counting&) = delete;
  counting& operator=(const counting&) = delete;
  ~counting() { counts = outer_; }

 private:
  const bool outer_;
};

/// The n-th allocation that counts, from now on and on this thread, fails, or it and all that come
/// after it; 0: none does.
void fail_at(std::uint64_t n, bool and_all_after = false);
/// The n-th allocation from now on, of any kind, fails on threads of this name; 0: none does.
void fail_on_threads(const char* name, std::uint64_t n);
/// Whether one has failed since.
bool has_failed();

}  // namespace heap
