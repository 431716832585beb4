// SPDX-License-Identifier: Apache-2.0
#pragma once

// A first-in first-out list of cells for what is rare: priorities, work bound to the loop.

#include <atomic>
#include <mutex>

#include "beamlet/sched/cell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class locked_queue {
 public:
  void push(cell& x) noexcept {
    std::lock_guard hold(lock_);
    x.next = nullptr;
    *last_ = &x;
    last_ = &x.next;
    count_.fetch_add(1, std::memory_order_seq_cst);
  }
  cell* pop() noexcept {
    if (empty()) return nullptr;
    std::lock_guard hold(lock_);
    cell* x = first_;
    if (x == nullptr) return nullptr;
    first_ = x->next;
    if (first_ == nullptr) last_ = &first_;
    count_.fetch_sub(1, std::memory_order_relaxed);
    return x;
  }
  bool empty() const noexcept { return count_.load(std::memory_order_acquire) == 0; }
  std::size_t size() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::mutex lock_;
  cell* first_ = nullptr;
  cell** last_ = &first_;
  alignas(64) std::atomic<std::uint32_t> count_{0};
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
