// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a pending call keeps its arguments: values as the parameters' types, awaited refs with their
// waiter.

#include <beamlet/runtime/array.hpp>
#include <beamlet/runtime/signature.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// A value for parameter P. An array that is given to a view of one is kept itself.
template <class P, class Stored = std::decay_t<P>>
struct value_slot {
  using stored_type = Stored;
  static constexpr bool awaits = false;
  static constexpr bool copies =
      std::is_copy_constructible_v<stored_type> || std::is_lvalue_reference_v<P>;

  template <class A>
  explicit value_slot(A&& a) : value(std::forward<A>(a)) {}

  /// `keep`: the call may be repeated, so the value is copied, not moved.
  decltype(auto) open(bool keep) {
    if constexpr (!std::is_same_v<stored_type, std::decay_t<P>>) {
      return static_cast<std::decay_t<P>>(std::as_const(value));
    } else if constexpr (std::is_lvalue_reference_v<P>) {
      return static_cast<stored_type&>(value);
    } else if constexpr (std::is_copy_constructible_v<stored_type>) {
      return keep ? stored_type(value) : stored_type(std::move(value));
    } else {
      (void)keep;  // refused at submission
      return stored_type(std::move(value));
    }
  }
  [[no_unique_address]] stored_type value;
};

/// A ref<T> for a parameter that takes T.
template <class P, class T>
struct awaited_slot {
  static constexpr bool awaits = true;
  static constexpr bool exact = std::is_same_v<kept_as<P>, T>;
  static constexpr bool copies =
      std::is_copy_constructible_v<std::decay_t<P>> || std::is_lvalue_reference_v<P>;

  template <class R>
  explicit awaited_slot(R&& r) : object(std::forward<R>(r)) {}
  awaited_slot(awaited_slot&&) = delete;

  sched::value_cell<T>& target() const noexcept { return *ref_access::cell(object); }
  decltype(auto) open(bool keep) {
    T& value = target().get();
    if constexpr (std::is_lvalue_reference_v<P>) {
      return static_cast<const T&>(value);
    } else {
      // The last ref: nobody else can see the object any more.
      bool last = !keep && target().references.load(std::memory_order_acquire) == 1;
      if constexpr (std::is_convertible_v<T&&, std::decay_t<P>> && std::is_copy_constructible_v<T>)
        return last ? static_cast<std::decay_t<P>>(std::move(value))
                    : static_cast<std::decay_t<P>>(std::as_const(value));
      else return static_cast<std::decay_t<P>>(std::as_const(value));
    }
  }
  ref<T> object;
  sched::waiter entry;
};

template <class P, class A>
using slot_for = std::conditional_t<
    is_awaited<P, A>, awaited_slot<P, typename pointee<std::remove_cvref_t<A>>::type>,
    value_slot<P, std::conditional_t<std::is_same_v<std::remove_cvref_t<A>, kept_as<P>>, kept_as<P>,
                                     std::decay_t<P>>>>;

template <std::size_t I, class Slot>
struct indexed_slot : Slot {
  using Slot::Slot;
};

template <class Indices, class... Slots>
struct argument_pack;

/// The slots side by side; std::tuple would want to move them.
template <std::size_t... I, class... Slots>
struct argument_pack<std::index_sequence<I...>, Slots...> : indexed_slot<I, Slots>... {
  static constexpr std::size_t awaited = (std::size_t{0} + ... + (Slots::awaits ? 1 : 0));
  static constexpr bool copies = (Slots::copies && ...);

  template <class... A>
  explicit argument_pack(A&&... a) : indexed_slot<I, Slots>(std::forward<A>(a))... {}

  /// Calls `visit(slot)` for every awaited slot.
  template <class V>
  void each_awaited([[maybe_unused]] V&& visit) {
    (
        [&] {
          if constexpr (Slots::awaits) visit(static_cast<indexed_slot<I, Slots>&>(*this));
        }(),
        ...);
  }
  template <class V>
  decltype(auto) apply([[maybe_unused]] bool keep, V&& call) {
    return std::forward<V>(call)(static_cast<indexed_slot<I, Slots>&>(*this).open(keep)...);
  }
  template <class V>
  void each(V&& visit) const {
    (visit(static_cast<const indexed_slot<I, Slots>&>(*this)), ...);
  }
};

template <class Parameters, class... A>
struct pack_of;
template <class... P, class... A>
struct pack_of<std::tuple<P...>, A...> {
  using type = argument_pack<std::index_sequence_for<P...>, slot_for<P, A>...>;
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
