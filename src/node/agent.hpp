// SPDX-License-Identifier: Apache-2.0
#pragma once

// The agent of one box: it drives node_state and store with what its sessions, its disk and its
// worker processes do. No thread, no socket: links bring messages, `outer_world` starts processes,
// and the port gives time, timers and files, so that a simulation runs this very code.
//
// Everything comes down to two loops. `step` gives an event to node_state and carries out what it
// asks for before the next one; `advance` carries out what the store asks for. A session's life:
// add_session, `hello`, messages, closed or its process ended (in any order), `session_ended` once
// it is known how, and when the process is really gone `session_gone`: only then is memory that it
// could write used again.
//
// Memory: where it runs out in the handling of an event, whatever that was (std::bad_alloc), what
// is half made is not trusted. From then on the agent does nothing but end: failed().

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "beamlet/base/ledger.hpp"
#include "beamlet/base/log.hpp"
#include "beamlet/base/time.hpp"
#include "cluster/limits.hpp"
#include "cluster/node_state.hpp"
#include "node/agent_limits.hpp"
#include "node/link.hpp"
#include "node/object_index.hpp"
#include "node/segments.hpp"
#include "node/spill_files.hpp"
#include "ports/memory.hpp"
#include "ports/port.hpp"
#include "sched/no_throw.hpp"
#include "store/store.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What a worker process is to be.
struct worker_wish {
  std::uint64_t pool = 0;
  /// A session whose program has the functions, and may be started as a worker process; 0: none.
  std::uint32_t like = 0;
  std::vector<std::string> environment;          ///< NAME=VALUE
  std::uint64_t memory_max = 0, cpu_ms_max = 0;  ///< 0: no limit
};

/// What an agent needs of the world beyond its port. Thread: the agent's.
class outer_world {
 public:
  /// Begins to start a worker process. It becomes a session by `agent::add_session` with `pool`,
  /// or `agent::worker_failed` says why not; neither inside this call. Once it is a session the
  /// agent itself sees to it that a process which ends before its `hello` counts as failed.
  virtual void start_worker(const worker_wish& wish) = 0;
  /// SIGKILL. Its end is told as for any other.
  virtual void kill_worker(std::uint32_t session) = 0;
  /// Whether the agent that had this `agent_options::life` is dead, so that its spill folder may be
  /// removed.
  virtual bool has_ended(const std::string& life) const { return (void)life, false; }
  /// As ports::used_memory(), and ports::private_bytes() of a worker process. Not known: no watch.
  virtual ports::memory_use memory() const { return {}; }
  virtual std::uint64_t memory_of(std::uint32_t session) const { return (void)session, 0; }

 protected:
  ~outer_world() = default;
};

struct agent_options {
  std::uint64_t node = 0;  ///< random, not 0
  std::uint32_t boot = 1;
  store::options store;
  cluster::limits limits;
  std::vector<std::pair<std::string, double>> resources;  ///< beside what `cpus` says
  double cpus = 1;
  std::string spill_folder;     ///< empty: no spilling. Made; a folder of this agent's own inside
  std::string fallback_folder;  ///< for segments in files; empty: none
  std::string life;  ///< for has_ended() of later agents, such as process and start; empty: unknown
  /// The part of the box's memory above which a worker process is ended, the newest call that can
  /// be tried again first (node_state's memory_short); 1: none. Looked at so often while one runs.
  double memory_usage_threshold = memory_usage_threshold_default;
  base::time_ns memory_watch_ns = memory_watch_ns_default;
  log_sink log;
  beamlet::log_level log_level = beamlet::log_level::warning;
  std::string log_file;  ///< for people who ask: where the log is; empty: nowhere
};

class agent final : public link_events, private spill_events {
 public:
  /// Begins to open the spill folder, and to sweep what dead agents left there.
  ///
  /// Thread of everything here: the port's loop thread.   REQUIRES: port and world outlive it;
  /// resources have valid names and amounts (others are left out, and logged).
  agent(ports::port& port, outer_world& world, agent_options options);
  /// REQUIRES: stop() was called, and busy() is false.
  ~agent();
  agent(const agent&) = delete;
  agent& operator=(const agent&) = delete;

  /// The process of a session.
  struct behind {
    std::uint32_t process = 0;  ///< its number, for people
    std::uint64_t program = 0;  ///< ports::program_identity(): none runs another one's calls
  };
  /// A connection was made; its first message must be `hello`, soon. `pool`: of a worker process,
  /// as wished, else 0. Returns its number.
  std::uint32_t add_session(std::unique_ptr<session_link> link, std::uint64_t pool = 0,
                            const behind& peer = {0, 0});

