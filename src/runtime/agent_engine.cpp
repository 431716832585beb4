// SPDX-License-Identifier: Apache-2.0
// Objects: how cells get ids, and how their values come and go. Calls are in agent_calls.cpp.

#include "runtime/agent_engine.hpp"

#include <algorithm>
#include <utility>

#include "beamlet/base/codec.hpp"
#include "ports/threads.hpp"
#include "runtime/core.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"
#include "sched/wait.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
// How long a reader waits for bytes that are elsewhere.
constexpr base::time_ns before_lending_ns = 1'000'000;  // most are here sooner
constexpr base::time_ns fetch_wait_ns = 600'000'000'000;

/// The session closes because the runtime stops.
error unless_closed(const error& why) {
  return why.code() == errc::closed ? error(errc::stopped, error_layer::runtime) : why;
}
}  // namespace

/// A pending object that has an id already: its value is told when it is there.
struct agent_engine::publication : sched::listener, sched::waiter {
  std::shared_ptr<agent_engine> engine;  // the cell may be of a runtime that ends later
  object_id id;
};

struct agent_engine::unread_cells {
  std::mutex lock;  // before the cells' own
  std::unordered_map<const record*, sched::cell*> all;
};

agent_engine::agent_engine()
    : session_(std::make_shared<node::session>(*this)),
      memory_(session_),
      unread_(std::make_shared<unread_cells>()) {}
agent_engine::~agent_engine() = default;

/// This engine's; null: the cell has no id at this agent.
agent_engine::record* agent_engine::record_of(const sched::cell_extra& extra) const noexcept {
  auto* r = reinterpret_cast<record*>(extra.away.load(std::memory_order_acquire));
  while (r != nullptr && r->session != session_) r = r->next;
  return r;
}

/// REQUIRES: the lock. Another engine may add its own at the same time.
void agent_engine::add_record(sched::cell_extra& extra, record& fresh) noexcept {
  extra.forget_outside = forget_record;
  sched::outside* first = extra.away.load(std::memory_order_acquire);
  do {
    fresh.next = reinterpret_cast<record*>(first);
  } while (!extra.away.compare_exchange_weak(first, opaque(&fresh), std::memory_order_acq_rel));
}

object_id agent_engine::publish(sched::cell& x) {
  sched::cell_extra* extra = sched::extra_of(x);
  if (extra == nullptr) return {};
  record* fresh = nullptr;
  {
    std::lock_guard hold(lock_);
    if (record* known = record_of(*extra)) return known->id;
    fresh = new (std::nothrow) record{session_, session_->mint()};
    if (fresh == nullptr) return {};
    add_record(*extra, *fresh);
    session_->publish(fresh->id);  // before anybody can name it
  }
  object_id id = fresh->id;
  if (x.sealed()) tell_value(x, id);
  else wait_and_tell(x, id);
  return id;
}

void agent_engine::wait_and_tell(sched::cell& x, const object_id& id) {
  auto* p = new (std::nothrow) publication;
  if (p == nullptr)
    return session_->fulfil(id, {.why = error(errc::no_memory, error_layer::runtime)});
  p->engine = shared_from_this();
  p->id = id;
  p->fire = [](sched::listener& self, sched::cell& sealed) noexcept {
    if (sched::fires_later(self, sealed)) return;
    std::unique_ptr<publication> me(&static_cast<publication&>(self));
    me->engine->tell_value(sealed, me->id);
  };
  p->target = sched::waiter::to_listener(*p);
  if (!sched::add_waiter(x, *p)) p->fire(*p, x);
}

void agent_engine::tell_value(sched::cell& x, const object_id& id) {
  {
    std::lock_guard hold(lock_);
    if (record_of(*x.extra.load(std::memory_order_acquire))->submitted) return;
  }
  node::made value;
  if (!sched::try_allocate([&] { value = value_of(x); }))
    value = {.why = error(errc::no_memory, error_layer::runtime)};
  session_->fulfil(id, std::move(value));
}

/// What a sealed cell holds, for the agent. Large values are copied into the store, unless they
/// were built there.
node::made agent_engine::value_of(sched::cell& x) {
  if (const error* why = sched::error_of(x)) return {.why = *why};
  if (x.ops->place != nullptr) {
    result<placed_value> there = error(errc::unknown, error_layer::runtime);
    x.ops->place(x, &there);
    if (!there.has_value()) return {.why = std::move(there).error()};
    return memory_.object_of(*there);
  }
  sched::codec_context context{home_, this, {}, {}};
  std::vector<std::byte> bytes;
  writer out(bytes, &context);
  if (x.ops->encode == nullptr || !x.ops->encode(x, &out))
    return {.why = out.ok() ? error(errc::unsupported, error_layer::runtime,
                                    {"a value without a codec cannot leave its process", "",
                                     sched::function_name(x), ""})
                            : out.failure()};
  return placed(std::move(bytes), std::move(context.contained));
}

node::made agent_engine::placed(std::vector<std::byte> bytes, std::vector<object_id> contained) {
  node::made value;
  if (bytes.size() <= session_->inline_max()) value.inline_bytes = std::move(bytes);
  else value = memory_.copy_of(bytes, {});
  value.contained = std::move(contained);
  return value;
}

