// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// A first-in first-out queue with a bound, in one allocation made by `reserve`. A full one
/// refuses.
///
/// Thread: one at a time.
template <class T>
class ring {
 public:
  ring() noexcept = default;
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;
  ~ring() { clear(); }

  /// Room for `capacity` elements. False when there is no memory. REQUIRES: called once.
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept {
    BEAMLET_ASSERT(slots_ == nullptr, "a ring is reserved once");
    slots_.reset(new (std::nothrow) slot[capacity]);
    capacity_ = slots_ != nullptr ? capacity : 0;
    return slots_ != nullptr;
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == capacity_; }

  /// False when full; `value` is untouched then.
  [[nodiscard]] bool push(T&& value) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (full()) return false;
    std::construct_at(at(size_), std::move(value));
    ++size_;
    return true;
  }

  /// The oldest element. REQUIRES: !empty().
  T& front() noexcept { return *at(0); }

  /// Takes the oldest element. REQUIRES: !empty().
  T pop() noexcept(std::is_nothrow_move_constructible_v<T>) {
    T value = std::move(front());
    std::destroy_at(at(0));
    first_ = first_ + 1 < capacity_ ? first_ + 1 : 0;
    --size_;
    return value;
  }

  void clear() noexcept {
    while (!empty()) pop();
  }

 private:
  struct slot {
    alignas(T) std::byte bytes[sizeof(T)];
  };
  T* at(std::size_t index) noexcept {
    std::size_t before_end = capacity_ - first_;
    slot& s = slots_[index < before_end ? first_ + index : index - before_end];
    return std::launder(reinterpret_cast<T*>(s.bytes));
  }

  std::unique_ptr<slot[]> slots_;
  std::size_t capacity_ = 0;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
