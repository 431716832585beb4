// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counters are written by one thread each and added up by readers.

#include "beamlet/sched/core.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

void add_counters(counters& to, const counters& from) noexcept;

/// Calls `visit` for every context of the scheduler; none ends meanwhile. The caller holds no lock
/// of contexts.
template <class F>
void for_each_context(scheduler& s, F&& visit) {
  for (auto& w : s.workers) visit(w->here);
  visit(s.loop_context);
  std::lock_guard hold(s.contexts_lock);
  for (context* c : s.foreign) visit(*c);
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
