// SPDX-License-Identifier: Apache-2.0
#include "loopback_engine.hpp"

#include <beamlet/sched/cancel.hpp>
#include <beamlet/sched/core.hpp>

#include <memory>
#include <utility>

namespace runtime_test {

using sched::cell;

namespace {

/// Encoded values hold what the ids inside them name.
struct parcel {
  std::vector<std::byte> bytes;
  std::vector<cell*> contained;
  ~parcel() {
    for (cell* x : contained) x->release();
  }
};

sched::held_bytes held(std::unique_ptr<parcel> p) {
  parcel* kept = p.release();
  return {kept->bytes.data(), kept->bytes.size(), [](void* k) { delete static_cast<parcel*>(k); },
          kept};
}

error through_bytes(const error& e) {
  auto bytes = encode_to(e);
  if (!bytes.has_value()) return bytes.error();
  auto again = decode_from<error>(*bytes);
  return again.has_value() ? *again : again.error();
}

/// The options of a call go with it; what it was admitted with is the copy's now.
void carry_options(cell& from, cell& to) {
  sched::cell_extra* options = from.extra.load(std::memory_order_acquire);
  if (options == nullptr) return;
  sched::cell_extra& copied = *sched::extra_of(to);
  copied.name = options->name;
  copied.needs = options->needs;
  copied.holds_needs = std::exchange(options->holds_needs, false);
  copied.urgency = options->urgency;
  copied.blocking = options->blocking;
  copied.deadline_ns = options->deadline_ns;
  copied.attempt = options->attempt;
  copied.group = options->group;
}

}  // namespace

struct loopback_engine::record {
  loopback_engine* owner;
  object_id id;
  cell* object;  // not counted: the record goes with it
};

/// A call that runs as another cell.
struct loopback_engine::flight : sched::listener, sched::waiter {
  loopback_engine* engine;
  cell* original;
  cell* copy;  // counted
};

/// A pending object whose ref has come in.
struct loopback_engine::arrival : sched::listener, sched::waiter {
  loopback_engine* engine;
  cell* to;  // counted
};

// -- objects

object_id loopback_engine::publish(cell& x) {
  sched::cell_extra* extra = sched::extra_of(x);
  if (extra == nullptr) return {};
  std::lock_guard hold(lock_);
  if (auto* known = reinterpret_cast<record*>(extra->away.load(std::memory_order_relaxed)))
    return known->id;
  auto* fresh = new record{
      this, object_id{.node = 1, .boot = 1, .session = 1, .sequence = ++sequence_, .guard = 1}, &x};
  records_.emplace(fresh->id, fresh);
  extra->forget_outside = [](sched::outside* o) { reinterpret_cast<record*>(o)->owner->forget(o); };
  extra->away.store(reinterpret_cast<sched::outside*>(fresh), std::memory_order_release);
  ++count.published;
  return fresh->id;
}

void loopback_engine::forget(sched::outside* o) {
  auto* gone = reinterpret_cast<record*>(o);
  std::lock_guard hold(lock_);
  records_.erase(gone->id);
  delete gone;
}

cell* loopback_engine::find_counted(const object_id& id) {
  std::lock_guard hold(lock_);
  auto at = records_.find(id);
  if (at == records_.end()) return nullptr;
  cell& x = *at->second->object;
  std::uint32_t seen = x.references.load(std::memory_order_relaxed);
  while (seen != 0)
    if (x.references.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return &x;
  return nullptr;  // it is being destroyed
}

result<sched::held_bytes> loopback_engine::encode(const cell& x) {
  if (x.ops->encode == nullptr) return error(errc::unsupported);
  sched::codec_context context{x.home, this, {}, {}};
  auto p = std::make_unique<parcel>();
  writer out(p->bytes, &context);
  if (!x.ops->encode(x, &out)) return out.ok() ? error(errc::unsupported) : out.failure();
  for (const object_id& id : context.contained)
    if (cell* object = find_counted(id)) p->contained.push_back(object);
  return held(std::move(p));
}

std::uintptr_t loopback_engine::keep(cell& x) {
  sched::cell_extra* extra = sched::extra_of(x);
  if (extra == nullptr || x.ops->drop_value == nullptr) return cell::value;
  auto bytes = encode(x);
  if (!bytes.has_value()) return cell::value;
  x.ops->drop_value(x);
  extra->held = *bytes;
  ++count.kept;
  return cell::bytes;
}

cell* loopback_engine::adopt(sched::scheduler& home, const object_id& id, sched::cell_maker make) {
  cell* object = find_counted(id);
  if (object == nullptr) return nullptr;
  cell* fresh = make(home);
  auto* extra = fresh != nullptr ? sched::extra_of(*fresh) : nullptr;
  if (extra == nullptr) {
    object->release();
    if (fresh != nullptr) fresh->release();
    return nullptr;
  }
  ++count.adopted;
  extra->producer.store(object, std::memory_order_release);  // a get helps along what will seal it
  auto* a = new arrival;
  a->engine = this;
  a->to = fresh;
  fresh->add_reference();
  a->fire = [](sched::listener& self, cell& sealed) noexcept {
    auto& me = static_cast<arrival&>(self);
    me.engine->transfer(sealed, *me.to);
    me.to->release();
    delete &me;
  };
  a->target = sched::waiter::to_listener(*a);
  {
    std::lock_guard hold(lock_);
    away_[fresh] = object;
  }
  if (!sched::add_waiter(*object, *a)) a->fire(*a, *object);
  return fresh;
}

void loopback_engine::transfer(cell& from, cell& to) {
  {
    std::lock_guard hold(lock_);
    away_.erase(&to);
  }
  if (const error* e = sched::error_of(from)) return sched::seal_failed(to, through_bytes(*e));
  auto bytes = encode(from);
  if (!bytes.has_value()) return sched::seal_failed(to, bytes.error());
  to.extra.load(std::memory_order_acquire)->held = *bytes;
  sched::seal(to, cell::bytes);
}

// -- calls

void loopback_engine::submit(cell& x, sched::exported_call call) {
  ++count.left;
  sched::context& here = *sched::context_in(*x.home);
  auto found =
      detail::find_registered(detail::wire_name(*detail::find_registration(call.function)));
  if (!found.has_value()) return sched::come_back(x, found.error());
  const detail::remote_entry& entry = *(*found)->entry;
  sched::codec_context context{x.home, this, {}, {}};
  auto made = entry.make(here, call, context);
  if (!made.has_value()) return sched::come_back(x, made.error());
  cell& copy = **made;
  copy.submitter = x.submitter;
  copy.generation = x.generation;
  carry_options(x, copy);
  auto* f = new flight;
  f->engine = this;
  f->original = &x;
  f->copy = &copy;
  f->fire = [](sched::listener& self, cell&) noexcept {
    auto& me = static_cast<flight&>(self);
    me.engine->land(me);
  };
  f->target = sched::waiter::to_listener(*f);
  sched::add_waiter(copy, *f);
  copy.add_reference();
  cell* before = sched::extra_of(x)->producer.exchange(&copy, std::memory_order_acq_rel);
  if (before != nullptr)
    sched::extra_of(copy)->producer.store(before);  // an earlier attempt; others may look at it
  x.add_reference();
  {
    std::lock_guard hold(lock_);
    away_[&x] = &copy;
  }
  entry.submit(here, copy);
  if (x.unmet.load(std::memory_order_acquire) & cell::cancelled) cancel(x, false, false);
  x.release();
}

void loopback_engine::land(flight& f) {
  cell& x = *f.original;
  cell& copy = *f.copy;
  {
    std::lock_guard hold(lock_);
    away_.erase(&x);
  }
  ++count.came_back;
  std::uintptr_t state = copy.state.load(std::memory_order_acquire);
  if (state == cell::failed) {
    ++count.failed;
    sched::come_back(x, through_bytes(copy.failure()));
  } else if (state == cell::bytes) {
    sched::held_bytes bytes = std::exchange(copy.extra.load(std::memory_order_acquire)->held, {});
    copy.state.store(cell::elsewhere, std::memory_order_release);
    sched::come_back(x, bytes);
  } else {
    auto bytes = encode(copy);
    copy.ops->drop_value(
        copy);  // nobody reads the copy itself, and its refs must not live on in it
    copy.state.store(cell::elsewhere, std::memory_order_release);
    if (bytes.has_value()) sched::come_back(x, *bytes);
    else sched::come_back(x, bytes.error());
  }
  copy.release();
  delete &f;
}

void loopback_engine::cancel(cell& x, bool, bool recursive) {
  cell* runs = nullptr;
  {
    std::lock_guard hold(lock_);
    auto at = away_.find(&x);
    if (at == away_.end()) return;
    runs = at->second;
    runs->add_reference();
  }
  ++count.cancelled;
  sched::cancel(*sched::context_in(*runs->home), *runs, recursive);
  runs->release();
}

std::size_t loopback_engine::records() {
  std::lock_guard hold(lock_);
  return records_.size();
}

std::size_t loopback_engine::calls_away() {
  std::lock_guard hold(lock_);
  return away_.size();
}

loopback_engine& common_loopback_engine() {
  static auto* only = new loopback_engine;
  return *only;
}

}  // namespace runtime_test
