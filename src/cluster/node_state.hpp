// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every protocol of a node as one state machine without clock, socket, thread or file: events in,
// actions out, the same for the same events. For now right for a cluster of one: ownership and
// counts, calls and their lineage, actors, names, sessions.
//
// How it is put together: `objects`, `lineage` and `names` are tables that know nothing of each
// other. What happens between them is here, by subject: sessions.cpp, waits.cpp, tasks.cpp,
// dispatch.cpp, resources.cpp, loans.cpp, ending.cpp, memory.cpp, actors.cpp. Consequences (an
// object sealed, a set complete, an object freed) are queued and worked off by `settle`, so that
// no chain recurses.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/ledger.hpp"
#include "cluster/event.hpp"
#include "cluster/limits.hpp"
#include "cluster/lineage.hpp"
#include "cluster/names.hpp"
#include "cluster/objects.hpp"
#include "cluster/records.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// Thread: one.   Blocks: no.   Cost of a step: logarithmic in what is held, plus what it sets off
/// (a chain of n objects dropped at once is n actions).   Memory: bounded by `limits` per session.
class node_state {
 public:
  /// How much there is of everything, for `status` and tests.
  struct counts {
    std::size_t sessions, objects, waits, tasks, actors, names, lineage, lineage_bytes;
  };

  /// `resources` and `resource_names` belong to the agent, which outlives this.
  node_state(node_id self, ledger& resources, resource_names& names_of_resources,
             const limits& bounds = {});
  node_state(const node_state&) = delete;
  node_state& operator=(const node_state&) = delete;

  /// Appends to `out` what the agent must do now, in this order. Events may come twice or too late;
  /// what they name and is unknown does nothing.
  void step(event what, std::uint64_t now_ns, actions& out);

  counts count() const;
  bool exists(const object_id& id) const { return objects_.find(id) != nullptr; }
  /// For `status`: all that is held, and a session; null: it has ended.
  const objects& held() const { return objects_; }
  const session* find_session(std::uint32_t number) const {
    auto at = sessions_.find(number);
    return at != sessions_.end() ? &at->second : nullptr;
  }
  node_id self() const { return self_; }
  /// Whether it is a worker process that has a call.
  bool is_busy_worker(std::uint32_t session) const;
  /// Whether there is one.   Cost: a walk over the sessions.
  bool workers_run() const;

  /// For tests: recounts everything. Empty, or a sentence that says what is wrong.
  std::string check() const;

 private:
  using task_map = std::map<object_id, task>;

  // sessions.cpp: sessions, and what they say about refs and names.
  void on(session_opened&& e);
  void on(session_said&& e);
  void on(session_ended&& e);
  void on(session_gone&& e);
  void on(adopted&& e);
  void on(object_lost&& e);
  void on(tick&&) { may_start_ = true; }
  void on(memory_short&&);
  template <class Message>
  void said(std::uint32_t, Message&&) {}  // the agent's own business
  void said(std::uint32_t from, wire::publish&& m);
  void said(std::uint32_t from, wire::fulfil&& m);
  void said(std::uint32_t from, wire::hold&& m);
  void said(std::uint32_t from, wire::release&& m);
  void said(std::uint32_t from, wire::name_actor&& m);
  void answer_early(const object_id& actor, const error& why);
  void drop_name(const object_id& actor);
  template <class Message>
  void tell(std::uint32_t to, Message&& message);
  template <class Message>
  void tell_mentioning(std::uint32_t to, Message&& message);
  void tell_if_ready(const object_id& id, const object& what, object::hold& who,
                     bool with_value = true);
  void refuse(std::uint32_t to, std::uint64_t ticket, error why);
  holder holder_of(std::uint32_t s) const { return {self_, s}; }
  bool minted_by(std::uint32_t s, const object_id& id) const;
  bool knows(std::uint32_t s, const object_id& id) const;
  object& make(const object_id& id);
  error check_value(std::uint32_t from, const object_id& id, const wire::value& made) const;
  void fill(std::uint32_t from, const object_id& id, wire::value&& made);
  void seal_failed(const object_id& id, error why);
  void on_sealed(const object_id& id);
  void on_freed(const object_id& id, object&& what);
  void settle();

  // waits.cpp: sets that wait to be ready, then here.
  void said(std::uint32_t from, wire::require&& m);
  void said(std::uint32_t from, wire::abandon&& m);
  void on(pinned&& e);
  std::uint64_t start_wait(wait&& w);
  void watch(std::uint64_t key, wait& w);
  void on_complete(std::uint64_t key);
  void pin(std::uint64_t key, wait& w);
  void on_here(std::uint64_t key, wait& w, const pinned* answer);
  void end_wait(std::uint64_t key);
  void expire();
  void unready(std::uint64_t key, wait& w);
  const object* first_failed(const wait& w, object_id& which) const;
  std::vector<wire::object_here> gathered(const wait& w, const pinned* answer) const;
  bool all_sealed(const wait& w) const;
  error check_message(const wait& w, const task& t) const;

  // tasks.cpp: calls from submit to the end.
  void said(std::uint32_t from, wire::submit&& m);
  error check_ids(std::uint32_t from, const wire::call& c) const;
  error admit(std::uint32_t from, const wire::call& c, std::vector<quantity>& needs);
  error admit_creation(const wire::call& c) const;
  error admit_call(std::uint32_t from, const wire::call& c) const;
  void hold_arguments(const wire::call& c);
  void release_arguments(const wire::call& c);
  void fail_results(const wire::call& c, const error& why);
  void begin(task&& t);
  void await_arguments(const object_id& id, task& t);
  void arguments_ready(const object_id& id, task& t);
  void execute(task& t, const pinned* answer);
  void lose(const object_id& id);
  void make_again(const object_id& id);
  error why_lost(const object& what) const;

