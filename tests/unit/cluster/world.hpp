// SPDX-License-Identifier: Apache-2.0
#pragma once

// A box in one thread: a node_state, a store that is a map, and sessions that exchange refs,
// submit, execute and die, all from one seed. Messages are delayed but stay in order per session.
// The first broken promise is kept in `wrong`.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/rng.hpp"
#include "cluster/mentions.hpp"
#include "cluster/node_state.hpp"

namespace cluster_world {
namespace cluster = beamlet::cluster;
namespace wire = beamlet::wire;
using beamlet::errc;
using beamlet::object_id;

inline constexpr cluster::node_id self{.node = 7, .boot = 3};

/// One session's process, as far as the agent can tell.
struct client {
  struct part {
    std::uint32_t mentions = 0;  // seen since its last release
    bool agent_knows = false;    // its publish or submit has arrived, or it was mentioned
  };
  bool worker = false;
  std::map<object_id, part> refs;   // what it holds
  std::vector<object_id> promised;  // published, not fulfilled
  std::vector<wire::execute> running;
  std::set<std::uint64_t> asked, abandoned;
  std::map<object_id, std::uint64_t> calls_to;  // next sequence per actor
  std::vector<object_id> tasks;
  std::int64_t gpu = 0, owed = 0;  // what it has borrowed, and is to repay of it
  std::deque<wire::to_agent> to_agent;
  std::deque<wire::to_session> from_agent;
};

class world {
 public:
  explicit world(std::uint64_t seed, cluster::limits bounds = {});

  /// Random events, then all work is done and everybody leaves.
  void run(unsigned steps);

  std::string wrong;
  std::uint64_t trace = 0;
  std::size_t answers = 0, executions = 0, deaths = 0, losses = 0, actors_made = 0, retries = 0,
              values_told = 0, loans = 0;

 private:
  void step(cluster::event what);
  void carry_out(const cluster::action& what);
  void fail(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }
  bool chance(unsigned percent) { return random_.below(100) < percent; }
  void fold(std::uint64_t value) { trace = (trace ^ value) * 0x100000001b3u; }

  void open_program();
  void kill(std::uint32_t number);
  void act(std::uint32_t number, client& c);
  void deliver_to_agent(std::uint32_t number, client& c);
  void deliver_to_client(client& c);
  void finish(client& c, std::size_t index);
  void wait_or_go_on(client& c, const wire::call& running);
  void answer_store();
  void lose_one();
  void submit_one(std::uint32_t number, client& c);
  void borrow_one(client& c);
  void repay(client& c, std::int64_t amount);
  void quiesce();
  bool idle() const;
  void check_truth();
  object_id mint(std::uint32_t number);
  object_id pick(const client& c);
  std::vector<object_id> pick_some(client& c, unsigned most);
  wire::value value_of(client& c, const object_id& id, std::uint64_t content);
  void saw(client& c, const object_id& id);
  void saw_value(const wire::object_here& object);
  void release(client& c, const object_id& id);
  void note_done(std::uint32_t number, const wire::done& m);

  beamlet::base::rng random_;
  beamlet::ledger ledger_;
  beamlet::resource_names names_;
  cluster::node_state state_;
  std::uint64_t now_ = 1;
  std::uint32_t next_session_ = 1;
  std::uint64_t next_ticket_ = 1, next_offset_ = 0, minted_ = 0;
  bool calm_ = false;
  std::map<std::uint32_t, client> clients_;
  std::map<object_id, wire::extent> stored_;
  std::map<std::uint64_t, cluster::pin_set> pins_;  // asked, not answered
  std::vector<std::uint64_t> workers_wanted_;
  std::set<object_id> actors_;
  std::map<object_id, std::set<std::uint64_t>> contents_;  // what a value may read
  std::map<std::uint64_t, std::uint64_t> places_;          // offset to content
  struct running_attempt {
    std::uint32_t session = 0, attempt = 0;
    bool open = false;
    std::vector<object_id> results;
  };
  std::map<object_id, running_attempt> attempts_;
  std::map<std::pair<object_id, std::uint64_t>, std::uint64_t> order_;  // actor, caller: last
};

}  // namespace cluster_world
