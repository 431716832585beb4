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

namespace sched {

void open_bytes(cell& x) noexcept {
  cell_extra& extra = *x.extra.load(std::memory_order_acquire);
  std::lock_guard hold(extra.open_lock);
  if (x.state.load(std::memory_order_acquire) != cell::bytes) return;
  codec_context context;
  detail::fill_context(x, context);
  reader in(std::span(extra.held.data, extra.held.size), &context);
  if (x.ops->decode != nullptr && x.ops->decode(x, &in)) {
    x.state.store(cell::value, std::memory_order_release);
  } else {
    x.set_failure(error(errc::malformed, error_layer::runtime,
                        {"the object's bytes are not those of its type", "", function_name(x), ""}));
    x.state.store(cell::failed, std::memory_order_release);
  }
  if (extra.held.drop != nullptr) extra.held.drop(extra.held.keeper);
  extra.held = {};
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
