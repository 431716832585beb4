// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functions that one source file of `sched` offers to the others.

#include <span>
#include <vector>

#include "beamlet/base/ledger.hpp"
#include "beamlet/sched/actor_core.hpp"
#include "beamlet/sched/core.hpp"
#include "beamlet/sched/coroutine.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

class scheduler;
class worker;
struct actor_extra;

// context.cpp
void register_live(scheduler& s);
void unregister_live(scheduler& s);
/// False when the scheduler a cell once belonged to has gone.
bool is_live(const scheduler* s) noexcept;

// export.cpp
/// How to seal what a task left behind: the engine may have taken its value as bytes.
std::uintptr_t kept_state(cell& x, outcome how) noexcept;

// park.cpp
/// Wakes the parked gets, so that each looks again for something it may run.
void wake_parked(scheduler& home) noexcept;

// wait.cpp
/// Takes the entry out of this thread's queue if it is the newest there. Who helps what is queued
/// would leave a stale entry behind, for thieves to carry away.
bool take_newest(context& here, cell& entry) noexcept;

// worker.cpp
/// Why a claimed task is not started, if so.
bool refused_at_start(context& here, cell& x, std::uint32_t flags, error& why);

// export.cpp
/// A task for a worker process is ready and admitted: it leaves, or fails.
void leave_isolated(context& here, cell& x) noexcept;
/// The same for a call to an actor that is `away`.
void leave_for_actor(context& here, cell& m) noexcept;

// spare.cpp
/// Workers wait in a get: another thread takes a core of theirs. False: none started.
bool start_spare(scheduler& home) noexcept;
void retire_spare(worker& spare) noexcept;

// coroutine.cpp
bool help_root(context& here, coroutine_root& r) noexcept;
/// What a suspended coroutine waits for, counted; null when that is no cell that a get should run.
cell* awaited_by(coroutine_root& r) noexcept;

// worker.cpp
void finish_coroutine(context& here, cell& x, outcome how) noexcept;

// retry.cpp
/// True when the failed task runs again, after its back-off; it is not sealed then.
bool retry(context& here, cell& x) noexcept;

// stop.cpp
/// Something was finished while the scheduler ends: whoever waits for that looks again.
void note_progress(scheduler& home) noexcept;

// actor.cpp, names.cpp, admission.cpp
inline constexpr std::uint32_t reentrant_calls_max = 1000;
void retire_actor(actor_core& a) noexcept;
void release_name(actor_core& a) noexcept;
/// Ends a task that could not be admitted. Takes the queue's reference.
void fail_waiting(cell& x, error why) noexcept;
void give_actor_needs(scheduler& home, actor_extra& extra) noexcept;
// borrowing.cpp
/// No resource of the box's: cpu, which worker threads stand for, and gpus that no agent counts, as
/// the program has found them. REQUIRES: the ledger's lock.
bool is_own(const scheduler& home, std::uint32_t of) noexcept;
/// From now on all resources but its own are the box's, which has `all`; this process has what it
/// borrows, and at first what it `holds` already or nothing.
void share_ledger(scheduler& home, std::span<const quantity> all, bool holds) noexcept;
void lent(scheduler& home, std::span<const quantity> what) noexcept;
/// What waits for resources that are not here fails with it.
void not_lent(scheduler& home, const error& why) noexcept;
/// Others want so much back, as soon as it is idle.
void recall(scheduler& home, std::span<const quantity> what) noexcept;
/// After something has become idle or is missing; without the ledger's lock.
void trade(scheduler& home) noexcept;
/// For an actor: takes them, all or nothing, also from the box.
result<void> take_for_life(scheduler& home, const std::vector<quantity>& needs);

/// The same as lend_cpu of what came in, which its engine tells; nothing for others.
/// REQUIRES: home.hosts_calls.
void lend_cpu_away(scheduler& home, cell& x, bool lent) noexcept;
void cancel_calls_of(actor_core& a) noexcept;

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
