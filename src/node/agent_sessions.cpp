// SPDX-License-Identifier: Apache-2.0
// How sessions end. Two things have to be known: that the connection is gone, and the process. They
// come in any order, and one of them may never come, so each has a time.
#include <utility>
#include <vector>

#include "node/agent.hpp"
#include "node/agent_limits.hpp"
#include "node/chaos.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

void agent::on_closed(std::uint32_t session, const error& why) {
  auto at = members_.find(session);
  if (at == members_.end() || at->second.link == nullptr) return;
  member& m = at->second;
  handle([&] {
    closed_.push_back(std::move(m.link));
    m.due_ns = port_.now_ns() + ending_ns_max;
    if (why.code() != errc::closed && logger_.enabled(log_level::warning))
      logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                    "session " + std::to_string(session) + " is lost: " + why.describe());
  });
}

void agent::process_ended(std::uint32_t session, int signal, std::string how) {
  auto at = members_.find(session);
  if (at == members_.end() || at->second.process_gone) return;
  member& m = at->second;
  m.process_gone = true;
  m.signal = signal;
  m.how = std::move(how);
  if (m.link != nullptr) m.due_ns = port_.now_ns() + ending_ns_max;
}

void agent::worker_failed(std::uint64_t pool, error why) {
  handle([&] {
    refresh_time();
    if (logger_.enabled(log_level::info))
      logger_.write(log_level::info, error_layer::node, port_.now_ns(),
                    "a worker process could not be started: " + why.describe());
    step(cluster::worker_failed{.pool = pool, .why = std::move(why)});
  });
}

/// What a session did cannot be mended. Only it suffers.
void agent::expel(std::uint32_t session, error why) {
  auto at = members_.find(session);
  if (at == members_.end() || at->second.link == nullptr) return;
  member& m = at->second;
  if (logger_.enabled(log_level::warning))
    logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                  "session " + std::to_string(session) + " is ended: " + why.describe());
  if (!m.open) m.how = std::string(why.message());
  // It may well be unable to read this: nothing depends on it.
  (void)m.link->send(wire::refused{.ticket = 0, .why = std::move(why), .fatal = true}, -1);
  close_link(m);
  if (m.pool != 0 && !m.process_gone) world_.kill_worker(session);
}

void agent::note_life(std::uint32_t session, const member& m, const std::string& what) const {
  if (!logger_.enabled(log_level::info) || m.only_looks()) return;
  const std::string kind =
      m.pool != 0 ? "worker process " : "program '" + m.program + "', process ";
  logger_.write(log_level::info, error_layer::node, port_.now_ns(),
                "session " + std::to_string(session) + ", " + kind +
                    std::to_string(m.peer.process) + ": " + what);
}

void agent::close_link(member& m) {
  m.link->close();
  closed_.push_back(std::move(m.link));
  m.due_ns = port_.now_ns() + ending_ns_max;
}

/// Whether something has ended.
bool agent::settle_members() {
  bool changed = false;
  for (auto at = members_.begin(); at != members_.end();) {
    const std::uint32_t number = at->first;
    member& m = at->second;
    if (m.link != nullptr && m.due_ns <= port_.now_ns()) {
      if (m.open || m.process_gone) close_link(m);
      else expel(number, node_error(errc::timeout, "no hello came"));
    }
    const bool known = m.process_gone || m.left || !m.open || m.due_ns <= port_.now_ns();
    if (m.link == nullptr && !m.ended && known) {
      end(number, m);
      changed = true;
    }
    // Who was never let in has no memory to write to.
    if (!m.ended || (m.open && !m.process_gone)) {
      ++at;
      continue;
    }
    if (m.open) step(cluster::session_gone{.session = number});
    at = members_.erase(at);
    changed = true;
  }
  return changed;
}

void agent::end(std::uint32_t number, member& m) {
  m.ended = true;
  m.due_ns = base::never_ns;
  note_life(number, m, m.how.empty() ? "has left" : m.how);
  // node_state first: it takes back what it asked of the store for this session.
  const bool for_memory = !m.ended_for_memory.empty();
  if (m.open)
    step(cluster::session_ended{.session = number,
                                .signal = m.signal,
                                .how = for_memory ? m.ended_for_memory : m.how,
                                .out_of_memory = for_memory});
  else if (m.pool != 0)
    step(cluster::worker_failed{
        .pool = m.pool,
        .why = error(errc::worker_died, error_layer::node,
                     {.message = "the worker process ended before its hello was accepted",
                      .type = {},
                      .function = {},
                      .cause = m.how},
                     m.signal)});
  index_.close_to(number);
  store_.session_ended(number);
  segments_.forget(number);
  if (chaos::planted(chaos::bug::early_reuse)) step(cluster::session_gone{.session = number});
  m.leases.clear();
  requests_.erase(requests_.lower_bound({number, 0}), requests_.lower_bound({number + 1, 0}));
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
