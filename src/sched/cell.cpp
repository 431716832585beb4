// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/cell.hpp"

#include "beamlet/sched/core.hpp"
#include "sched/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

/// Cells whose count fell to zero inside another cell's destructor on this thread wait here for
/// their turn.
struct destroy_queue {
  cell* head;
  bool busy;
};
constinit thread_local destroy_queue dying{};

bool is_list(std::uintptr_t state) { return state > cell::elsewhere; }

/// Adds a private chain back to the list, or fires it when the cell was sealed meanwhile.
void push_chain(cell& target, waiter* first) noexcept {
  waiter* last = first;
  while (last->next != nullptr) last = last->next;
  std::uintptr_t seen = target.state.load(std::memory_order_acquire);
  do {
    if (seen != cell::waiting && !is_list(seen)) {
      last->next = nullptr;
      return fire_waiters(target, first);
    }
    last->next = reinterpret_cast<waiter*>(seen);
  } while (!target.state.compare_exchange_weak(seen, reinterpret_cast<std::uintptr_t>(first),
                                               std::memory_order_acq_rel,
                                               std::memory_order_acquire));
}

}  // namespace

void destroy_cell(cell& dead) noexcept {
  destroy_queue& queue = dying;
  dead.next = queue.head;
  queue.head = &dead;
  if (queue.busy) return;
  queue.busy = true;
  while (cell* first = queue.head) {
    queue.head = first->next;
    first->ops->destroy(*first);
  }
  queue.busy = false;
}

void fire_waiters(cell& sealed, waiter* list) noexcept {
  while (list != nullptr) {
    waiter* next = list->next;  // the node may be gone once it has fired
    std::uintptr_t target = list->target;
    if (target & 1) {
      auto* l = reinterpret_cast<listener*>(target & ~std::uintptr_t{1});
      l->fire(*l, sealed);
    } else {
      auto& task = *reinterpret_cast<cell*>(target);
      std::uint32_t before = task.unmet.fetch_sub(1, std::memory_order_acq_rel);
      if ((before & cell::count_mask) == 1) become_ready(task, before);
    }
    list = next;
  }
}

bool add_waiter(cell& target, waiter& w) noexcept {
  chaos::point(chaos::place::waiter_before_add);
  std::uintptr_t seen = target.state.load(std::memory_order_acquire);
  do {
    if (seen != cell::waiting && !is_list(seen)) return false;
    w.next = reinterpret_cast<waiter*>(seen);
  } while (!target.state.compare_exchange_weak(seen, reinterpret_cast<std::uintptr_t>(&w),
                                               std::memory_order_acq_rel,
                                               std::memory_order_acquire));
  return true;
}

bool remove_waiter(cell& target, waiter& w) noexcept {
  // Takes the whole list, so that no other thread walks it, and puts back what is left.
  std::uintptr_t seen = target.state.load(std::memory_order_acquire);
  do {
    if (!is_list(seen)) return false;
  } while (!target.state.compare_exchange_weak(seen, cell::waiting, std::memory_order_acq_rel,
                                               std::memory_order_acquire));
  chaos::point(chaos::place::waiters_taken);
  auto* first = reinterpret_cast<waiter*>(seen);
  bool found = false;
  for (waiter** link = &first; *link != nullptr; link = &(*link)->next) {
    if (*link != &w) continue;
    *link = w.next;
    found = true;
    break;
  }
  if (first != nullptr) push_chain(target, first);
  return found;
}

cell& no_memory_cell() noexcept {
  struct failed_cell : cell {
    alignas(error) std::byte room[sizeof(error)];
  };
  static constexpr cell_ops ops{.enter = [](context&, cell&) {}, .destroy = [](cell&) {}};
  static failed_cell* only = [] {
    static failed_cell storage{};
    storage.ops = &ops;
    storage.references.store(1u << 30, std::memory_order_relaxed);
    storage.set_failure(error(errc::no_memory, error_layer::sched));
    storage.state.store(cell::failed, std::memory_order_release);
    return &storage;
  }();
  return *only;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
