// SPDX-License-Identifier: Apache-2.0
// Which call runs where: by urgency, then the program that runs the fewest or was served longest
// ago, then the most deeply nested, as others wait for it, then age; the first that fits. It runs
// in the least busy program, or in a worker process of its pool.
#include <algorithm>
#include <tuple>
#include <utility>

#include "cluster/node_state.hpp"
#include "cluster/tell.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {
namespace {
constexpr std::uint32_t depth_max = 1000;     // those below go by age alone
constexpr std::uint8_t urgency_of_loans = 1;  // as a normal call's
}  // namespace

void node_state::enqueue(const object_id& id, task& t) {
  t.order = ++last_key_;
  queues_[t.kind].emplace(t.order, id);
  may_start_ = true;
}

void node_state::dequeue(const task& t) {
  auto queue = queues_.find(t.kind);
  if (queue == queues_.end()) return;
  queue->second.erase(t.order);
  if (!hungry_.empty()) may_start_ = true;  // they may have stood back for it
  if (queue->second.empty()) queues_.erase(queue);
}

// Starts one; false: none can start until something changes. Only the first of each class is tried,
// as the others of it need the same.
bool node_state::dispatch() {
  if (!may_start_) return false;
  struct head {
    std::uint8_t urgency;
    share its;  // the program's
    std::uint32_t height;
    std::uint64_t order;
    object_id id;
    enum class kind : std::uint8_t { task, actor, program } what;
    auto key() const { return std::tie(urgency, its.running, its.served, height, order); }
    bool operator<(const head& other) const { return key() < other.key(); }
  };
  auto share_of = [this](std::uint32_t program) {
    auto at = shares_.find(program);
    return at != shares_.end() ? at->second : share{};
  };
  std::vector<head> heads;
  for (const auto& [kind, queue] : queues_) {
    const auto& [order, id] = *queue.begin();
    heads.push_back({kind.urgency, share_of(kind.program), depth_max - kind.depth, order, id,
                     head::kind::task});
  }
  for (const auto& [turn, id] : hungry_) {
    const work_class& kind = actors_.at(id).kind;
    heads.push_back({kind.urgency, share_of(kind.program), depth_max - kind.depth, turn, id,
                     head::kind::actor});
  }
  for (const auto& [order, b] : borrowers_) {
    const session& s = sessions_.at(b.session);
    heads.push_back({urgency_of_loans, share_of(s.program), depth_max - s.depth, order, object_id{},
                     head::kind::program});
  }
  std::sort(heads.begin(), heads.end());
  for (const head& h : heads) {
    if (h.what == head::kind::task && try_start(h.id, tasks_.at(h.id))) return true;
    if (h.what == head::kind::actor && serve_hungry(h.id)) return true;
    if (h.what == head::kind::program && serve_borrower(h.order)) return true;
  }
  may_start_ = false;
  recall_missing();
  return false;
}

bool node_state::try_start(const object_id& id, task& t) {
  if (!ledger_.take(t.needs)) return false;
  const std::uint64_t pool_number = t.kind.pool;
  const std::uint32_t to =
      pool_number != 0 ? idle_worker(pool_number) : least_busy(t.functions_hash);
  if (to != 0) {
    dequeue(t);
    has_begun(t);
    assign(id, t, to);
    return true;
  }
  if (pool_number != 0 && may_start_worker(t.kind)) {
    pool& p = pools_.at(pool_number);
    dequeue(t);
    has_begun(t);
    t.at = task::state::granted;
    p.granted.push_back(id);
    ++p.starting;
    ++workers_;
    out_->push_back(p.what);
    return true;
  }
  ledger_.give(t.needs);
  if (pool_number != 0) make_room_for(pool_number);
  return false;
}

// Calls that wait in their processes must not keep what they wait for from having one.
bool node_state::may_start_worker(const work_class& kind) const {
  if (workers_ < limits_.workers_max) return true;
  if (kind.depth == 0) return false;
  std::size_t waiting = 0;
  for (const auto& [number, s] : sessions_)
    if (s.pool != 0 && waits_only(s)) ++waiting;
  return workers_ - waiting < limits_.workers_max;
}

bool node_state::waits_only(const session& s) const {
  bool waits = false;
  for (const object_id& id : s.running) {
    if (!tasks_.at(id).lent) return false;
    waits = true;
  }
  for (const object_id& id : s.actors) {
    const actor& a = actors_.at(id);
    if (a.cpu > 0) return false;
    waits = waits || a.lent > 0;
  }
  return waits;
}

