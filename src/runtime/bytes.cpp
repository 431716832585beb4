// SPDX-License-Identifier: Apache-2.0
// Where typed cells and bytes meet.

#include "beamlet/runtime/export.hpp"
#include "beamlet/runtime/registry.hpp"
#include "beamlet/sched/extra.hpp"
#include "runtime/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

void fill_context(const sched::cell& x, sched::codec_context& context) noexcept {
  context.home = x.home;
  context.outside = x.home->outside;
}

bool is_registered(const void* key) noexcept {
  const registration* r = find_registration(key);
  return r != nullptr && r->entry != nullptr;
}

void put_through_engine(sched::context& here, sched::cell& x) noexcept { here.home().outside->publish(x); }

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
