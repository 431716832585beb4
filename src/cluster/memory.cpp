// SPDX-License-Identifier: Apache-2.0
// Memory is short: the worker process ends whose end costs least, the newest of those first, since
// it has done the least, and the older ones come to their end. What is tried again begins later.
#include <algorithm>
#include <utility>

#include "cluster/node_state.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// What goes with a worker process, the least first.
enum class node_state::loss : std::uint8_t {
  attempt,  ///< of a task, which is tried again
  state,    ///< of an actor, which is made again
  all,
};

node_state::loss node_state::loss_with(const session& s) const {
  loss worst = loss::attempt;
  for (const object_id& id : s.actors)
    worst = std::max(worst, actors_.at(id).restarts_left != 0 ? loss::state : loss::all);
  for (const object_id& id : s.running) {
    const task& t = tasks_.at(id);
    if (auto a = actors_.find(t.what.actor); a != actors_.end())
      worst = std::max(worst, a->second.restarts_left != 0 ? loss::state : loss::all);
    else if (t.cancelled || (t.retries_left == 0 && !t.what.options.repeated)) worst = loss::all;
  }
  return worst;
}

void node_state::on(memory_short&&) {
  while (!idle_.empty()) drain_worker(std::uint32_t{idle_.begin()->second});
  std::uint32_t chosen = 0;
  std::pair<loss, std::uint64_t> least;  // what it costs, how old its last call is
  for (const auto& [number, s] : sessions_) {
    if (s.pool == 0 || s.killed) continue;
    if (s.running.empty() && s.actors.empty()) continue;  // is about to end
    const std::pair cost{loss_with(s), last_key_ - s.begun};
    if (chosen != 0 && cost >= least) continue;
    chosen = number;
    least = cost;
  }
  if (chosen == 0) return;
  session& s = sessions_.at(chosen);
  s.killed = s.draining = true;
  out_->push_back(kill_worker{.session = chosen, .for_memory = true});
}

bool node_state::is_busy_worker(std::uint32_t session) const {
  auto at = sessions_.find(session);
  return at != sessions_.end() && at->second.pool != 0 &&
         !(at->second.running.empty() && at->second.serving.empty());
}

bool node_state::workers_run() const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [this](const auto& each) { return is_busy_worker(each.first); });
}

// How long its next attempt has to wait.
void node_state::rest(task& t, const error& how) {
  if (how.code() != errc::no_memory) return;
  std::uint64_t span_ns = limits_.memory_backoff_ns;
  for (std::uint32_t n = t.what.attempt; n > 0 && span_ns < limits_.memory_backoff_ns_max; --n)
    span_ns *= 2;
  t.rests_until_ns = now_ns_ + std::min(span_ns, limits_.memory_backoff_ns_max);
}

void node_state::wake_rested() {
  while (!resting_.empty() && resting_.begin()->first <= now_ns_) {
    const object_id id = resting_.extract(resting_.begin()).value().second;
    arguments_ready(id, tasks_.at(id));
  }
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
