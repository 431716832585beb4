// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cells that nothing runs: the value of a put, an item of a stream, an error.

#include <beamlet/runtime/export.hpp>
#include <beamlet/runtime/ref.hpp>
#include <beamlet/sched/extra.hpp>
#include <beamlet/sched/pool.hpp>

#include <new>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using sched::cell;
using sched::outcome;

/// Sealed from the start, or sealed by whoever made it: the value of a put, a stream's item, an
/// error.
template <class T>
struct plain_cell : sched::value_cell<stored<T>> {
  static void destroy(cell& x) {
    auto& self = static_cast<plain_cell&>(x);
    self.destroy_outcome();
    sched::destroy_extra(x.extra.load(std::memory_order_acquire));
    self.~plain_cell();
    sched::pool_put<sizeof(plain_cell), alignof_cell>(&self);
  }
  static constexpr std::size_t alignof_cell = sched::value_cell<stored<T>>::align;
  static constexpr sched::cell_ops table{.destroy = destroy,
                                         .encode = encode_value<stored<T>>,
                                         .decode = decode_value<stored<T>>,
                                         .drop_value = drop_value<stored<T>>,
                                         .place = place_value<stored<T>>()};

  /// Pending, one reference. Null: no memory.
  static plain_cell* make(sched::scheduler* home) noexcept {
    void* memory = sched::pool_get<sizeof(plain_cell), alignof_cell>();
    if (memory == nullptr) return nullptr;
    auto* x = new (memory) plain_cell;
    x->ops = &table;
    x->home = home;
    return x;
  }
};

template <class T>
sched::cell* make_pending(sched::scheduler& home) noexcept {
  return plain_cell<T>::make(&home);
}

/// A ref that has failed already.
template <class T>
ref<T> failed_ref(error e) noexcept {
  auto* x = plain_cell<T>::make(nullptr);
  if (x == nullptr) {
    cell& none = sched::no_memory_cell();
    none.add_reference();
    return ref_access::adopt<T>(&none);
  }
  x->set_failure(std::move(e));
  x->state.store(cell::failed, std::memory_order_release);
  return ref_access::adopt<T>(x);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
