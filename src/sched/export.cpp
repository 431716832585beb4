// SPDX-License-Identifier: Apache-2.0
// How calls leave through the engine and come back.

#include "beamlet/sched/actor_core.hpp"
#include "beamlet/sched/engine.hpp"
#include "sched/internal.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

bool may_export(scheduler& home, const cell& x, std::uint32_t flags) noexcept {
  return home.outside.load(std::memory_order_acquire) != nullptr && x.ops->export_call != nullptr &&
         (flags & (cell::local | cell::cancelled)) == 0 &&
         home.now.load(std::memory_order_relaxed) < phase::cancelling;
}

bool export_claimed(scheduler& home, cell& x, error* why = nullptr) noexcept {
  exported_call call;
  if (!x.ops->export_call(x, call)) {
    if (why != nullptr) *why = std::move(call.why);
    return false;
  }
  home.outside.load(std::memory_order_acquire)->submit(x, std::move(call));
  return true;
}

/// Of a task that only a worker process may run: takes the queue's reference.
void leave_claimed(context& here, cell& x, std::uint32_t flags) noexcept {
  scheduler& home = here.home();
  error why;
  if (refused_at_start(here, x, flags, why)) return come_back(x, std::move(why));
  if (may_export(home, x, flags) && export_claimed(home, x, &why)) return;
  if (why.code() != errc::ok) return come_back(x, std::move(why));
  come_back(x, error(errc::not_registered, error_layer::sched,
                     {"a worker process can run only a function that has a BEAMLET_REMOTE and "
                      "takes and returns types with codecs",
                      "", function_name(x), ""}));
}

/// Who refuses a call may not know what ended the actor.
error with_death(cell& x, error why) noexcept {
  if (x.ops->link == nullptr || !x.ops->link(x).actor->away || !why.cause().empty()) return why;
  error death = death_of(*x.ops->link(x).actor);
  if (death.code() == errc::ok) return why;
  return error(why.code(), why.layer(),
               {std::string(why.message()), "", function_name(x), death.describe()});
}

/// Seals what came back. `x.extra` holds the bytes, or the failure is set.
void end_call(context& here, cell& x, std::uintptr_t state) noexcept {
  drop_arguments(x);
  // Its caller may let go of the last handle as soon as it is sealed.
  actor_core* a = x.ops->link != nullptr ? x.ops->link(x).actor : nullptr;
  if (a != nullptr && !a->away) a = nullptr;
  if (a == nullptr) counters::raise(here.count.completed);
  if (x.ops->link != nullptr) counters::raise(here.count.messages);
  if (state == cell::failed)
    counters::raise(x.failure().code() == errc::cancelled ? here.count.cancelled
                                                          : here.count.failed);
  seal(x, state);
  if (a != nullptr) {
    // Only a constructor's call says where its actor is to live.
    const cell_extra* extra = x.extra.load(std::memory_order_acquire);
    if (state == cell::failed && extra != nullptr && extra->isolated != nullptr)
      kill_actor(here, *a, x.failure());
    call_came_back(*a, x);
    counters::raise(here.count.completed);  // the end of the runtime takes the actors apart
  }
  if (here.face->now.load(std::memory_order_relaxed) != phase::running) note_progress(here.home());
  x.release();
}

}  // namespace

bool leave_through_engine(context& here, cell& x) noexcept {
  scheduler& home = here.home();
  std::uint32_t flags = x.unmet.load(std::memory_order_acquire);
  if (x.ops->link != nullptr) return may_export(home, x, flags) && export_claimed(home, x);
  if (flags & cell::local) return false;
  if (may_export(home, x, flags)) {
    flags = claim(x);
    if (flags & cell::claimed) {  // a get was faster
      x.release();
      return true;
    }
    if (export_claimed(home, x)) return true;
    // Nobody else can have seen the claim as final: walks do not claim what may leave.
    x.unmet.fetch_and(~cell::claimed, std::memory_order_acq_rel);
  }
  extra_of(x);  // so that its end asks whether the engine keeps the result
  x.unmet.fetch_or(cell::local, std::memory_order_acq_rel);
  return false;
}

result<void> engine::borrow_now(std::span<const quantity>) {
  return error(errc::unsupported, error_layer::sched);
}
result<object_id> engine::publish_actor(actor_core&) {
  return error(errc::unsupported, error_layer::sched);
}
result<actor_core*> engine::adopt_actor(scheduler&, const object_id&, const actor_type&) {
  return error(errc::unsupported, error_layer::sched);
}

result<void> engine::name_actor(actor_core&, std::string_view, std::string_view) {
  return error(errc::unsupported, error_layer::sched);
}
result<actor_core*> engine::find_actor(scheduler&, std::string_view, std::string_view,
                                       const actor_type&) {
  return nullptr;
}

void leave_isolated(context& here, cell& x) noexcept {
  std::uint32_t flags = claim(x);
  if (flags & cell::claimed) return x.release();
  leave_claimed(here, x, flags);
}

void leave_for_actor(context& here, cell& m) noexcept {
  std::uint32_t flags = m.unmet.load(std::memory_order_acquire);
  error why;
  if (may_export(here.home(), m, flags) && export_claimed(here.home(), m, &why)) return;
  if (why.code() != errc::ok) return come_back(m, std::move(why));
  if (flags & cell::cancelled)
    return come_back(m, error(errc::cancelled, error_layer::sched, {"", "", function_name(m), ""}));
  if (here.home().now.load(std::memory_order_relaxed) >= phase::cancelling)
    return come_back(m, error(errc::stopped, error_layer::sched, {"", "", function_name(m), ""}));
  come_back(m, error(errc::not_registered, error_layer::sched,
                     {"an actor in a worker process needs a BEAMLET_REMOTE of each method that is "
                      "called and of its constructor, by the types of the arguments as they are "
                      "given (BEAMLET_REMOTE(beamlet::constructor<T(int)>)), and codecs of all "
                      "types",
                      "", function_name(m), ""}));
}

bool leave_again(context& here, cell& x) noexcept {
  scheduler& home = here.home();
  std::uint32_t flags = x.unmet.load(std::memory_order_acquire);
  if (x.extra.load(std::memory_order_relaxed)->isolated != nullptr) {
    x.add_reference();
    leave_claimed(here, x, flags);
    return true;
  }
  if (!home.has_engine || !may_export(home, x, flags)) return false;
  x.add_reference();
  if (export_claimed(home, x)) return true;
  x.release();
  return false;
}

void come_back(cell& x, held_bytes result) noexcept {
  context& here = *find_context(*x.home);
  cell_extra* extra = extra_of(x);
  if (extra == nullptr) {
    if (result.drop != nullptr) result.drop(result.keeper);
    return come_back(x, error(errc::no_memory, error_layer::sched));
  }
  here.home().give_back(x);
  extra->held = result;
  end_call(here, x, cell::bytes);
}

void come_back(cell& x, error why) noexcept {
  context& here = *find_context(*x.home);
  here.home().give_back(x);
  if (why.code() == errc::actor_died) why = with_death(x, std::move(why));
  x.set_failure(std::move(why));
  if (x.ops->link == nullptr && x.extra.load(std::memory_order_acquire) != nullptr &&
      retry(here, x))
    return x.release();
  end_call(here, x, cell::failed);
}

std::uintptr_t kept_state(cell& x, outcome how) noexcept {
  if (how == outcome::failed) return cell::failed;
  scheduler& home = *x.home;
  return home.has_engine ? home.outside.load(std::memory_order_relaxed)->keep(x) : cell::value;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
