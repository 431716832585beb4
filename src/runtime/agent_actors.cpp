// SPDX-License-Identifier: Apache-2.0
// Actors in worker processes: those of other processes that are called from here, and those that
// live here. The agent says where each lives, makes it again, and puts everybody's calls in order.

#include <algorithm>
#include <tuple>
#include <utility>

#include "beamlet/runtime/actor.hpp"
#include "beamlet/sched/cancel.hpp"
#include "runtime/agent_engine.hpp"
#include "runtime/core.hpp"
#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
/// The agent hands over a few calls at a time only; none is refused here.
constexpr std::uint32_t hosted_mailbox = sched::mailbox_capacity_max;

error actor_error(errc code, std::string sentence) {
  return error(code, error_layer::runtime, {std::move(sentence), "", "", ""});
}
}  // namespace

result<object_id> publish_handle(writer& out, sched::actor_core& a) {
  auto* context = static_cast<sched::codec_context*>(out.context());
  if (context == nullptr || context->outside == nullptr)
    return actor_error(errc::unsupported,
                       "an actor's handle can be encoded only as part of a call or a result");
  BEAMLET_TRY(auto id, context->outside->publish_actor(a));
  context->contained.push_back(id);
  return id;
}

result<sched::actor_core*> adopt_handle(reader& in, const object_id& id,
                                        const sched::actor_type& type) {
  auto* context = static_cast<sched::codec_context*>(in.context());
  if (context == nullptr || context->outside == nullptr)
    return actor_error(errc::stopped,
                       "an actor's handle can be decoded only while its runtime runs");
  BEAMLET_TRY(auto* core, context->outside->adopt_actor(*context->home, id, type));
  if (core->type == &type) return core;
  sched::drop_handle(*core);
  return actor_error(errc::invalid_argument, "the handle is of another type of actor");
}

// -- of other processes

/// REQUIRES: the lock.
void agent_engine::know(sched::actor_core& a, const object_id& id) {
  actors_.emplace(&a, known_actor{.id = id, .caller = ++callers_});
  actor_cores_.emplace(id, &a);
}

bool agent_engine::forget_actor(sched::actor_core& a, object_id& id) {
  std::lock_guard hold(lock_);
  auto known = actors_.extract(&a);
  if (known.empty()) return false;
  id = known.mapped().id;
  auto [at, end] = actor_cores_.equal_range(id);
  while (at != end && at->second != &a) ++at;
  if (at != end) actor_cores_.erase(at);  // else memory ran out before it was noted
  return true;
}

/// Fills in to whom the call goes. A constructor's makes the actor known.
result<void> agent_engine::address(sched::cell& x, sched::actor_core& a, wire::call& call) {
  sched::isolated_options* makes = x.extra.load(std::memory_order_acquire)->isolated.get();
  std::lock_guard hold(lock_);
  if (no_more_.code() != errc::ok) return no_more_;
  if (makes == nullptr) {
    auto at = actors_.find(&a);
    if (at == actors_.end()) return actor_error(errc::actor_died, "the actor has ended");
    const known_actor& known = at->second;
    call.kind = wire::call_kind::actor_call;
    call.actor = known.id;
    call.caller = known.caller;
    call.sequence = known.sequence;
    return {};
  }
  call.kind = wire::call_kind::create_actor;
  auto named = actors_.find(&a);
  call.actor = named != actors_.end() ? named->second.id : session_->mint();
  call.options.restarts = makes->restarts;
  call.options.retries = makes->call_retries;
  call.options.detached = makes->detached;
  call.options.concurrency = makes->concurrency;
  if (named == actors_.end()) know(a, call.actor);
  return {};
}

/// One that was not sent leaves no gap in the order, and an actor that was not asked for no id.
void agent_engine::addressed(sched::actor_core& a, wire::call_kind kind, bool sent) {
  if (kind == wire::call_kind::create_actor) return made(a, sent);
  std::lock_guard hold(lock_);
  if (auto at = actors_.find(&a); sent && at != actors_.end()) ++at->second.sequence;
}