sched::cell* agent_engine::adopt(sched::scheduler& home, const object_id& id,
                                 sched::cell_maker make) {
  sched::cell* fresh = make(home);
  sched::cell_extra* extra = fresh != nullptr ? sched::extra_of(*fresh) : nullptr;
  auto* r = extra != nullptr ? new (std::nothrow) record{session_, id} : nullptr;
  if (r == nullptr) {
    if (fresh != nullptr) fresh->release();
    return nullptr;
  }
  session_->retain(id);
  r->submitted = true;
  r->unread = unread_;
  add_record(*extra, *r);
  if (take_arrived(id, *fresh)) {
    note_unread(*fresh);
    return fresh;
  }
  std::uint64_t number = 0;
  bool noted = false;
  {
    std::lock_guard hold(lock_);
    noted = sched::try_allocate([&] { adopting_.emplace(number = ++adoptions_, fresh); });
  }
  if (!noted) {
    sched::seal_failed(*fresh, error(errc::no_memory, error_layer::runtime));
    return fresh;
  }
  fresh->add_reference();
  session_->require({&id, 1}, 0, base::never_ns,
                    [this, number](auto came) { adopted(number, std::move(came)); });
  return fresh;
}

/// An adopted cell's value is here, or is not to be had; cancel_all() may have been faster.
void agent_engine::adopted(std::uint64_t number, result<std::vector<node::arrived>> came) {
  sched::cell* x = nullptr;
  {
    std::lock_guard hold(lock_);
    if (auto mine = adopting_.extract(number); !mine.empty()) x = mine.mapped();
  }
  node::arrived* value = came.has_value() ? &came->front() : nullptr;
  if (x != nullptr && value != nullptr && value->why.code() == errc::ok) {
    x->extra.load(std::memory_order_acquire)->held = value->bytes;
    sched::seal(*x, sched::cell::bytes);
    note_unread(*x);
  } else {
    error why = value != nullptr ? value->why : unless_closed(came.error());
    if (value != nullptr) value->bytes.drop(value->bytes.keeper);
    if (x == nullptr) return;
    sched::seal_failed(*x, std::move(why));
  }
  x->release();
}

void agent_engine::note_unread(sched::cell& x) {
  record* r = record_of(*x.extra.load(std::memory_order_acquire));
  std::lock_guard hold(unread_->lock);
  if (r != nullptr && r->unread == unread_)  // without memory it stays pinned until it is read
    sched::try_allocate([&] { unread_->all.emplace(r, &x); });
}

/// What nobody has read yet is fetched again by who does.
void agent_engine::on_pressure(std::uint64_t bytes) {
  std::vector<sched::held_bytes> unpinned;
  {
    std::lock_guard hold(unread_->lock);
    unpinned.reserve(unread_->all.size());
    std::erase_if(unread_->all, [&](const auto& each) {
      if (bytes == 0) return false;
      sched::cell_extra& extra = *each.second->extra.load(std::memory_order_acquire);
      std::unique_lock open(extra.open_lock, std::try_to_lock);
      if (!open.owns_lock()) return false;  // somebody reads it now
      if (each.second->state.load(std::memory_order_acquire) == sched::cell::bytes &&
          extra.held.drop != nullptr) {
        bytes -= std::min<std::uint64_t>(bytes, extra.held.size);
        unpinned.push_back(std::exchange(extra.held, {}));
      }
      return true;
    });
  }
  for (const sched::held_bytes& each : unpinned) each.drop(each.keeper);
  auto& core = *static_cast<runtime_core*>(home_->facade);
  std::lock_guard hold(core.devices_lock);
  if (core.devices != nullptr) core.devices->on_pressure();
}

void agent_engine::forget(sched::outside* record) { forget_record(record); }

void agent_engine::forget_record(sched::outside* o) {
  if (o != nullptr && reinterpret_cast<record*>(o)->session->forked()) return;
  for (auto* next = reinterpret_cast<record*>(o); next != nullptr;) {
    std::unique_ptr<record> gone(std::exchange(next, next->next));
    if (gone->unread != nullptr) {
      std::lock_guard hold(gone->unread->lock);
      gone->unread->all.erase(gone.get());
    }
    gone->session->let_go(gone->id);
  }
}

result<sched::held_bytes> agent_engine::fetch(sched::cell& x) {
  record* r = record_of(*x.extra.load(std::memory_order_acquire));
  if (session_->forked()) return error(errc::forked, error_layer::runtime);
  if (r == nullptr) return error(errc::stopped, error_layer::runtime);  // another runtime's
  auto came = session_->fetch({&r->id, 1}, 0, before_lending_ns);
  if (!came.has_value() && came.error().code() == errc::timeout) {
    // It has to come from the disk, or to be made again: that may need this call's cpu.
    sched::lent_cpu lent(*sched::context_in(*home_));
    lent.before_sleep();
    came = session_->fetch({&r->id, 1}, 0, fetch_wait_ns);
  }
  if (!came.has_value()) return unless_closed(std::move(came).error());
  node::arrived& value = came->front();
  if (value.why.code() == errc::ok) return value.bytes;
  if (value.bytes.drop != nullptr) value.bytes.drop(value.bytes.keeper);
  return value.why;
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
