// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "beamlet/base/panic.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// What an element of a `list` derives from. In no list while both pointers are null.
struct list_link {
  list_link* previous = nullptr;
  list_link* next = nullptr;

  bool is_linked() const noexcept { return next != nullptr; }
};

/// A doubly linked list of elements that live elsewhere and derive from `list_link`: no allocation,
/// removal from the middle in constant time.
///
/// Thread: one at a time.   Lifetime: an element leaves the list before it dies; so do all before
/// the list.
template <class T>
class list {
 public:
  list() noexcept = default;
  list(const list&) = delete;
  list& operator=(const list&) = delete;

  bool empty() const noexcept { return ends_.next == &ends_; }
  /// Null when empty.
  T* front() const noexcept { return empty() ? nullptr : static_cast<T*>(ends_.next); }

  void push_back(T& element) noexcept { insert_before(ends_, element); }
  void push_front(T& element) noexcept { insert_before(*ends_.next, element); }

  /// Null when empty.
  T* pop_front() noexcept {
    T* element = front();
    if (element != nullptr) remove(*element);
    return element;
  }

  /// REQUIRES: `element` is in this list.
  void remove(T& element) noexcept {
    list_link& link = element;
    BEAMLET_ASSERT(link.is_linked(), "the element is in no list");
    link.previous->next = link.next;
    link.next->previous = link.previous;
    link.previous = link.next = nullptr;
  }

 private:
  static void insert_before(list_link& where, list_link& link) noexcept {
    BEAMLET_ASSERT(!link.is_linked(), "the element is in a list already");
    link.previous = where.previous;
    link.next = &where;
    where.previous->next = &link;
    where.previous = &link;
  }

  list_link ends_{&ends_, &ends_};
};

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