/// The creation counts the id once more than its name has done.
void agent_engine::made(sched::actor_core& a, bool sent) {
  object_id id;
  bool was_named = false;
  {
    std::lock_guard hold(lock_);
    auto at = actors_.find(&a);
    if (at == actors_.end()) return;
    id = at->second.id;
    was_named = !std::exchange(at->second.is_made, true);
  }
  if (!sent) forget_actor(a, id);
  if (was_named) session_->let_go(id);
}

result<void> agent_engine::name_actor(sched::actor_core& a, std::string_view space,
                                      std::string_view name) {
  BEAMLET_TRY(auto id, ask_name(space, name, session_->mint(), true));
  std::lock_guard hold(lock_);
  know(a, id);
  actors_.at(&a).is_made = false;
  return {};
}

result<sched::actor_core*> agent_engine::find_actor(sched::scheduler& home, std::string_view space,
                                                    std::string_view name,
                                                    const sched::actor_type& type) {
  auto id = ask_name(space, name, {}, false);
  if (!id.has_value() && id.error().code() == errc::not_found) return nullptr;
  if (!id.has_value()) return std::move(id).error();
  auto found = adopt_actor(home, *id, type);
  session_->let_go(*id);
  return found;
}

result<object_id> agent_engine::ask_name(std::string_view space, std::string_view name,
                                         const object_id& actor, bool create) {
  constexpr base::time_ns name_wait_ns = 60'000'000'000;
  if (!may_wait_here())
    return actor_error(
        errc::would_deadlock,
        "who tells of an end cannot wait for the agent: names are asked for in tasks");
  auto asked = call_guarded([&] {
    return session_->ask_name(std::string(space), std::string(name), actor, create, name_wait_ns);
  });
  if (asked.has_value() || asked.error().code() != errc::already_exists) return asked;
  return actor_error(errc::already_exists, "another program of the box has an actor named '" +
                                               std::string(name) +
                                               "' (get_if_exists takes that one)");
}

result<object_id> agent_engine::publish_actor(sched::actor_core& a) {
  if (!a.away)
    return actor_error(errc::unsupported,
                       "the actor lives in this process, where others cannot call it: make it with "
                       "isolation = process");
  std::lock_guard hold(lock_);
  if (auto at = actors_.find(&a); at != actors_.end()) return at->second.id;
  return actor_error(errc::actor_died, "the actor has ended, or is of another runtime");
}

result<sched::actor_core*> agent_engine::adopt_actor(sched::scheduler& home, const object_id& id,
                                                     const sched::actor_type& type) {
  std::lock_guard hold(lock_);
  if (no_more_.code() != errc::ok) return no_more_;
  auto [at, end] = actor_cores_.equal_range(id);
  for (; at != end; ++at)
    if (sched::try_add_handle(*at->second)) return at->second;
  sched::actor_core* a = type.make(&home);
  if (a == nullptr) return error(errc::no_memory, error_layer::runtime);
  sched::actor_options options;
  options.away = true;
  auto opened = sched::open_actor(*sched::find_context(home), *a, options);
  if (!opened.has_value()) {
    make_orphan(*a, opened.error());
    sched::drop_handle(*a);
    return std::move(opened).error();
  }
  a->stage.store(sched::actor_core::life::alive, std::memory_order_release);
  session_->retain(id);
  know(*a, id);
  return a;
}

void agent_engine::leave_actor(sched::actor_core& a, bool kill) {
  object_id id;
  if (!kill) {
    if (!forget_actor(a, id)) return;
    session_->let_go(id);
    return session_->flush();  // its process may wait for nothing else
  }
  {
    std::lock_guard hold(lock_);
    auto at = actors_.find(&a);
    if (at == actors_.end() || !at->second.is_made) return;
    id = at->second.id;
  }
  session_->end_actor(id, true);
}

