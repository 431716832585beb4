// SPDX-License-Identifier: Apache-2.0
#pragma once

// What only some actors have: a name, groups, calls held back for their arguments, an exact bound,
// a cause of death.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "beamlet/sched/actor_core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

struct cell_list {
  cell* first = nullptr;
  cell* last = nullptr;
  std::uint32_t count = 0;

  void push(cell& x) noexcept {
    x.next = nullptr;
    (last != nullptr ? last->next : first) = &x;
    last = &x;
    ++count;
  }
  cell* pop() noexcept {
    cell* x = first;
    if (x == nullptr) return nullptr;
    first = x->next;
    if (first == nullptr) last = nullptr;
    --count;
    return x;
  }
};

struct held_calls {
  std::uint64_t caller;
  cell_list calls;
};

struct concurrency_group {
  std::string name;
  std::uint32_t limit;
  std::atomic<std::uint32_t> running{0};
  cell_list waiting;
  concurrency_group(std::string n, std::uint32_t l) : name(std::move(n)), limit(l) {}
};

struct actor_extra {
  std::mutex lock;
  cell_list exact;              // the mailbox of drop_oldest and keep_latest; under the lock
  cell* constructor = nullptr;  // beside `exact`, which might drop it; under the lock
  bool constructor_came = false;
  error death;  // under the lock
  std::string name, name_space;
  std::vector<quantity> needs;
  std::vector<held_calls> held;  // the turn's own from here on
  cell_list ready;
  std::vector<std::unique_ptr<concurrency_group>> groups;
  std::atomic<std::uint32_t> group_calls{0};
};

actor_extra* extra_of(actor_core& a) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
