// SPDX-License-Identifier: Apache-2.0
// Who has what of the counted resources: calls while they run, actors for life and for their calls.
#include <algorithm>
#include <utility>

#include "cluster/node_state.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

// REQUIRES: its needs were taken.
void node_state::has_begun(task& t) {
  t.has_needs = true;
  count_running(t.kind.program, true);
  shares_[t.kind.program].served = ++last_key_;
}

// Returns what the call has, for who takes it over.
std::vector<quantity> node_state::has_ended(task& t) {
  std::vector<quantity> had;
  if (!std::exchange(t.has_needs, false)) return had;
  const bool lent = std::exchange(t.lent, false);
  for (const quantity& q : t.needs)
    if (!lent || q.resource != resource::cpu) had.push_back(q);
  if (!lent) count_running(t.kind.program, false);
  may_start_ = true;
  return had;
}

void node_state::give_back(task& t) { ledger_.give(has_ended(t)); }

void node_state::count_running(std::uint32_t program, bool one_more) {
  share& its = shares_[program];
  its.running = one_more ? its.running + 1 : its.running - 1;
  forget_share(program);
}

void node_state::forget_share(std::uint32_t program) {
  auto at = shares_.find(program);
  if (at != shares_.end() && at->second.running == 0 && !sessions_.contains(program))
    shares_.erase(at);
}

// A call waits, or goes on: then at once, even if others have its cpu by now.
void node_state::said(std::uint32_t from, wire::lend_cpu&& m) {
  auto at = tasks_.find(m.task);
  if (at == tasks_.end()) return;
  task& t = at->second;
  const bool runs =
      t.at == task::state::running && t.session == from && t.what.attempt == m.attempt;
  if (!runs || std::exchange(t.lent, m.lent) == m.lent) return;
  if (t.what.kind == wire::call_kind::actor_call) {
    actor& a = actors_.at(t.what.actor);
    a.lent = m.lent ? a.lent + 1 : a.lent - 1;
    return settle_cpu(a);
  }
  count_running(t.kind.program, !m.lent);
  for (const quantity& q : t.needs) {
    if (q.resource != resource::cpu) continue;
    if (m.lent) ledger_.give({&q, 1});
    else ledger_.overdraw(q);
  }
  may_start_ = may_start_ || m.lent;
}

// One for each of `given` calls that its process runs at a time and that does not wait.
std::int64_t node_state::cpu_for(const actor& a, std::size_t given) const {
  if (a.at != actor::state::alive) return 0;
  const std::size_t run = std::min<std::size_t>(given, a.creation.options.concurrency);
  return static_cast<std::int64_t>(run - std::min(run, a.lent)) * amount_per_unit;
}

// After its calls became fewer, or one of them waits or goes on.
void node_state::settle_cpu(actor& a) {
  const std::int64_t wanted = cpu_for(a, a.given);
  const quantity less{resource::cpu, std::max<std::int64_t>(a.cpu - wanted, 0)};
  const quantity more{resource::cpu, std::max<std::int64_t>(wanted - a.cpu, 0)};
  ledger_.give({&less, 1});
  ledger_.overdraw(more);
  a.cpu = wanted;
  if (less.amount > 0) may_start_ = true;
}

// Takes what one more call needs. False: the actor waits for its turn, in `dispatch`.
bool node_state::take_cpu_for_call(const object_id& id, actor& a) {
  if (a.turn != 0) return false;
  const quantity more{resource::cpu, std::max<std::int64_t>(cpu_for(a, a.given + 1) - a.cpu, 0)};
  // One that runs may wait for the next in a way that nobody here sees.
  const bool beside = a.given > 0 && a.given < a.creation.options.concurrency;
  const bool free = more.amount > 0 ? ledger_.take({&more, 1}) : !cpu_is_awaited(a);
  if (!free && beside) ledger_.overdraw(more);
  if (free || beside) {
    a.cpu += more.amount;
    return true;
  }
  a.turn = ++last_key_;
  hungry_.emplace(a.turn, id);
  return false;
}

// Whether somebody who has none could start with just the cpu that this actor has. It would never
// come free as long as the actor's callers have more calls.
bool node_state::cpu_is_awaited(const actor& a) const {
  if (a.cpu == 0) return false;
  for (const auto& [turn, other] : hungry_)
    if (actors_.at(other).cpu == 0) return true;
  return std::any_of(queues_.begin(), queues_.end(), [&](const auto& each) {
    const work_class& kind = each.first;
    return kind.urgency <= a.creation.options.urgency &&
           std::all_of(kind.needs.begin(), kind.needs.end(), [&](const auto& need) {
             const std::int64_t more = need.first == resource::cpu ? a.cpu : 0;
             return need.second <= ledger_.available(need.first) + more;
           });
  });
}

// Its turn has come: true when it got a call.
bool node_state::serve_hungry(const object_id& id) {
  actor& a = actors_.at(id);
  const std::uint64_t turn = std::exchange(a.turn, 0);
  const std::size_t given = a.given;
  hungry_.erase(turn);
  deliver_all(id);
  if (a.given > given) shares_[a.kind.program].served = ++last_key_;
  if (a.given > given || a.turn == 0) return a.given > given;
  hungry_.erase(std::exchange(a.turn, turn));  // it keeps its place
  hungry_.emplace(turn, id);
  return false;
}

void node_state::leave_turn(actor& a) { hungry_.erase(std::exchange(a.turn, 0)); }

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
