// SPDX-License-Identifier: Apache-2.0
#pragma once

// The cell of a pending call: header, room for the result, the callable, the arguments; one block
// of memory. Tasks and messages to actors differ in who runs them and in what the callable is
// applied to.

#include <beamlet/runtime/arguments.hpp>
#include <beamlet/runtime/export.hpp>
#include <beamlet/runtime/generator.hpp>
#include <beamlet/runtime/registry.hpp>
#include <beamlet/sched/actor_core.hpp>
#include <beamlet/sched/extra.hpp>
#include <beamlet/sched/pool.hpp>

#include <memory>
#include <new>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using sched::cell;
using sched::outcome;

/// Puts what the callable returned into the cell.
template <class R, class V>
outcome take_result(sched::value_cell<stored<V>>& into, R&& returned) {
  using raw = std::remove_cvref_t<R>;
  if constexpr (is_result<raw>) {
    if (!returned.has_value()) {
      into.set_failure(sched::named(into, std::forward<R>(returned).error()));
      return outcome::failed;
    }
    if constexpr (std::is_void_v<V>) new (into.place()) sched::unit{};
    else new (into.place()) V(*std::forward<R>(returned));
    return outcome::value;
  } else if constexpr (sched::is_async<raw>) {
    return sched::start_coroutine(into, std::forward<R>(returned));
  } else if constexpr (is_started_generator<raw>) {
    return start_generator(into, std::forward<R>(returned));
  } else {
    new (into.place()) V(std::forward<R>(returned));
    return outcome::value;
  }
}

/// Runs `call` and keeps its result or its error.
template <class R, class F>
outcome run_body(sched::value_cell<stored<value_of<R>>>& into, F&& call) {
#if BEAMLET_HAS_EXCEPTIONS
  try {
#endif
    if constexpr (std::is_void_v<R>) {
      std::forward<F>(call)();
      new (into.place()) sched::unit{};
      return outcome::value;
    } else {
      return take_result<R, value_of<R>>(into, std::forward<F>(call)());
    }
#if BEAMLET_HAS_EXCEPTIONS
  } catch (...) {
    into.set_failure(sched::describe_exception(into));
    return outcome::failed;
  }
#endif
}

/// The part that tasks and messages share. `Derived` has `apply(keep)` and lies in one pool block.
template <class Derived, class R, class Pack>
struct call_cell : sched::value_cell<stored<value_of<R>>> {
  using base = sched::value_cell<stored<value_of<R>>>;

  template <class... A>
  explicit call_cell(A&&... a) {
    new (static_cast<void*>(&arguments)) Pack(std::forward<A>(a)...);
  }
  ~call_cell() {}

  /// The arguments go as soon as the call has ended, so that what they refer to is not held by its
  /// result.
  union {
    Pack arguments;
  };
  static constexpr bool trivial = std::is_trivially_destructible_v<Pack>;
  struct no_flag {
    static constexpr bool value = false;
  };
  struct flag {
    bool value = false;  // touched by who runs the call, later by who destroys it
  };
  [[no_unique_address]] std::conditional_t<trivial, no_flag, flag> dropped;
  static constexpr std::size_t block_align = base::align > alignof(Pack) ? base::align
                                                                         : alignof(Pack);

  static Derived& self(cell& x) noexcept {
    return static_cast<Derived&>(static_cast<call_cell&>(x));
  }

  static outcome run(cell& x) {
    auto& me = static_cast<call_cell&>(x);
    if constexpr (Pack::awaited > 0) {
      const error* failed = nullptr;
      me.arguments.each_awaited([&](auto& slot) {
        if (failed == nullptr) failed = sched::error_of(slot.target());
      });
      if (failed != nullptr) {
        x.set_failure(sched::passed_on(x, *failed));
        return outcome::failed;
      }
    }
    sched::cell_extra* extra = x.extra.load(std::memory_order_relaxed);
    bool keep = extra != nullptr && extra->retries_left != 0;
    return run_body<R>(me, [&]() -> decltype(auto) { return self(x).apply(keep); });
  }

  static cell* unready(cell& x) {
    cell* found = nullptr;
    auto& me = static_cast<call_cell&>(x);
    if (me.dropped.value) return nullptr;
    me.arguments.each_awaited([&](auto& slot) {
      if (found == nullptr && !slot.target().sealed()) found = &slot.target();
    });
    return found;
  }

  static void drop_arguments(cell& x) {
    auto& me = static_cast<call_cell&>(x);
    if constexpr (!trivial) {
      // With a countdown still running the waiters inside must stay: the cell's end drops them.
      bool counting = (x.unmet.load(std::memory_order_acquire) & cell::count_mask) != 0;
      if (counting || me.dropped.value) return;
      me.dropped.value = true;
      std::destroy_at(&me.arguments);
    } else {
      (void)me;
    }
  }

  static void destroy(cell& x) {
    Derived& me = self(x);
    me.destroy_outcome();
    if constexpr (!trivial)
      if (!me.dropped.value) std::destroy_at(&me.arguments);
    sched::destroy_extra(x.extra.load(std::memory_order_acquire));
    me.~Derived();
    sched::pool_put<sizeof(Derived), block_align>(&me);
  }

  /// Registers at every awaited argument. Returns how many were ready already; the countdown must
  /// hold `1 + Pack::awaited` at the time of the call.
  std::uint32_t await_arguments(sched::context& here) noexcept {
    std::uint32_t ready = 0;
    arguments.each_awaited([&](auto& slot) {
      cell& target = slot.target();
      if (!target.sealed()) {
        if (target.home != &here.home()) sched::note_bridge(here, *this);
        if (sched::await_argument(*this, target, slot.entry)) return;
      }
      ++ready;
    });
    return ready;
  }
};

/// False for a call with an empty ref among its arguments.
template <class A>
bool is_given(const A&) noexcept {
  return true;
}
template <class T>
bool is_given(const ref<T>& r) noexcept {
  return static_cast<bool>(r);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
