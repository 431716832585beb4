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
  context.outside = x.home->outside.load(std::memory_order_acquire);
}

bool is_registered(const void* key) noexcept {
  const registration* r = find_registration(key);
  return r != nullptr && r->entry != nullptr;
}

void write_object(writer& out, const result<placed_value>& value) {
  if (!value.has_value()) return out.fail(value.error());
  out.bytes(value->payload.bytes());
  out.bytes(value->trailer_bytes());
}

void put_through_engine(sched::context& here, sched::cell& x) noexcept {
  if (x.state.load(std::memory_order_relaxed) == sched::cell::value)
    x.state.store(here.home().outside.load(std::memory_order_relaxed)->keep(x),
                  std::memory_order_release);
}

}  // namespace detail

namespace sched {

namespace {

/// Stands in a queue for a listener that has to wait.
struct late_listener : cell {
  listener* told = nullptr;
  cell* sealed_cell = nullptr;  // counted
};

constexpr cell_ops late_listener_ops{.enter =
                                         [](context&, cell& self) {
                                           auto& me = static_cast<late_listener&>(self);
                                           me.told->fire(*me.told, *me.sealed_cell);
                                           self.release();
                                         },
                                     .destroy =
                                         [](cell& self) {
                                           auto& me = static_cast<late_listener&>(self);
                                           me.sealed_cell->release();
                                           delete &me;
                                         }};

}  // namespace

bool fires_later(listener& l, cell& x) noexcept {
  if (x.state.load(std::memory_order_acquire) != cell::bytes || !is_live(x.home)) return false;
  engine* out = x.home->outside.load(std::memory_order_acquire);
  if (out == nullptr || out->may_wait_here()) return false;
  auto* late = new (std::nothrow) late_listener;
  if (late == nullptr) return false;
  late->ops = &late_listener_ops;
  late->home = x.home;
  late->told = &l;
  late->sealed_cell = &x;
  x.add_reference();
  x.home->push_by_options(*find_context(*x.home), *late, nullptr);
  return true;
}

void open_bytes(cell& x) noexcept {
  cell_extra& extra = *x.extra.load(std::memory_order_acquire);
  std::lock_guard hold(extra.open_lock);
  if (x.state.load(std::memory_order_acquire) != cell::bytes) return;
  codec_context context;
  if (is_live(x.home)) detail::fill_context(x, context);
  const bool elsewhere = extra.held.drop == nullptr;  // the bytes here may be none at all
  if (elsewhere && extra.away.load(std::memory_order_relaxed) != nullptr) {
    auto fetched = context.outside != nullptr
                       ? context.outside->fetch(x)
                       : result<held_bytes>(error(errc::stopped, error_layer::runtime));
    if (!fetched.has_value()) {
      x.set_failure(std::move(fetched).error());
      return x.state.store(cell::failed, std::memory_order_release);
    }
    extra.held = *fetched;
  }
  context.held = &extra.held;
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
