// SPDX-License-Identifier: Apache-2.0
#pragma once

// The engine that an agent stands behind: what tasks of worker processes need of cells. It knows
// both sides, cells and a session; neither knows the other.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "beamlet/runtime/registry.hpp"
#include "beamlet/sched/actor_core.hpp"
#include "beamlet/sched/cell.hpp"
#include "beamlet/sched/engine.hpp"
#include "node/session.hpp"
#include "ports/threads.hpp"
#include "runtime/store_memory.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// What a program's registered functions are: two that have the same run each other's calls.
std::uint64_t functions_hash();

class agent_engine final : public sched::engine,
                           public node::session_host,
                           public std::enable_shared_from_this<agent_engine> {
 public:
  agent_engine();
  ~agent_engine();

  node::session& session() noexcept { return *session_; }
  store_memory& memory() noexcept { return memory_; }
  /// REQUIRES: before the session is opened; `home` outlives all but the destructor.
  /// `holds`: the agent's resources are the program's, which goes on having them.
  void serve(sched::scheduler& home, bool holds) noexcept {
    home_ = &home;
    holds_ = holds;
  }
  /// Runs when the runtime has no thread any more: it ends the agent.
  void at_end(std::function<void()> then) { at_end_ = std::move(then); }
  /// Of a worker process: waits until it is to end.   Blocks: yes.
  void wait_for_end();
  /// What worker processes have told so far goes into the timeline.
  /// Blocks: a second at most; not at all on the thread that reads.
  void collect_runs();

  // -- sched::engine
  object_id publish(sched::cell& x) override;
  sched::cell* adopt(sched::scheduler& home, const object_id& id, sched::cell_maker make) override;
  std::uintptr_t keep(sched::cell&) override { return sched::cell::value; }
  void submit(sched::cell& x, sched::exported_call call) override;
  void cancel(sched::cell& x, bool force, bool recursive) override;
  void borrow(std::span<const quantity> idle, std::span<const quantity> wanted) override;
  result<void> borrow_now(std::span<const quantity> wanted) override;
  void lend_cpu(sched::cell& x, bool lent) override;
  void look() override;
  void forget(sched::outside* record) override;
  result<sched::held_bytes> fetch(sched::cell& x) override;
  bool may_wait_here() const override;
  result<object_id> publish_actor(sched::actor_core& a) override;
  result<sched::actor_core*> adopt_actor(sched::scheduler& home, const object_id& id,
                                         const sched::actor_type& type) override;
  result<void> name_actor(sched::actor_core& a, std::string_view space,
                          std::string_view name) override;
  result<sched::actor_core*> find_actor(sched::scheduler& home, std::string_view space,
                                        std::string_view name,
                                        const sched::actor_type& type) override;
  void leave_actor(sched::actor_core& a, bool kill) override;
  void cancel_all() override;
  void end() override;

  // -- node::session_host
  void on_welcome() override;
  void on_execute(wire::call what, std::vector<node::arrived> objects) override;
  void on_abort(const object_id& task, std::uint32_t attempt) override;
  void on_sealed(const object_id& id, const error& why,
                 std::optional<node::arrived> value) override;
  void on_actor_ended(const object_id& actor, const error& why) override;
  void on_ran(const std::vector<wire::trace>& ran) override;
  void on_pressure(std::uint64_t bytes) override;
  void on_drain() override;
  void on_recall(const std::vector<wire::need>& needs) override;
  void on_lost(const error& why) override;

 private:
  /// Adopted cells whose values are pinned here though nobody may ever read them.
  struct unread_cells;
  /// Why a cell has an id. It may outlive the engine, as a ref may outlive its runtime.
  struct record {
    std::shared_ptr<node::session> session;
    object_id id;
    bool submitted = false;                     // the agent seals it: nothing is to be told
    std::shared_ptr<unread_cells> unread = {};  // of an adopted one
    record* next = nullptr;  // of another engine: a cell may be known to several agents
  };
  struct publication;
  struct execution;
  /// A call of ours that another process runs.
  struct flight {
    sched::cell* of = nullptr;  // the queue's reference
    object_id task;
    bool fetched = false;  // its id is not the cell's: bytes cannot be asked for later
    base::time_ns since_ns = 0;
  };

  using flights = std::unordered_map<object_id, flight, object_id_hash>;
  /// An actor of another process, as one core here calls it: its turn puts the calls in order.
  struct known_actor {
    object_id id;                            // counted once
    std::uint64_t caller = 0, sequence = 0;  // of the next call
    bool is_made = true;                     // else it has its name, and will be made
  };

  static sched::outside* opaque(record* r) noexcept { return reinterpret_cast<sched::outside*>(r); }
  static void forget_record(sched::outside* o);
  void note_unread(sched::cell& x);
  static bool take_arrived(const object_id& id, sched::cell& into);
  static void add_record(sched::cell_extra& extra, record& fresh) noexcept;
  record* record_of(const sched::cell_extra& extra) const noexcept;
  node::made value_of(sched::cell& x);
  node::made placed(std::vector<std::byte> bytes, std::vector<object_id> contained);
  void tell_value(sched::cell& x, const object_id& id);
  void wait_and_tell(sched::cell& x, const object_id& id);
  wire::call wire_call(sched::cell& x, sched::exported_call call, std::vector<object_id>& passing);
  result<void> send_call(sched::cell& x, wire::call call);
  error why_lost();
  // agent_actors.cpp
  result<void> address(sched::cell& x, sched::actor_core& a, wire::call& call);
  void addressed(sched::actor_core& a, wire::call_kind kind, bool sent);
  void know(sched::actor_core& a, const object_id& id);
  void made(sched::actor_core& a, bool sent);
  result<object_id> ask_name(std::string_view space, std::string_view name, const object_id& actor,
                             bool create);
  bool forget_actor(sched::actor_core& a, object_id& id);
  void actors_lost(const object_id& actor, const error& why);
  result<sched::cell*> make_for(const registration& found, const wire::call& what,
                                const sched::exported_call& call, sched::codec_context& context);
  void drop_hosted(const object_id& actor);
  void after_call(wire::call_kind kind, const object_id& actor, bool failed);
  void fetch_result(const object_id& id);
  std::vector<wire::trace> ran_here();  // agent_traces.cpp
  void note_end(const flight& f, bool failed);
  void adopted(std::uint64_t number, result<std::vector<node::arrived>> came);
  flights close_out(const error& why);
  bool take_flight(const object_id& result, flight& out);
  result<sched::cell*> import_call(wire::call& what, std::vector<node::arrived>& objects);
  result<const registration*> registered(const std::string& name);
  const std::string& name_of(const void* function);
  std::vector<wire::need> named(std::span<const quantity> needs) const;
  std::vector<quantity> numbered(const std::vector<wire::need>& needs);

  /// While this thread tells what came in, it must not wait.
  class telling {
   public:
    telling();
    telling(const telling&) = delete;
    telling& operator=(const telling&) = delete;
    ~telling();

   private:
    const bool outer_;
  };

  sched::scheduler* home_ = nullptr;
  bool holds_ = false;
  std::function<void()> at_end_;
  std::shared_ptr<node::session> session_;
  store_memory memory_;
  std::mutex lock_;
  flights flights_;                                           // by their result
  std::unordered_map<const sched::cell*, object_id> flying_;  // what has one: its result
  std::unordered_map<std::uint64_t, sched::cell*> adopting_;  // counted, by their number
  std::uint64_t adoptions_ = 0;
  const std::shared_ptr<unread_cells> unread_;
  error no_more_;                                               // once nothing leaves any more: why
  std::unordered_map<sched::actor_core*, known_actor> actors_;  // take themselves out
  // Several where a handle came in while the last one before it was on its way out.
  std::unordered_multimap<object_id, sched::actor_core*, object_id_hash> actor_cores_;
  std::uint64_t callers_ = 0;
  std::unordered_map<object_id, sched::actor_core*, object_id_hash> hosted_;  // a handle each
  std::unordered_map<object_id, execution*, object_id_hash> running_;         // by task
  std::unordered_map<const void*, std::string> names_;
  std::unordered_map<std::string, const registration*> functions_;
  std::mutex taking_runs_;
  std::atomic<base::time_ns> looks_at_ns_{0};
  std::atomic<std::uint32_t> ended_{0};
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
