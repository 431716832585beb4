// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every actor has in common: the mailbox, the turn, the count of handles. The typed state
// stands behind it in `runtime/actor.hpp`.

#include <beamlet/base/ledger.hpp>
#include <beamlet/sched/core.hpp>
#include <beamlet/sched/extra.hpp>
#include <beamlet/sched/mail_word.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What a call to an actor whose mailbox is full does.
enum class mailbox_policy : std::uint8_t {
  block,   ///< the caller waits for room (inside a task it runs the actor's turn itself where it
           ///< can)
  reject,  ///< the call's ref fails with errc::queue_full
  drop_oldest,  ///< the oldest waiting call fails with errc::dropped
  keep_latest,  ///< only the newest call waits; those before it fail with errc::dropped
};

namespace sched {

inline constexpr std::uint32_t mailbox_capacity_max = mail_word::count_max;
inline constexpr std::uint32_t mailbox_capacity_default = 16384;
inline constexpr std::uint32_t actor_concurrency_max = 65536;

struct actor_type {
  void (*destroy_state)(actor_core& self) noexcept;
  void (*destroy_memory)(actor_core& self) noexcept;
  bool reentrant;
  std::string_view name;
  /// One without a state, as a handle of an actor that lives elsewhere needs it. Null: no memory.
  actor_core* (*make)(scheduler* home) noexcept = nullptr;
};

/// What only some actors need; made on first use.
struct actor_extra;

/// Part of every message. The caller is one task attempt, one actor or one foreign thread: its
/// messages stay in order, also where one waits for its arguments.
struct message_link {
  actor_core* actor;
  std::uint64_t caller;
};

struct actor_core : cell {
  enum class life : std::uint8_t {
    starting,  // the constructor has not run
    alive,
    dying,   // killed or left: calls fail, the state goes when no call runs any more
    dead,    // the state is gone
    orphan,  // the runtime is gone
  };

  mail_word mail;
  std::atomic<std::uint32_t> handles{1};
  cell* batch = nullptr;  // oldest first; the turn's own
  std::atomic<std::uint32_t> batch_left{0};
  std::uint32_t capacity = mailbox_capacity_default;
  const actor_type* type = nullptr;
  std::atomic<actor_extra*> more{nullptr};
  actor_core* previous = nullptr;  // all actors of the scheduler
  actor_core* following = nullptr;
  std::atomic<life> stage{life::starting};
  std::uint8_t policy = 0;
  std::atomic<bool> findable{false};  // by its name: the constructor's call is in the mailbox
  bool detached = false;              // the scheduler holds a handle; under actors_lock
  bool locked_box = false;            // drop_oldest and keep_latest count exactly, under a lock
  bool detour = false;                // what is sent here does not simply go into the box
  std::atomic<bool> held_changed{false};
  bool listed = false;       // in the scheduler's list of actors
  bool constructed = false;  // the state lives; the turn's own
  bool away = false;         // it lives in another process: the turn only sends its calls there
  bool restarted = false;    // its process died before
  std::uint32_t concurrency = 1;
  std::atomic<std::uint32_t> running_calls{0};  // suspended, or on other workers
  cell* suspended = nullptr;  // the call that holds a non-reentrant actor; counted, the turn's own
  std::atomic<std::uint32_t> blocked_producers{0};
  std::atomic<std::uint32_t> room_epoch{0};
};

struct actor_options {
  std::string name, name_space;
  std::uint32_t capacity = mailbox_capacity_default;
  mailbox_policy policy = mailbox_policy::block;
  std::uint32_t concurrency = 1;
  std::vector<std::pair<std::string, std::uint32_t>> groups;
  std::vector<quantity> needs;
  std::unique_ptr<isolated_options> isolated = {};  // it is to live in a worker process
  bool away = false;  // it lives in another process, which has all the rest of this
};

/// `cell_ops::enter` of every actor: one turn.
void enter_actor(context& here, cell& self);
void destroy_actor(cell& self) noexcept;
/// Takes note of a fresh actor (state not constructed yet) and of its options.
result<void> open_actor(context& here, actor_core& a, const actor_options& options);
/// Puts a message (with the flag `cell::message`) into the mailbox, or seals it with the reason.
/// Owns one reference to it.
void enqueue(context& here, actor_core& a, cell& m) noexcept;
/// The countdown of a message reached zero.
void message_ready(cell& m) noexcept;
/// A message with ref arguments keeps itself and the actor alive until its countdown is over.
inline void hold_for_countdown(actor_core& a, cell& m) noexcept {
  a.add_reference();
  m.add_reference();
}
/// `cell_ops::enter` of messages: those that run beside the turn.
void enter_message(context& here, cell& self);
/// A call that outlived its turn is over.
void call_finished(actor_core& a, cell& m) noexcept;
/// Runs the turn on this stack when it waits in a queue. False: it runs elsewhere or has nothing to
/// do.
bool help_actor(context& here, actor_core& a, cell* until) noexcept;
/// A call that was sent to an actor in another process has come back and is sealed.
void call_came_back(actor_core& a, cell& m) noexcept;
/// What keeps message `m` waiting: an argument or a suspended call. Counted; null when it cannot be
/// told.
cell* blocker_of(context& here, actor_core& a, cell& m) noexcept;
/// A call whose coroutine was suspended has ended.
void finish_suspended_call(context& here, cell& m, outcome how) noexcept;
/// Why the actor ended.
error death_of(const actor_core& a);

inline void add_handle(actor_core& a) noexcept {
  a.handles.fetch_add(1, std::memory_order_relaxed);
}
bool try_add_handle(actor_core& a) noexcept;
void drop_handle(actor_core& a) noexcept;
/// The scheduler keeps a handle until the actor is killed or the runtime stops.
void detach_actor(actor_core& a) noexcept;

/// Ends it: what runs is cancelled, what waits fails with actor_died.
void kill_actor(context& here, actor_core& a, error why) noexcept;
/// The actor whose call runs on this thread; null in plain tasks.
actor_core* current_actor(const context& here) noexcept;
void exit_current_actor(context& here) noexcept;
/// The identity that keeps the calls made here in order.
inline std::uint64_t caller_of(const context& here) noexcept {
  const frame& f = *here.current;
  if (actor_core* a = f.actor.load(std::memory_order_relaxed))
    return reinterpret_cast<std::uintptr_t>(a) | 1;
  return (reinterpret_cast<std::uintptr_t>(&f) << 16) ^ f.generation.load(std::memory_order_relaxed)
                                                            << 1;
}

/// One asynchronous interface for names; later the agent's and the cluster's answer behind it.
void find_actor(context& here, std::string_view name_space, std::string_view name,
                void (*answer)(void* user, actor_core* found), void* user) noexcept;
/// Whether the name is taken by one that find_actor does not find yet.
bool is_being_made(context& here, std::string_view name_space, std::string_view name) noexcept;
result<void> name_actor(context& here, actor_core& a, std::string_view name_space,
                        std::string_view name);

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
