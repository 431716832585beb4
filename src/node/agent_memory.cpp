// SPDX-License-Identifier: Apache-2.0
// The out-of-memory watch: before the system ends some process of the box, the agent ends the one
// whose end costs least. Nobody is woken for it while no worker process has a call.
#include <string>
#include <utility>

#include "node/agent.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {
std::string as_mib(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }
}  // namespace

void agent::begin_watch(std::uint32_t session) {
  if (watch_ns_ != base::never_ns || options_.memory_usage_threshold >= 1) return;
  auto at = members_.find(session);
  if (at == members_.end() || at->second.pool == 0) return;
  watch_ns_ = port_.now_ns() + options_.memory_watch_ns;
}

void agent::watch_memory() {
  watch_ns_ = base::never_ns;
  if (!state_.workers_run()) return;  // who begins next begins the watch
  watch_ns_ = port_.now_ns() + options_.memory_watch_ns;
  // Its memory comes back when it is really gone: only then it is known whether that is enough.
  auto last = members_.find(memory_victim_);
  if (last != members_.end() && !last->second.process_gone) return;
  const ports::memory_use now = world_.memory();
  if (now.limit == 0 && !std::exchange(memory_unknown_, true))
    logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                  "this system does not say how much memory is in use: there is no watch over it");
  if (static_cast<double>(now.used) <=
      static_cast<double>(now.limit) * options_.memory_usage_threshold)
    return;
  memory_ = now;
  step(cluster::memory_short{});
}

std::string agent::out_of_memory(std::uint32_t session) const {
  const auto percent = static_cast<int>(options_.memory_usage_threshold * 100);
  std::string why = memory_.of_container ? "the container" : "the box";
  why += " was out of memory: " + as_mib(memory_.used) + " of " + as_mib(memory_.limit) +
         " were in use, more than " + std::to_string(percent) +
         " % (memory_usage_threshold); this worker process, which had " +
         as_mib(world_.memory_of(session)) +
         " of its own, was ended, as the least would be lost with it: run fewer such calls at a "
         "time (num_cpus, memory, "
         "worker_processes_max), or let it be tried again (max_retries, max_restarts)";
  if (logger_.enabled(log_level::warning))
    logger_.write(log_level::warning, error_layer::node, port_.now_ns(),
                  "session " + std::to_string(session) + " is ended: " + why);
  return why;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
