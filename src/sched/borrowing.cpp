// SPDX-License-Identifier: Apache-2.0
// Where several programs share a box its agent has the ledger, and this process a part of it: all
// resources but its own are borrowed when something needs them and go back when others ask. Without
// an agent nothing of this happens.

#include <algorithm>

#include "beamlet/sched/engine.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

using quantities = std::vector<quantity>;

quantities without_own(const scheduler& home, std::span<const quantity> all) {
  quantities rest;
  for (const quantity& q : all)
    if (!is_own(home, q.resource) && q.amount > 0) rest.push_back(q);
  return rest;
}

bool is_missing(const scheduler& home, std::span<const quantity> needs) {
  ledger copy = home.resources;
  return !copy.take(without_own(home, needs));
}

/// What is owed and idle. A worker process keeps nothing: while a call runs there it does not hear
/// that others want it. REQUIRES: the lock.
void take_owed(scheduler& home, quantities& idle) {
  for (std::uint32_t r = 0; home.hosts_calls && r < limits::resources_max; ++r) {
    if (is_own(home, r)) continue;
    const quantity all{r, home.resources.shrink({r, home.resources.total(r)})};
    if (all.amount > 0) idle.push_back(all);
  }
  for (quantity& q : home.owed) {
    const quantity part{q.resource, home.resources.shrink(q)};
    q.amount = std::min(q.amount - part.amount, home.resources.total(q.resource));
    if (part.amount > 0) idle.push_back(part);
  }
  std::erase_if(home.owed, [](const quantity& q) { return q.amount <= 0; });
}

/// Not one that is infeasible, or has to wait for what is this process's own first. REQUIRES: the
/// lock.
bool waits_for_loan(scheduler& home, const cell& x) {
  const quantities& needs = x.extra.load(std::memory_order_relaxed)->needs;
  for (const quantity& q : needs)
    if (is_own(home, q.resource) && q.amount > home.resources.available(q.resource)) return false;
  return (x.unmet.load(std::memory_order_relaxed) & cell::cancelled) == 0 &&
         is_missing(home, needs) && home.box.feasible(without_own(home, needs));
}

/// What the first waiting task that lacks something needs as a whole, and what of it is idle here:
/// as a whole, because two programs that each keep a part would wait for each other. REQUIRES: the
/// lock.
quantities next_wish(scheduler& home, quantities& idle) {
  for (cell* x = home.waiting_first; x != nullptr; x = x->next) {
    const quantities& needs = x->extra.load(std::memory_order_relaxed)->needs;
    if (!waits_for_loan(home, *x)) continue;
    quantities wanted = without_own(home, needs);
    for (const quantity& q : wanted)
      if (quantity part{q.resource, home.resources.shrink(q)}; part.amount > 0)
        idle.push_back(part);
    return wanted;
  }
  return {};
}

}  // namespace

bool is_own(const scheduler& home, std::uint32_t of) noexcept {
  return of == resource::cpu || (of == resource::gpu && home.box.total(of) == 0);
}

void share_ledger(scheduler& home, std::span<const quantity> all, bool holds) noexcept {
  std::lock_guard hold(home.ledger_lock);
  home.box = ledger();
  (void)home.box.grow(all);  // as it came from a ledger it fits into one
  for (std::uint32_t r = 0; !holds && r < limits::resources_max; ++r)
    if (r != resource::cpu) home.resources.shrink({r, home.resources.total(r)});
  home.shares.store(true, std::memory_order_relaxed);
}

void lent(scheduler& home, std::span<const quantity> what) noexcept {
  {
    std::lock_guard hold(home.ledger_lock);
    (void)home.resources.grow(what);
    home.asked = false;
  }
  home.admit_waiting();
}

void not_lent(scheduler& home, const error& why) noexcept {
  cell* failed = nullptr;
  {
    std::lock_guard hold(home.ledger_lock);
    home.asked = false;
    for (cell** link = &home.waiting_first; *link != nullptr;) {
      cell& x = **link;
      if (!waits_for_loan(home, x)) {
        link = &x.next;
        continue;
      }
      *link = x.next;
      if (*link == nullptr) home.waiting_last = link;
      home.waiting_count.fetch_sub(1, std::memory_order_relaxed);
      x.next = failed;
      failed = &x;
    }
  }
  while (cell* x = failed) {
    failed = x->next;
    fail_waiting(*x, error(why));
  }
}

void recall(scheduler& home, std::span<const quantity> what) noexcept {
  {
    std::lock_guard hold(home.ledger_lock);
    try_allocate([&] {
      for (const quantity& q : without_own(home, what)) home.owed.push_back(q);
    });
  }
  trade(home);
}

void trade(scheduler& home) noexcept {
  if (!home.shares.load(std::memory_order_relaxed)) return;
  engine* agent = home.outside.load(std::memory_order_acquire);
  if (agent == nullptr) return;
  quantities idle, wanted;
  {
    std::lock_guard hold(home.ledger_lock);
    try_allocate([&] {
      take_owed(home, idle);
      if (!home.asked) wanted = next_wish(home, idle);
    });
    home.asked = home.asked || !wanted.empty();
  }
  if (!idle.empty() || !wanted.empty()) agent->borrow(idle, wanted);
}

result<void> take_for_life(scheduler& home, const std::vector<quantity>& needs) {
  const error busy(errc::busy, error_layer::sched);
  std::unique_lock hold(home.ledger_lock);
  if (home.resources.take(needs)) return {};
  engine* agent = home.outside.load(std::memory_order_acquire);
  const bool helps =
      home.shares.load(std::memory_order_relaxed) && agent != nullptr && is_missing(home, needs);
  if (!helps) return busy;
  const quantities wanted = without_own(home, needs);
  hold.unlock();
  if (auto came = agent->borrow_now(wanted); !came.has_value())
    return came.error().code() == errc::timeout ? result<void>(busy) : came;
  hold.lock();
  (void)home.resources.grow(wanted);
  if (home.resources.take(needs)) return {};
  return busy;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
