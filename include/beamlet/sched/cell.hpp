// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a ref points to inside a process: a count, a countdown, a state and room for the value.
// Templates in `runtime` derive their task and message cells from it; `src/sched` moves them
// between queues without knowing their types. A cell gets an id and bytes only when it is published
// (`cell_extra::outside`).

#include <beamlet/base/error.hpp>
#include <beamlet/base/time.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class scheduler;
struct cell;
struct cell_extra;
struct context;
struct frame;
struct actor_core;
struct message_link;
struct outside;
struct exported_call;

/// What a task's body left behind.
enum class outcome : std::uint8_t { value, failed, suspended };

/// Told when a cell is sealed, on the sealing thread. Must not block and must not destroy the cell.
struct listener {
  void (*fire)(listener& self, cell& sealed) noexcept;
};

/// One entry in a cell's list of waiters: a task whose countdown falls, or a listener (low bit
/// set). Owned by whoever waits; must live until it has fired or was taken back.
struct waiter {
  waiter* next = nullptr;
  std::uintptr_t target = 0;

  static std::uintptr_t to_task(cell& task) noexcept {
    return reinterpret_cast<std::uintptr_t>(&task);
  }
  static std::uintptr_t to_listener(listener& l) noexcept {
    return reinterpret_cast<std::uintptr_t>(&l) | 1;
  }
};

/// One constant table per type of cell.
struct cell_ops {
  /// A queue's entry came up: runs the task, the actor's turn or the coroutine. Owns the queue's
  /// reference.
  void (*enter)(context& here, cell& self) = nullptr;
  /// The body. REQUIRES: claimed and ready.
  outcome (*run)(cell& self) = nullptr;
  /// An argument that is not sealed yet, null when there is none. REQUIRES: claimed. Null pointer:
  /// no arguments.
  cell* (*unready)(cell& self) = nullptr;
  /// Where a message goes and who sent it; null for everything that is no message.
  message_link& (*link)(cell& self) = nullptr;
  /// Destroys the arguments, after which nothing keeps their refs. Null: there is nothing to
  /// destroy.
  void (*drop_arguments)(cell& self) = nullptr;
  /// Destroys what is left (value or error, arguments) and gives the memory back.
  void (*destroy)(cell& self) = nullptr;
  /// value -> bytes; false when the type has no codec. Null: never leaves this process.
  bool (*encode)(const cell& self, void* writer) = nullptr;
  /// bytes -> value, constructed in place; false when the bytes are malformed.
  bool (*decode)(cell& self, void* reader) = nullptr;
  /// Fills a call that another process could run; false: the task stays here.
  bool (*export_call)(cell& self, exported_call& out) = nullptr;
  /// Destroys a value that nobody has seen.
  void (*drop_value)(cell& self) = nullptr;
  /// Where the bytes of a value lie that is an object as it is. Null: `encode` writes them.
  void (*place)(const cell& self, void* placed) = nullptr;
};

struct cell {
  enum : std::uintptr_t { waiting = 0, value = 1, failed = 2, bytes = 3, elsewhere = 4 };

  // `unmet`: arguments not sealed yet in the low bits, flags above.
  static constexpr std::uint32_t claimed = 1u << 31;  // who sets it runs the cell
  static constexpr std::uint32_t cancelled =
      1u << 30;  // seen when it is claimed, and by this_task::cancelled()
  static constexpr std::uint32_t special = 1u << 29;  // has options that matter before it may run
  static constexpr std::uint32_t message = 1u
                                           << 28;  // a call to an actor: runs in the actor's turn
  static constexpr std::uint32_t local = 1u
                                         << 27;  // came in through the engine: must not leave again
  static constexpr std::uint32_t may_suspend = 1u << 26;  // the body is a coroutine
  static constexpr std::uint32_t count_mask = (1u << 24) - 1;

