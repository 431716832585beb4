// SPDX-License-Identifier: Apache-2.0
#pragma once

// Work-stealing deque: the owner pushes and pops at the bottom, thieves take from the top.
// Algorithm: Chase and Lev (SPAA 2005) in the C11 form of Lê, Pop, Cohen and Zappa Nardelli (PPoPP
// 2013), with the owner's store-load fence replaced by an asymmetric one: the thief pays for both
// (`ports::heavy_fence`).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "beamlet/sched/cell.hpp"
#include "ports/threads.hpp"
#include "sched/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class deque {
 public:
  static constexpr std::size_t capacity_first = 1024;

  deque() { rings_ = ring_.load(std::memory_order_relaxed); }
  deque(const deque&) = delete;
  deque& operator=(const deque&) = delete;
  ~deque() { free_rings(nullptr); }

  /// Owner. False when the ring is full and cannot grow: the caller keeps the cell.
  bool push(cell* x) noexcept {
    std::int64_t b = bottom_.load(std::memory_order_relaxed);
    ring* r = ring_.load(std::memory_order_relaxed);
    if (r == nullptr || b - top_seen_ >= r->capacity) {
      top_seen_ = top_.load(std::memory_order_acquire);
      if (r == nullptr || b - top_seen_ >= r->capacity) {
        r = grow(r, b);
        if (r == nullptr) return false;
      }
    }
    r->slot(b).store(x, std::memory_order_relaxed);
    bottom_.store(b + 1, std::memory_order_release);
    return true;
  }

  /// Owner. The newest, null when empty.
  cell* pop() noexcept {
    std::int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
    ring* r = ring_.load(std::memory_order_relaxed);
    if (b < top_.load(std::memory_order_relaxed)) return nullptr;  // top only grows: empty for sure
    std::int64_t t;
    if (chaos::planted(
            chaos::bug::missing_fence)) {  // as a processor may do it: the load passes the store
      t = top_.load(load_order);
      chaos::point(chaos::place::pop_between_store_and_load);
      bottom_.store(b, store_order);
    } else {
      bottom_.store(b, store_order);
      chaos::point(chaos::place::pop_between_store_and_load);
      ports::light_fence();
      t = top_.load(load_order);
    }
    if (t > b) {
      bottom_.store(b + 1, std::memory_order_relaxed);
      return nullptr;
    }
    cell* x = r->slot(b).load(std::memory_order_relaxed);
    if (t == b) {
      if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst,
                                        std::memory_order_relaxed))
        x = nullptr;
      bottom_.store(b + 1, std::memory_order_relaxed);
    }
    return x;
  }

  /// Any thread. The oldest; null when empty or when another thread was faster.
  cell* steal() noexcept {
    std::int64_t t = top_.load(load_order);
    // Look before paying for the fence: an empty deque is the common case.
    if (t >= bottom_.load(std::memory_order_acquire)) return nullptr;
    thieves_.fetch_add(1, std::memory_order_seq_cst);
    cell* x = steal_counted();
    thieves_.fetch_sub(1, std::memory_order_release);
    return x;
  }

  /// Owner. What pop() would take, if no thief is faster; null when empty.
  cell* newest() const noexcept {
    std::int64_t b = bottom_.load(std::memory_order_relaxed);
    ring* r = ring_.load(std::memory_order_relaxed);
    if (r == nullptr || b <= top_.load(std::memory_order_relaxed)) return nullptr;
    return r->slot(b - 1).load(std::memory_order_relaxed);
  }

  /// Owner. The oldest; null when empty. No fence: the owner knows its own bottom.
  cell* take_oldest() noexcept {
    std::int64_t b = bottom_.load(std::memory_order_relaxed);
    std::int64_t t = top_.load(std::memory_order_acquire);
    while (t < b) {
      cell* x = ring_.load(std::memory_order_relaxed)->slot(t).load(std::memory_order_relaxed);
      if (top_.compare_exchange_weak(t, t + 1, std::memory_order_seq_cst,
                                     std::memory_order_acquire))
        return x;
    }
    return nullptr;
  }

  /// Any thread; may be out of date at once.
  std::size_t size() const noexcept {
    std::int64_t n = bottom_.load(std::memory_order_relaxed) - top_.load(std::memory_order_relaxed);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }

  /// Owner, when idle: gives the rings that a burst left behind back to the system.
  void shrink() noexcept {
    ring* r = ring_.load(std::memory_order_relaxed);
    if (r == nullptr || (r->capacity == capacity_first && r->older == nullptr) || size() != 0)
      return;
    ring* fresh = r->capacity == capacity_first ? r : make_ring(capacity_first);
    if (fresh == nullptr) return;
    if (fresh != r) {
      fresh->older = r;
      rings_ = fresh;
      ring_.store(fresh, std::memory_order_seq_cst);
    }
    // A thief counts itself before it reads the ring: none counted means that none holds an old
    // one.
    if (thieves_.load(std::memory_order_seq_cst) == 0) free_rings(fresh);
  }

 private:
  struct ring {
    std::int64_t capacity;
    ring* older;
    std::atomic<cell*>& slot(std::int64_t i) {
      return reinterpret_cast<std::atomic<cell*>*>(this + 1)[i & (capacity - 1)];
    }
  };

  // Thread sanitizer knows neither fences nor membarrier: there the operations themselves are
  // ordered.