  // A link is told to close, and is destroyed, in `advance` or the destructor, never inside a call
  // that it makes itself.
  void on_message(std::uint32_t session, wire::to_agent message) override;
  void on_closed(std::uint32_t session, const error& why) override;
  /// The process behind a session has ended, and how. May come before or after `on_closed`; memory
  /// is used again only after both. For a session of this process, and one whose process cannot be
  /// watched, it is told with on_closed, and also when the agent itself closed the link.
  void process_ended(std::uint32_t session, int signal, std::string how);
  /// Of one that is not yet a session.
  void worker_failed(std::uint64_t pool, error why);

  /// To be called when `port.now_ns() >= next_ns()`, and after each turn in which something came.
  void advance();
  /// When `advance` has to be called if nothing comes; base::never_ns: never.
  base::time_ns next_ns() const;

  /// Memory ran out: every call does nothing from now on, and stop() is due.
  bool failed() const { return failed_ || files_.failed(); }

  /// Tells sessions to end, waits for nothing. Sessions get `drain`; no other one is welcomed.
  void drain();
  /// Closes all links and begins to remove what is on disk. No call but turns of the port,
  /// busy() and the destructor may follow. `out_of_memory`: its driver's, as if it had failed().
  /// Then sessions are told, where memory is left for it.
  void stop(bool out_of_memory = false);
  /// Whether file requests are in flight: turn the port until that ends.
  bool busy() const { return files_.busy(); }
  /// Those whose process may still be there, too.
  std::size_t sessions() const { return members_.size(); }
  bool has(std::uint32_t session) const { return members_.contains(session); }
  /// That have said hello and are there, without worker processes and who only looks.
  std::size_t programs() const;

  struct session_status {
    std::uint32_t session = 0;
    std::uint64_t pool = 0;
    std::string program;
    bool ended = false;  ///< its process may still be there
    store::session_usage usage;
  };
  struct status {  ///< for `beamlet status`, tests, stats
    store::usage store;
    cluster::node_state::counts counts;
    std::vector<session_status> sessions;
  };
  /// Messages so far.
  std::uint64_t heard() const { return heard_; }
  status look() const;
  /// What a `look` is answered with.   Cost: a walk over all objects.
  wire::status answer(const wire::look& asked) const;
  /// For tests: recounts everything, as node_state::check and store::audit. Empty, or what is
  /// wrong.
  std::string check() const;

 private:
  struct member {
    std::unique_ptr<session_link> link;  // null: closed
    std::uint64_t pool = 0;
    behind peer;
    base::time_ns since_ns = 0;
    std::string program;
    std::uint64_t functions_hash = 0;
    bool has_entry = false;  // it may be started as a worker process
    bool open = false;       // said hello
    bool left = false;       // said bye
    bool has_index = false;  // or could not be given it
    bool process_gone = false;
    bool ended = false;  // node_state and store know
    int signal = 0;
    std::string how;
    std::string ended_for_memory;                   // why, where that is so
    base::time_ns due_ns = base::never_ns;          // of what it is waited for next
    std::map<std::uint64_t, std::uint64_t> leases;  // its ticket to ours
    std::uint32_t serves = 0;                       // of a worker process: the program it ran for
    std::vector<wire::trace> ran;                   // of a program: what is still to be told to it
    std::size_t runs = 0;                           // in these
    base::time_ns told_ran_ns = 0;

    bool only_looks() const { return open && functions_hash == 0 && pool == 0; }
  };
  /// What the store was asked for, by session and our ticket.
  struct request {
    bool is_lease = false;
    bool cancelled = false;
    std::uint64_t name = 0;  // the session's ticket, or node_state's key
    std::vector<object_id> objects;
  };
  using request_key = std::pair<std::uint32_t, std::uint64_t>;

  // agent.cpp: the loops, and what sessions say.
  template <class F>
  void handle(F&& event) {
    if (failed()) return;
    if (handling_) return event();  // in the midst of another one, which is half made with it
    handling_ = true;
    if (!sched::try_allocate(event)) failed_ = true;
    handling_ = false;
  }
  void take_resources();
  void hear(std::uint32_t session, wire::to_agent message);
  void advance_all();
  void step(cluster::event what);
  void refresh_time();
  template <class Message>
  void said(std::uint32_t from, member& m, Message&& message);
  void said(std::uint32_t from, member& m, wire::hello&& message);
  void said(std::uint32_t from, member& m, wire::lease&& message);
  void said(std::uint32_t from, member& m, wire::abandon&& message);
  void said(std::uint32_t from, member& m, wire::unlease&& message);
  void said(std::uint32_t from, member& m, wire::unpin&& message);
  void said(std::uint32_t from, member& m, wire::mapped&& message);
  void said(std::uint32_t from, member& m, wire::unmapped&& message);
  void said(std::uint32_t from, member& m, wire::bye&& message);
  void said(std::uint32_t from, member& m, wire::look&& message);
  void said(std::uint32_t from, member& m, wire::done&& message);
  void said(std::uint32_t from, member& m, wire::collect&& message);
  void tell(std::uint32_t to, wire::to_session message, int segment = -1);
  void refuse(std::uint32_t to, std::uint64_t ticket, error why);
  error check_hello(const member& m, const wire::hello& message) const;
  std::vector<wire::need> all_resources() const;