// REQUIRES: the session lives and the task waits for nothing but its pins.
void node_state::assign(const object_id& id, task& t, std::uint32_t to) {
  session& s = sessions_.at(to);
  t.at = task::state::pinning;
  t.session = to;
  if (s.pool != 0) s.depth = std::min(t.kind.depth + 1, depth_max);
  if (t.what.kind == wire::call_kind::actor_call) {
    s.serving.insert(id);
  } else {
    s.running.insert(id);
    if (s.pool != 0) s.program = t.kind.program;
    ++s.calls;
    idle_.erase({s.idle_since_ns, to});
  }
  wait& w = waits_.at(t.wait_key);
  w.session = to;
  pin(t.wait_key, w);
}

void node_state::leave_session(const object_id& id, task& t) {
  const std::uint32_t left = std::exchange(t.session, 0);
  const bool of_actor = t.what.kind == wire::call_kind::actor_call;
  const bool lent = of_actor && std::exchange(t.lent, false);
  if (of_actor && t.at == task::state::pinning)
    if (auto a = actors_.find(t.what.actor); a != actors_.end())
      if (auto c = a->second.callers.find({t.submitter, t.what.caller});
          c != a->second.callers.end())
        c->second.busy = false;
  auto at = sessions_.find(left);
  if (at == sessions_.end()) return;
  session& s = at->second;
  if (s.serving.erase(id) > 0)
    if (auto a = actors_.find(t.what.actor); a != actors_.end()) {
      if (has_enough(a->second)) roomy_.insert(a->first);
      --a->second.given;
      if (lent) --a->second.lent;
      settle_cpu(a->second);
    }
  if (s.running.erase(id) == 0) return;
  may_start_ = true;
  if (s.pool == 0 || !s.running.empty()) return;
  // An actor that came to be keeps the process; one that did not leaves it to others.
  if (!s.actors.empty()) return;
  const std::uint32_t most = t.what.options.calls_max;
  if (most != 0 && s.calls >= most) drain_worker(left);
  else worker_free(left);
}

// A worker process has nothing to do: the oldest call that waits for one of its kind gets it.
void node_state::worker_free(std::uint32_t number) {
  session& s = sessions_.at(number);
  if (s.draining) return;
  may_start_ = true;
  pool& p = pools_.at(s.pool);
  if (p.granted.empty()) {
    s.idle_since_ns = now_ns_;
    idle_.emplace(now_ns_, number);
    return;
  }
  const object_id id = p.granted.front();
  p.granted.erase(p.granted.begin());
  assign(id, tasks_.at(id), number);
}

std::uint32_t node_state::idle_worker(std::uint64_t of) const {
  // The one that was busy last: its memory is warm, and the others may reach their idle time.
  for (auto at = idle_.rbegin(); at != idle_.rend(); ++at)
    if (sessions_.at(at->second).pool == of) return at->second;
  return 0;
}

std::uint32_t node_state::least_busy(std::uint64_t functions_hash) const {
  std::uint32_t best = 0;
  std::size_t fewest = ~std::size_t{0};
  for (const auto& [number, s] : sessions_) {
    if (s.pool != 0 || s.draining || s.functions_hash != functions_hash) continue;
    if (s.running.size() >= s.slots || s.running.size() >= fewest) continue;
    best = number;
    fewest = s.running.size();
  }
  return best;
}

std::uint64_t node_state::pool_of(const task& t) {
  const wire::call_options& o = t.what.options;
  if (o.where != wire::isolation::process || t.what.kind == wire::call_kind::actor_call) return 0;
  auto [at, made] = pool_keys_.try_emplace(key_of_pool(t.functions_hash, o), pool_keys_.size() + 1);
  if (made)
    pools_[at->second].what = {.pool = at->second,
                               .functions_hash = t.functions_hash,
                               .environment = o.environment,
                               .memory_max = o.memory_max,
                               .cpu_ms_max = o.cpu_ms_max};
  return at->second;
}

void node_state::on(worker_failed&& e) {
  auto at = pools_.find(e.pool);
  if (at == pools_.end() || at->second.starting == 0) return;
  pool& p = at->second;
  --p.starting;
  --workers_;
  may_start_ = true;
  // What failed once will fail again: the call learns why instead of trying for ever.
  if (p.granted.size() > p.starting) fail_task(object_id(p.granted.front()), e.why);
}

void node_state::drain_worker(std::uint32_t number) {
  session& s = sessions_.at(number);
  idle_.erase({s.idle_since_ns, number});
  if (std::exchange(s.draining, true)) return;
  tell(number, wire::drain{});
}

// No more processes are allowed: an idle one of another kind ends.
void node_state::make_room_for(std::uint64_t wanted) {
  for (const auto& [number, s] : sessions_)
    if (s.pool != 0 && s.pool != wanted && s.draining) return;  // one is on its way
  for (const auto& [since, number] : idle_)
    if (sessions_.at(number).pool != wanted) return drain_worker(number);
}

void node_state::end_idle_workers() {
  while (!idle_.empty() && idle_.begin()->first + limits_.worker_idle_ns <= now_ns_)
    drain_worker(std::uint32_t{idle_.begin()->second});
}

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