#if BEAMLET_THREAD_SANITIZER
  static constexpr std::memory_order store_order = std::memory_order_seq_cst;
  static constexpr std::memory_order load_order = std::memory_order_seq_cst;
#else
  static constexpr std::memory_order store_order = std::memory_order_relaxed;
  static constexpr std::memory_order load_order = std::memory_order_acquire;
#endif

  cell* steal_counted() noexcept {
    std::int64_t t = top_.load(load_order);
    ports::heavy_fence();
    chaos::point(chaos::place::steal_after_fence);
#if BEAMLET_THREAD_SANITIZER
    std::int64_t b = bottom_.load(std::memory_order_seq_cst);
#else
    std::int64_t b = bottom_.load(std::memory_order_acquire);
#endif
    if (t >= b) return nullptr;
    cell* x = ring_.load(std::memory_order_seq_cst)->slot(t).load(std::memory_order_relaxed);
    chaos::point(chaos::place::steal_before_take);
    if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed))
      return chaos::planted(chaos::bug::double_take) ? x : nullptr;
    return x;
  }

  static ring* make_ring(std::int64_t capacity) noexcept {
    auto bytes = sizeof(ring) + static_cast<std::size_t>(capacity) * sizeof(std::atomic<cell*>);
    void* memory = ::operator new(bytes, std::nothrow);
    if (memory == nullptr) return nullptr;
    ring* fresh = new (memory) ring{capacity, nullptr};
    for (std::int64_t i = 0; i < capacity; ++i) new (&fresh->slot(i)) std::atomic<cell*>(nullptr);
    return fresh;
  }

  ring* grow(ring* old, std::int64_t b) noexcept {
    ring* fresh = make_ring(old == nullptr ? std::int64_t{capacity_first} : 2 * old->capacity);
    if (fresh == nullptr) return nullptr;
    for (std::int64_t i = top_seen_; i < b; ++i)
      fresh->slot(i).store(old->slot(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    fresh->older = old;  // a thief may still read it: freed in shrink()
    rings_ = fresh;
    ring_.store(fresh, std::memory_order_seq_cst);
    return fresh;
  }

  void free_rings(ring* keep) noexcept {
    ring* r = keep != nullptr ? std::exchange(keep->older, nullptr) : rings_;
    while (r != nullptr) {
      ring* older = r->older;
      ::operator delete(r);
      r = older;
    }
  }

  alignas(64) std::atomic<std::int64_t> top_{0};
  std::atomic<std::int32_t> thieves_{0};
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  std::int64_t top_seen_ = 0;
  std::atomic<ring*> ring_{nullptr};
  ring* rings_ = nullptr;
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