  // agent_memory.cpp: the out-of-memory watch.
  void begin_watch(std::uint32_t session);
  void watch_memory();
  std::string out_of_memory(std::uint32_t session) const;

  // agent_status.cpp: what there is.
  std::vector<wire::resource_status> status_of_resources() const;
  wire::session_status status_of(std::uint32_t number, const member& m) const;
  wire::object_status status_of(const object_id& id, const cluster::object& x) const;

  // agent_traces.cpp: what worker processes ran, and for whom.
  std::uint32_t program_behind(std::uint32_t session) const;
  void note_call_given(std::uint32_t to, const wire::call& what);
  void pass_on(const member& from, std::vector<wire::trace> ran);
  void tell_ran(std::uint32_t to, member& m, std::uint64_t ticket);

  // agent_sessions.cpp: how sessions end.
  void expel(std::uint32_t session, error why);
  void close_link(member& m);
  void note_life(std::uint32_t session, const member& m, const std::string& what) const;
  bool settle_members();
  void end(std::uint32_t number, member& m);

  // agent_actions.cpp: what node_state and the store ask for.
  void carry_out(cluster::send&& a);
  void carry_out(cluster::adopt&& a);
  void carry_out(cluster::discard&& a);
  void carry_out(cluster::pin_set&& a);
  void carry_out(cluster::cancel_pins&& a);
  void carry_out(cluster::unpin&& a);
  void carry_out(cluster::drop&& a);
  void carry_out(cluster::forget&& a) { index_.forget(a.id); }
  void carry_out(cluster::reclaim&& a);
  void carry_out(cluster::need_worker&& a);
  void carry_out(cluster::kill_worker&& a);
  void carry_out(cluster::set_timer&& a);
  void carry_out(store::make_segment&& a);
  void carry_out(store::end_segment&& a);
  void carry_out(store::write_spill&& a) { files_.write(std::move(a)); }
  void carry_out(store::read_spill&& a) { files_.read(a); }
  void carry_out(store::remove_spill&& a) { files_.remove(a.file); }
  void carry_out(store::granted&& a);
  void carry_out(store::pinned&& a);
  void carry_out(store::failed&& a);
  void carry_out(store::returned&& a);
  void carry_out(store::evicted&& a);
  void carry_out(store::lost&& a);
  void carry_out(store::pressure&& a);
  void pump_store();
  void tell_here(std::uint32_t to, wire::here&& message);
  void show_segments(std::uint32_t to, const std::vector<wire::object_here>& objects);
  void show_in_index(std::uint32_t to, const std::vector<wire::object_here>& objects);
  void give_index(std::uint32_t to, member& m);
  std::uint64_t ask(std::uint32_t session, request what);
  void cancel(std::uint32_t session, std::uint64_t ticket);
  bool take(std::uint32_t session, std::uint64_t ticket, request& out);
  void on_spill_written(store::file_id file, const result<void>& how) override;
  void on_restored(const object_id& id, const result<void>& how) override;

  ports::port& port_;
  outer_world& world_;
  const agent_options options_;
  const base::time_ns started_ns_;
  const logger logger_;
  ledger ledger_;
  resource_names names_;
  cluster::node_state state_;
  object_index index_;
  store::store store_;
  segments segments_;

  std::map<std::uint32_t, member> members_;
  std::uint32_t last_session_ = 0;
  std::vector<std::unique_ptr<session_link>>
      closed_;  // to be destroyed, not inside their own calls
  std::map<std::uint64_t, std::uint64_t> pool_hashes_;  // of the functions, by pool
  std::map<request_key, request> requests_;
  std::uint64_t last_ticket_ = 0;
  std::map<std::uint64_t, request_key> pin_sets_;  // by node_state's key
  std::vector<request_key> cancelled_;             // whose answers may be among the store's actions
  std::deque<cluster::event> events_;
  bool stepping_ = false, fresh_ = false, draining_ = false, stopped_ = false;
  bool handling_ = false, failed_ = false;
  base::time_ns timer_ns_ = base::never_ns;
  base::time_ns watch_ns_ = base::never_ns;  // when memory is looked at next
  ports::memory_use memory_;                 // as it was when it was too much
  bool memory_unknown_ = false;
  std::uint32_t memory_victim_ = 0;  // the session that was ended last
  std::uint64_t heard_ = 0;
  spill_files files_;  // the last, as what it has begun in the constructor has to end by stop()
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
