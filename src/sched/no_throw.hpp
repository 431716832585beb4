// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where memory may run out and nobody may throw.

#include <new>
#include <utility>
#include <vector>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

/// Runs `body`; false when it ran out of memory, where it stopped: what it had begun stays half
/// made. Without exceptions the standard library aborts there.
template <class F>
bool try_allocate(F&& body) noexcept {
#if BEAMLET_HAS_EXCEPTIONS
  try {
    std::forward<F>(body)();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
#else
  std::forward<F>(body)();
  return true;
#endif
}

template <class T>
bool try_push_back(std::vector<T>& list, T item) noexcept {
  return try_allocate([&] { list.push_back(std::move(item)); });
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