  // ending.cpp: how a call ends or tries once more.
  void said(std::uint32_t from, wire::done&& m);
  void said(std::uint32_t from, wire::cancel&& m);
  void cancel_one(const object_id& id, bool force);
  void withdraw(const object_id& id, task& t);
  void fail_task(const object_id& id, const error& why);
  void conclude(const object_id& id, bool succeeded);
  bool try_again(const object_id& id, task& t);
  void worker_died(const object_id& id, const error& how);
  // memory.cpp: who ends when memory is short, and begins again later.
  enum class loss : std::uint8_t;
  loss loss_with(const session& s) const;
  void rest(task& t, const error& how);
  void wake_rested();
  void discard_extents(std::uint32_t from, const std::vector<wire::value>& values);

  // dispatch.cpp: which call runs where.
  void on(worker_failed&& e);
  void enqueue(const object_id& id, task& t);
  void dequeue(const task& t);
  bool dispatch();
  bool try_start(const object_id& id, task& t);
  bool may_start_worker(const work_class& kind) const;
  bool waits_only(const session& s) const;
  void assign(const object_id& id, task& t, std::uint32_t to);
  void leave_session(const object_id& id, task& t);
  void worker_free(std::uint32_t s);
  std::uint32_t idle_worker(std::uint64_t pool) const;
  std::uint32_t least_busy(std::uint64_t functions_hash) const;
  std::uint64_t pool_of(const task& t);
  void make_room_for(std::uint64_t pool);
  void drain_worker(std::uint32_t s);
  void end_idle_workers();
  void set_timer_if_new();
  void cancel_unshared();

  // resources.cpp: who has what of the ledger.
  void said(std::uint32_t from, wire::lend_cpu&& m);
  void has_begun(task& t);
  std::vector<quantity> has_ended(task& t);
  void give_back(task& t);
  void count_running(std::uint32_t program, bool one_more);
  void forget_share(std::uint32_t program);
  std::int64_t cpu_for(const actor& a, std::size_t given) const;
  void settle_cpu(actor& a);
  bool take_cpu_for_call(const object_id& id, actor& a);
  bool cpu_is_awaited(const actor& a) const;
  bool serve_hungry(const object_id& id);
  void leave_turn(actor& a);

  // loans.cpp: what programs have of the ledger for themselves.
  void said(std::uint32_t from, wire::borrow&& m);
  void said(std::uint32_t from, wire::repay&& m);
  error find_needs(const std::vector<wire::need>& named, std::vector<quantity>& needs) const;
  void lend_at_once(session& s, std::span<const quantity> needs);
  bool serve_borrower(std::uint64_t order);
  void recall_missing();
  void recall(std::uint32_t resource, std::int64_t missing,
              std::map<std::uint32_t, std::vector<quantity>>& by_session);
  std::vector<wire::need> named(std::span<const quantity> needs) const;
  void end_loans(std::uint32_t number, const session& s);

  // actors.cpp
  void said(std::uint32_t from, wire::end_actor&& m);
  void create_actor(const task& t);
  void actor_created(task& t);
  void queue_call(const object_id& id, const task& t);
  void deliver(const object_id& actor_id, const caller_key& who);
  void deliver_all(const object_id& actor_id);
  bool has_enough(const actor& a) const;
  void delivered(const task& t);
  void call_left(const object_id& id, const task& t);
  void pass_turn(const object_id& actor_id, const caller_key& who, std::uint64_t sequence);
  void restart_or_end(const object_id& actor_id, const error& how);
  void end_now(const object_id& actor_id, error why, bool kill);
  void end_if_done(const object_id& actor_id);

  // check.cpp
  std::string check_uses() const;
  std::string check_waits() const;
  std::string check_calls() const;
  std::string check_ledger() const;

  const node_id self_;
  ledger& ledger_;
  resource_names& resource_names_;
  const limits limits_;

  std::uint64_t now_ns_ = 0;
  actions* out_ = nullptr;  // of the step under way
  std::uint64_t last_key_ = 0;
  std::uint64_t timer_ns_ = ~std::uint64_t{0};  // what the agent was told

  objects objects_;
  lineage lineage_;
  names names_;
  std::multimap<object_id, std::pair<std::uint32_t, std::uint64_t>>
      asked_early_;  // session, ticket
  std::map<std::uint32_t, session> sessions_;
  std::map<std::uint64_t, wait> waits_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> deadlines_;  // time, wait
  task_map tasks_;
  std::map<object_id, actor> actors_;
  std::map<work_class, std::map<std::uint64_t, object_id>> queues_;
  std::map<std::uint64_t, object_id> hungry_;  // actors whose next call waits for a cpu, by turn
  std::map<std::uint32_t, share> shares_;      // of the calls under way, by program
  std::set<std::pair<std::uint64_t, object_id>> resting_;  // until when, task
  std::map<std::uint64_t, borrow_request> borrowers_;      // by order
  std::map<std::uint64_t, pool> pools_;
  std::map<pool_key, std::uint64_t> pool_keys_;

  std::deque<object_id> sealed_;                            // to be told
  std::deque<std::uint64_t> complete_;                      // waits to go on with
  std::set<object_id> roomy_;                               // actors that had enough calls
  std::map<std::uint32_t, std::set<object_id>> bereaved_;   // calls of sessions that ended
  std::set<std::pair<std::uint64_t, std::uint32_t>> idle_;  // since when, worker's session
  std::size_t workers_ = 0;  // worker processes, those that are starting included
  bool may_start_ = false;   // something changed for those that are queued
};

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