/// Null: all of them.
void agent_engine::actors_lost(const object_id& actor, const error& why) {
  std::vector<sched::actor_core*> lost;
  {
    std::lock_guard hold(lock_);
    auto [at, end] = actor_cores_.equal_range(actor);
    if (actor.is_null()) std::tie(at, end) = std::pair(actor_cores_.begin(), actor_cores_.end());
    for (; at != end; ++at) {
      at->second->add_reference();
      lost.push_back(at->second);
    }
  }
  for (sched::actor_core* a : lost) {
    sched::kill_actor(*sched::find_context(*home_), *a, why);
    a->release();
  }
}

// -- of this process

/// The cell for a call that came. What it names and what it is must agree, and it may reach only
/// actors that live here.
result<sched::cell*> agent_engine::make_for(const registration& found, const wire::call& what,
                                            const sched::exported_call& call,
                                            sched::codec_context& context) {
  using target = remote_entry::target;
  const remote_entry& entry = *found.entry;
  sched::context& here = *sched::find_context(*home_);
  const target wanted = what.kind == wire::call_kind::create_actor ? target::constructor
                        : what.kind == wire::call_kind::actor_call ? target::method
                                                                   : target::function;
  if (entry.what != wanted)
    return actor_error(errc::invalid_argument, "a function of another kind than the call");
  if (wanted == target::function) return entry.make(here, call, context);
  if (wanted == target::method) {
    sched::exported_call addressed = call;
    addressed.caller = what.task.session;
    {
      std::lock_guard hold(lock_);
      auto at = hosted_.find(what.actor);
      if (at == hosted_.end())
        return actor_error(errc::actor_died, "the actor does not live in this process");
      addressed.actor = at->second;
    }
    BEAMLET_TRY(auto* x, entry.make(here, addressed, context));
    // Beside others it needs a thread of its own: this process has just one for all calls.
    if (addressed.actor->concurrency > 1)
      if (sched::cell_extra* extra = sched::extra_of(*x)) extra->blocking = true;
    return x;
  }
  {
    std::lock_guard hold(lock_);
    if (no_more_.code() != errc::ok) return no_more_;
    if (hosted_.contains(what.actor))
      return actor_error(errc::invalid_argument, "the actor lives here already");
  }
  BEAMLET_TRY(auto* x, entry.make(here, call, context));
  sched::actor_core& a = *x->ops->link(*x).actor;
  sched::actor_options options;
  options.capacity = hosted_mailbox;
  options.policy = mailbox_policy::reject;
  options.concurrency = std::clamp(what.options.concurrency, 1u, sched::actor_concurrency_max);
  a.restarted = what.attempt > 0;
  auto opened = sched::open_actor(here, a, options);
  if (opened.has_value()) {
    std::lock_guard hold(lock_);
    hosted_.emplace(what.actor, &a);  // the end of the process may be faster: then it goes with it
    return x;
  }
  x->release();
  x->release();
  make_orphan(a, opened.error());
  sched::drop_handle(a);
  return std::move(opened).error();
}

/// A call of an actor that lives here has ended, but nobody knows yet.
void agent_engine::after_call(wire::call_kind kind, const object_id& actor, bool failed) {
  if (kind == wire::call_kind::create_actor && failed) return drop_hosted(actor);
  if (kind != wire::call_kind::actor_call) return;
  {
    std::lock_guard hold(lock_);
    auto at = hosted_.find(actor);
    if (at == hosted_.end() ||
        at->second->stage.load(std::memory_order_acquire) < sched::actor_core::life::dying)
      return;
  }
  session_->end_actor(actor, false);  // this_actor::exit()
}

void agent_engine::drop_hosted(const object_id& actor) {
  sched::actor_core* a = nullptr;
  {
    std::lock_guard hold(lock_);
    if (auto mine = hosted_.extract(actor); !mine.empty()) a = mine.mapped();
  }
  if (a != nullptr) sched::drop_handle(*a);
}

void agent_engine::on_actor_ended(const object_id& actor, const error& why) {
  drop_hosted(actor);
  actors_lost(actor, why);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