  std::atomic<std::uint32_t> references{1};
  std::atomic<std::uint32_t> unmet{0};
  std::atomic<std::uintptr_t> state{waiting};  // > elsewhere: the list of waiters
  const cell_ops* ops = nullptr;
  cell* next = nullptr;  // the queue that holds it, or the mailbox
  std::atomic<cell_extra*> extra{nullptr};
  scheduler* home = nullptr;
  frame* submitter = nullptr;  // valid while the cell is pending
  std::uint32_t generation = 0;
  std::uint32_t function = 0;  // index in the scheduler's table of functions

  bool sealed() const noexcept {
    std::uintptr_t s = state.load(std::memory_order_acquire);
    return s != waiting && s <= elsewhere;
  }
  void add_reference() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  inline void release() noexcept;

  /// REQUIRES: state == failed. Always right behind the header, so that one reader serves every
  /// type.
  error& failure() noexcept { return *std::launder(reinterpret_cast<error*>(this + 1)); }
  const error& failure() const noexcept { return const_cast<cell*>(this)->failure(); }
  void set_failure(error e) noexcept { new (static_cast<void*>(this + 1)) error(std::move(e)); }
};

/// Destroys a cell whose count fell to zero; iterative, so that a chain of any length needs one
/// stack frame.
void destroy_cell(cell& dead) noexcept;
/// Fires the waiters that sealing found.
void fire_waiters(cell& sealed, waiter* list) noexcept;
/// Registers `w`; false when the cell is sealed already (then `w` was not registered).
bool add_waiter(cell& target, waiter& w) noexcept;
/// Takes `w` back; false when it has fired or is about to (then it belongs to the one who fires).
bool remove_waiter(cell& target, waiter& w) noexcept;
/// The arguments are not needed any more.
inline void drop_arguments(cell& x) {
  if (x.ops->drop_arguments != nullptr) x.ops->drop_arguments(x);
}
/// Publishes the outcome, once, and fires every waiter.
inline void seal(cell& x, std::uintptr_t how) noexcept {
  std::uintptr_t list = x.state.exchange(how, std::memory_order_acq_rel);
  if (list > cell::elsewhere) fire_waiters(x, reinterpret_cast<waiter*>(list));
}
inline void seal_failed(cell& x, error e) noexcept {
  x.set_failure(std::move(e));
  seal(x, cell::failed);
}
/// Who sets the bit runs the cell; returns the flags that were set before.
inline std::uint32_t claim(cell& x) noexcept {
  std::uint32_t seen = x.unmet.load(std::memory_order_relaxed);
  if (seen & cell::claimed) return seen;
  return x.unmet.fetch_or(cell::claimed, std::memory_order_acq_rel);
}

inline void cell::release() noexcept {
  // A count of one seen by its only holder needs no atomic subtraction.
  if (references.load(std::memory_order_acquire) == 1 ||
      references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    destroy_cell(*this);
}

/// A cell with room for a `T` behind the header; the error, when there is one, takes the same room.
template <class T>
struct value_cell : cell {
  static constexpr std::size_t align = alignof(T) > alignof(cell) ? alignof(T) : alignof(cell);
  static constexpr std::size_t offset = (sizeof(cell) + align - 1) / align * align;
  static constexpr std::size_t end_of_value = offset + sizeof(T);
  static constexpr std::size_t end_of_error = sizeof(cell) + sizeof(error);
  static constexpr std::size_t room =
      (end_of_value > end_of_error ? end_of_value : end_of_error) - sizeof(cell);

  T& get() noexcept {
    return *std::launder(reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + offset));
  }
  void* place() noexcept { return reinterpret_cast<std::byte*>(this) + offset; }
  void destroy_outcome() noexcept {
    std::uintptr_t s = state.load(std::memory_order_acquire);
    if (s == value) std::destroy_at(&get());
    else if (s == failed) std::destroy_at(&failure());
  }

  alignas(alignof(cell)) std::byte storage[room];

  /// How many refs there are; `references` counts entries in queues too, which must not keep a
  /// value that cannot be copied from being moved out.
  struct uncounted {};
  static constexpr bool counts_refs = !std::is_copy_constructible_v<T>;
  [[no_unique_address]] std::conditional_t<counts_refs, std::atomic<std::uint32_t>, uncounted>
      refs{};
};

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
