// SPDX-License-Identifier: Apache-2.0
// What worker processes ran, on its way to the programs that it was run for: their timelines, and
// what functions cost.
#include <utility>
#include <vector>

#include "node/agent.hpp"
#include "node/agent_limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What a worker process submits is for the program that it works for. 0: nobody's any more.
std::uint32_t agent::program_behind(std::uint32_t session) const {
  auto at = members_.find(session);
  if (at == members_.end()) return 0;
  return at->second.pool == 0 ? session : at->second.serves;
}

/// Where several programs call one actor, what its calls submit in turn may be shown to another of
/// them.
void agent::note_call_given(std::uint32_t to, const wire::call& what) {
  auto at = members_.find(to);
  if (at != members_.end() && at->second.pool != 0)
    at->second.serves = program_behind(what.task.session);
}

void agent::said(std::uint32_t from, member& m, wire::done&& message) {
  // Only of a call that it was given: no process chooses whose timeline it writes to.
  const cluster::session* s = state_.find_session(from);
  if (s != nullptr && (s->running.contains(message.task) || s->serving.contains(message.task)))
    m.serves = program_behind(message.task.session);
  pass_on(m, std::exchange(message.ran, {}));
  step(cluster::session_said{.session = from, .what = std::move(message)});
}

void agent::pass_on(const member& from, std::vector<wire::trace> ran) {
  auto to = members_.find(from.serves);
  if (from.pool == 0 || to == members_.end() || to->second.link == nullptr) return;
  member& program = to->second;
  for (wire::trace& each : ran) {
    if (each.runs.empty()) continue;
    each.process = from.peer.process;
    program.runs += each.runs.size();
    program.ran.push_back(std::move(each));
  }
  // Not with each: a message costs its reader more than what it says.
  if (program.runs == 0) return;
  if (program.runs >= runs_due || port_.now_ns() - program.told_ran_ns >= runs_wait_ns)
    tell_ran(to->first, program, 0);
}

void agent::tell_ran(std::uint32_t to, member& m, std::uint64_t ticket) {
  m.runs = 0;
  m.told_ran_ns = port_.now_ns();
  tell(to, wire::traced{.ticket = ticket, .ran = std::exchange(m.ran, {})});
}

void agent::said(std::uint32_t from, member& m, wire::collect&& message) {
  tell_ran(from, m, message.ticket);
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
