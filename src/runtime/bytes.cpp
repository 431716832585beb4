// SPDX-License-Identifier: Apache-2.0
// Where typed cells and bytes meet.

#include "beamlet/runtime/export.hpp"
#include "beamlet/runtime/registry.hpp"
#include "beamlet/sched/extra.hpp"
#include "runtime/core.hpp"
#include "sched/internal.hpp"

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

void put_through_engine(sched::context& here, sched::cell& x) noexcept {
  if (x.state.load(std::memory_order_relaxed) == sched::cell::value)
    x.state.store(here.home().outside->keep(x), std::memory_order_release);
}

}  // namespace detail

namespace sched {

void open_bytes(cell& x) noexcept {
  cell_extra& extra = *x.extra.load(std::memory_order_acquire);
  std::lock_guard hold(extra.open_lock);
  if (x.state.load(std::memory_order_acquire) != cell::bytes) return;
  codec_context context;
  if (is_live(x.home)) detail::fill_context(x, context);
  reader in(std::span(extra.held.data, extra.held.size), &context);
  bool decoded = x.ops->decode != nullptr && x.ops->decode(x, &in);
  if (!decoded) {
    errc code = in.ok() ? errc::malformed : in.failure().code();
    x.set_failure(error(code, error_layer::runtime,
                        {"the object's bytes cannot be decoded as its type", "", "",
                         in.ok() ? std::string() : in.failure().describe()}));
  }
  x.state.store(decoded ? cell::value : cell::failed, std::memory_order_release);
  if (extra.held.drop != nullptr) extra.held.drop(extra.held.keeper);
  extra.held = {};
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
