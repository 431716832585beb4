// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/engine.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

bool leave_through_engine(context& here, cell& x) noexcept {
  scheduler& home = here.home();
  std::uint32_t flags = x.unmet.load(std::memory_order_acquire);
  if (home.outside == nullptr || x.ops->export_call == nullptr || (flags & cell::local)) return false;
  if (home.now.load(std::memory_order_relaxed) >= phase::cancelling) return false;
  flags = claim(x);
  if (flags & cell::claimed) {  // a get was faster
    x.release();
    return true;
  }
  exported_call call;
  if ((flags & cell::cancelled) || !x.ops->export_call(x, call)) {
    // Nobody else can have seen the claim as final: walks do not claim while there is an engine.
    x.unmet.fetch_and(~cell::claimed, std::memory_order_acq_rel);
    x.unmet.fetch_or(cell::local, std::memory_order_acq_rel);
    return false;
  }
  home.outside->submit(x, std::move(call));
  return true;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
