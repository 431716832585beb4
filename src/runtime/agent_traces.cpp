// SPDX-License-Identifier: Apache-2.0
// What runs in worker processes, in the timeline and the counts of the program that asked for it.

#include <algorithm>
#include <cstddef>
#include <unordered_map>
#include <utility>

#include "runtime/agent_engine.hpp"
#include "sched/scheduler.hpp"
#include "sched/timeline.hpp"
#include "wire/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
constexpr base::time_ns collect_wait_ns = 1'000'000'000;
}  // namespace

/// Of a worker process: what was timed in it since the last time, the newest; else nothing.
std::vector<wire::trace> agent_engine::ran_here() {
  if (!home_->options.traces_on_demand) return {};
  std::vector<sched::taken_run> runs;
  {
    std::lock_guard hold(taking_runs_);
    runs = sched::take_runs(*home_);
  }
  if (runs.empty()) return {};
  const std::size_t first = runs.size() - std::min(runs.size(), wire::limits::trace_runs_max);
  wire::trace made;
  std::unordered_map<std::uint32_t, std::uint32_t> known;
  std::lock_guard hold(home_->functions_lock);
  for (std::size_t i = first; i < runs.size(); ++i) {
    const sched::timeline_record& r = runs[i].what;
    auto [at, fresh] = known.try_emplace(r.function, static_cast<std::uint32_t>(known.size()));
    if (fresh) {
      const bool is_named = r.function < home_->function_names.size();
      const std::string& name = home_->function_names[is_named ? r.function : 0];
      made.names.push_back(name.substr(0, wire::limits::status_name_bytes_max));
    }
    made.runs.push_back({r.start_ns, r.duration_ns, at->second, runs[i].thread});
  }
  return {std::move(made)};
}

void agent_engine::on_ran(const std::vector<wire::trace>& ran) {
  sched::context* here = sched::find_context(*home_);
  if (here == nullptr) return;
  for (const wire::trace& each : ran)
    for (const wire::run& r : each.runs)
      sched::note_run(*here, each.process, r.thread, r.start_ns, r.duration_ns,
                      each.names[r.function]);
}

void agent_engine::note_end(const flight& f, bool failed) {
  if (sched::context* here = sched::find_context(*home_))
    sched::note_call_away(*here, *f.of, f.since_ns, failed);
}

void agent_engine::collect_runs() {
  if (may_wait_here()) (void)session_->collect(collect_wait_ns);  // else: what has come by itself
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
