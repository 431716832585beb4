// SPDX-License-Identifier: Apache-2.0
// Calls: how tasks leave for a worker process, and how they run in one.

#include <algorithm>
#include <utility>

#include "beamlet/sched/cancel.hpp"
#include "ports/threads.hpp"
#include "runtime/agent_engine.hpp"
#include "runtime/core.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {

/// Objects that came with a call, while its arguments are decoded on this thread. Several
/// parameters may name one.
struct arrivals {
  std::vector<std::shared_ptr<node::arrived>> objects;
};
thread_local arrivals* now_arriving = nullptr;
thread_local bool now_telling = false;  // in a call of the session

std::shared_ptr<node::arrived> shared(node::arrived&& one) {
  return {new node::arrived(std::move(one)), [](node::arrived* a) {
            if (a->bytes.drop != nullptr) a->bytes.drop(a->bytes.keeper);
            delete a;
          }};
}

/// Without a keeper: no memory.
sched::held_bytes held(const std::shared_ptr<node::arrived>& one) {
  auto* keeper = new (std::nothrow) std::shared_ptr<node::arrived>(one);
  if (keeper == nullptr) return {};
  return {one->bytes.data, one->bytes.size,
          [](void* k) { delete static_cast<std::shared_ptr<node::arrived>*>(k); }, keeper};
}

}  // namespace

std::uint64_t functions_hash() {
  std::vector<std::string> names;
  for (const registration* r = first_registered(); r != nullptr; r = r->next)
    if (r->entry != nullptr) names.push_back(wire_name(*r));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const std::string& name : names)
    for (const char* c = name.c_str(); c <= name.c_str() + name.size(); ++c)
      hash = (hash ^ static_cast<unsigned char>(*c)) * 0x100000001b3u;
  return hash;
}

agent_engine::telling::telling() : outer_(std::exchange(now_telling, true)) {}
agent_engine::telling::~telling() { now_telling = outer_; }

// -- out

struct agent_engine::execution : sched::listener, sched::waiter {
  agent_engine* engine = nullptr;
  object_id task;
  std::uint32_t attempt = 0;
  wire::call_kind kind = wire::call_kind::task;
  object_id actor;
  sched::cell* copy = nullptr;  // counted
  bool lent = false;            // its cpu, as the agent knows
};

const std::string& agent_engine::name_of(const void* function) {
  auto [at, fresh] = names_.try_emplace(function);
  if (fresh) at->second = wire_name(*find_registration(function));
  return at->second;
}

/// `passing`: ids to let go of when the call has been sent.
wire::call agent_engine::wire_call(sched::cell& x, sched::exported_call call,
                                   std::vector<object_id>& passing) {
  const sched::cell_extra& extra = *x.extra.load(std::memory_order_acquire);
  wire::call out;
  out.task = session_->mint();
  out.attempt = extra.attempt;  // the agent counts on
  {
    std::lock_guard hold(lock_);
    out.function = name_of(call.function);
  }
  wire::argument first;
  if (call.arguments.size() <= session_->inline_max()) {
    first.inline_value = std::move(call.arguments);
    first.contained = std::move(call.contained);
  } else {
    first.object = session_->mint();
    session_->publish(first.object);
    session_->fulfil(first.object, placed(std::move(call.arguments), std::move(call.contained)));
    passing.push_back(first.object);
  }
  out.arguments.push_back(std::move(first));
  for (const object_id& id : call.awaited) {
    out.arguments.emplace_back();
    out.arguments.back().object = id;
  }
  wire::call_options& o = out.options;
  o.name = extra.name;
  o.urgency = static_cast<std::uint8_t>(extra.urgency);
  o.deadline_ns = extra.deadline_ns;
  o.traced = home_->traces.load(std::memory_order_relaxed);
  o.needs = named(extra.needs);
  if (extra.needs.empty() && call.actor == nullptr) o.needs.push_back({"cpu", amount_per_unit});
  if (extra.isolated == nullptr) return out;
  o.where = wire::isolation::process;
  o.environment = extra.isolated->environment;
  const auto& core = *static_cast<runtime_core*>(home_->facade);
  if (core.name_space != default_name_space)
    o.environment.push_back(std::string(name_space_variable) + '=' + core.name_space);
  if (!core.folder.empty())
    o.environment.push_back(std::string(folder_variable) + '=' + core.folder);
  o.memory_max = extra.isolated->memory_max;
  o.cpu_ms_max = extra.isolated->cpu_ms_max;
  o.calls_max = extra.isolated->calls_max;
  o.retries = extra.isolated->retries;
  o.retry_errors = extra.isolated->retry_errors;
  o.repeated = extra.retries_left != 0;
  return out;
}

error agent_engine::why_lost() {
  std::lock_guard hold(lock_);
  return no_more_.code() != errc::ok ? no_more_ : error(errc::agent_lost, error_layer::runtime);
}

void agent_engine::submit(sched::cell& x, sched::exported_call call) {
  if (session_->lost()) return sched::come_back(x, why_lost());
  if (sched::extra_of(x) == nullptr)
    return sched::come_back(x, error(errc::no_memory, error_layer::runtime));
  std::vector<object_id> passing;
  sched::actor_core* actor = call.actor;
  result<void> sent = error(errc::no_memory, error_layer::runtime);
  sched::try_allocate([&] {
    wire::call out = wire_call(x, std::move(call), passing);
    sent = actor != nullptr ? address(x, *actor, out) : result<void>();
    if (!sent.has_value()) return;
    const wire::call_kind kind = out.kind;
    sent = error(errc::no_memory, error_layer::runtime);
    sent = send_call(x, std::move(out));  // `x` may be gone after this, unless it failed
    if (actor != nullptr) addressed(*actor, kind, sent.has_value());
  });
  for (const object_id& id : passing) session_->let_go(id);
  if (!sent.has_value()) sched::come_back(x, std::move(sent).error());
}

/// The result's id is the cell's own where the agent may seal it, else one for this attempt, of
/// which the value is fetched. All under the lock: who cancels finds the call sent, or not at all.
result<void> agent_engine::send_call(sched::cell& x, wire::call call) {
  flight f{.of = &x, .task = call.task};
  if (call.options.traced) f.since_ns = home_->port->now_ns();
  bool cancelled = false;
  {
    std::lock_guard hold(lock_);
    if (no_more_.code() != errc::ok) return no_more_;
    sched::cell_extra& extra = *x.extra.load(std::memory_order_acquire);
    std::unique_ptr<record> fresh;
    record* its = record_of(extra);
    f.fetched = extra.retries_left != 0 || (its != nullptr && its->submitted);
    if (!f.fetched && its == nullptr) {
      fresh.reset(its = new (std::nothrow) record{session_, session_->mint()});
      f.fetched = its == nullptr;
    }
    object_id result = f.fetched ? session_->mint() : its->id;
    call.results.push_back(result);
    // Once it is sent nothing may need memory.
    auto noted = [&] {
      flights_.emplace(result, f);
      flying_.insert_or_assign(&x, result);
    };
    beamlet::result<void> sent = error(errc::no_memory, error_layer::runtime);
    if (sched::try_allocate(noted)) sent = session_->submit(std::move(call));
    if (!sent.has_value()) {
      flights_.erase(result);
      flying_.erase(&x);
      return sent;
    }
    if (!f.fetched) {
      its->submitted = true;
      if (fresh != nullptr) add_record(extra, *fresh.release());
      else session_->let_go(result);  // publish() has counted it before
    }
    cancelled = (x.unmet.load(std::memory_order_acquire) & sched::cell::cancelled) != 0;
  }
  if (cancelled) session_->cancel(f.task, false, false);
  return {};
}

bool agent_engine::may_wait_here() const { return !now_telling; }

bool agent_engine::take_flight(const object_id& result, flight& out) {
  std::lock_guard hold(lock_);
  auto at = flights_.find(result);
  if (at == flights_.end()) return false;
  out = at->second;
  flights_.erase(at);
  flying_.erase(out.of);
  return true;
}

void agent_engine::on_sealed(const object_id& id, const error& why,
                             std::optional<node::arrived> value) {
  telling inside;
  bool ask = false;
  {
    std::lock_guard hold(lock_);
    auto at = flights_.find(id);
    ask = at != flights_.end() && at->second.fetched && why.code() == errc::ok;
  }
  if (ask && !value.has_value()) return fetch_result(id);
  flight f;
  if (!take_flight(id, f)) {
    if (value.has_value() && value->bytes.drop != nullptr) value->bytes.drop(value->bytes.keeper);
    return;
  }
  note_end(f, why.code() != errc::ok);
  if (why.code() != errc::ok) {
    if (f.fetched) session_->let_go(id);
    return sched::come_back(*f.of, why);
  }
  if (value.has_value()) {
    if (f.fetched) session_->let_go(id);
    return sched::come_back(*f.of, value->bytes);
  }
  sched::come_back(*f.of, sched::held_bytes{});  // the first reader asks
}

/// The flight stays, for cancel_all() to end.
void agent_engine::fetch_result(const object_id& id) {
  auto come = [this, id](result<std::vector<node::arrived>> came) {
    telling inside;
    flight f;
    if (!take_flight(id, f)) {
      if (came.has_value()) came->front().bytes.drop(came->front().bytes.keeper);
      return;
    }
    sched::cell* x = f.of;
    session_->let_go(id);
    note_end(f, !came.has_value() || came->front().why.code() != errc::ok);
    if (!came.has_value()) return sched::come_back(*x, std::move(came).error());
    node::arrived& value = came->front();
    if (value.why.code() == errc::ok) return sched::come_back(*x, value.bytes);
    error failed = value.why;
    if (value.bytes.drop != nullptr) value.bytes.drop(value.bytes.keeper);
    sched::come_back(*x, std::move(failed));
  };
  session_->require({&id, 1}, 0, base::never_ns, std::move(come));
}

void agent_engine::look() {
  constexpr base::time_ns between_looks_ns = 100'000;  // a function may ask all the time
  base::time_ns now = home_->port->now_ns();
  if (now < looks_at_ns_.load(std::memory_order_relaxed)) return;
  looks_at_ns_.store(now + between_looks_ns, std::memory_order_relaxed);
  session_->look();
}

void agent_engine::cancel(sched::cell& x, bool force, bool recursive) {
  object_id task;
  {
    std::lock_guard hold(lock_);
    auto at = flying_.find(&x);
    if (at == flying_.end()) return;  // it sees the flag when it leaves
    task = flights_.at(at->second).task;
  }
  session_->cancel(task, force, recursive);
}

/// From now on nothing leaves, and what was to come in fails. Returns what has left.
agent_engine::flights agent_engine::close_out(const error& why) {
  flights all;
  std::unordered_map<std::uint64_t, sched::cell*> adopting;
  {
    std::lock_guard hold(lock_);
    if (no_more_.code() == errc::ok) no_more_ = why;
    all.swap(flights_);
    flying_.clear();
    adopting.swap(adopting_);
  }
  for (auto& [number, x] : adopting) {
    sched::seal_failed(*x, why);
    x->release();
  }
  return all;
}

void agent_engine::cancel_all() {
  flights all = close_out(error(errc::stopped, error_layer::runtime));
  decltype(hosted_) hosted;
  {
    std::lock_guard hold(lock_);
    hosted.swap(hosted_);
    actors_.clear();  // they end with the runtime
    actor_cores_.clear();
  }
  for (auto& [id, a] : hosted) sched::drop_handle(*a);
  for (auto& [result, f] : all) {
    session_->cancel(f.task, true, true);
    if (f.fetched) session_->let_go(result);
    home_->dropped.fetch_add(1, std::memory_order_relaxed);
    sched::come_back(*f.of, error(errc::stopped, error_layer::runtime,
                                  {"the runtime stopped while a worker process ran the task", "",
                                   sched::function_name(*f.of), ""}));
  }
}

void agent_engine::end() {
  // What the last calls ran is on its way, and the timeline may be written later.
  if (home_->options.timeline_events != 0 && !home_->options.traces_on_demand) collect_runs();
  std::vector<wire::trace> ran;
  sched::try_allocate([&] { ran = ran_here(); });
  session_->close(std::move(ran));
  if (at_end_) at_end_();
}

void agent_engine::on_lost(const error& why) {
  telling inside;
  flights all = close_out(why);
  sched::try_allocate([&] { actors_lost({}, why); });  // who calls one later is refused anyway
  for (auto& [result, f] : all) sched::come_back(*f.of, why);
  on_drain();
}

// -- in

bool agent_engine::take_arrived(const object_id& id, sched::cell& into) {
  if (now_arriving == nullptr) return false;
  for (auto& one : now_arriving->objects) {
    if (one == nullptr || one->id != id) continue;
    sched::held_bytes value = one->why.code() == errc::ok ? held(one) : sched::held_bytes{};
    if (value.keeper == nullptr) {
      bool failed = one->why.code() != errc::ok;
      sched::seal_failed(into, failed ? one->why : error(errc::no_memory, error_layer::runtime));
    } else {
      into.extra.load(std::memory_order_relaxed)->held = value;
      into.state.store(sched::cell::bytes, std::memory_order_release);
    }
    return true;
  }
  return false;
}

result<const registration*> agent_engine::registered(const std::string& name) {
  std::lock_guard hold(lock_);
  auto at = functions_.find(name);
  if (at != functions_.end()) return at->second;
  BEAMLET_TRY(auto found, find_registered(name));
  functions_.emplace(name, found);
  return found;
}

result<sched::cell*> agent_engine::import_call(wire::call& what,
                                               std::vector<node::arrived>& objects) {
  arrivals coming;
  for (node::arrived& one : objects) coming.objects.push_back(shared(std::move(one)));
  BEAMLET_TRY(auto found, registered(what.function));
  sched::exported_call call;
  call.function = found->key;
  if (what.arguments.empty()) return error(errc::malformed, error_layer::runtime);
  wire::argument& first = what.arguments.front();
  call.arguments = std::move(first.inline_value);
  for (auto& one : coming.objects)
    if (one->id == first.object) call.borrowed = {one->bytes.data, one->bytes.size};
  sched::codec_context context{home_, this, {}, {}};
  arrivals* outer = std::exchange(now_arriving, &coming);
  auto made = make_for(*found, what, call, context);
  now_arriving = outer;
  return made;
}

void agent_engine::on_execute(wire::call what, std::vector<node::arrived> objects) {
  std::unique_ptr<execution> e(new (std::nothrow) execution);
  auto made = import_call(what, objects);
  // What the call mentions beside its objects is held by the cells that were made of it.
  for (const wire::argument& argument : what.arguments) {
    if (argument.by_ref) session_->let_go(argument.object);
    for (const object_id& id : argument.contained) session_->let_go(id);
  }
  if (e == nullptr && made.has_value()) {
    (*made)->release();
    (*made)->release();
    made = error(errc::no_memory, error_layer::runtime);
  }
  if (!made.has_value()) {
    std::vector<node::made> failed(what.results.size());
    for (node::made& one : failed) one.why = made.error();
    return session_->done(what.task, what.attempt, std::move(failed));
  }
  sched::cell& copy = **made;
  home_->traces.store(what.options.traced, std::memory_order_relaxed);
  sched::cell_extra* extra = sched::extra_of(copy);
  if (extra != nullptr) {
    if (!what.options.name.empty())
      copy.function = sched::named_function(*sched::find_context(*home_), what.options.name);
    extra->name = what.options.name;
    extra->came_in = true;
    extra->attempt = what.attempt;
    extra->deadline_ns = what.options.deadline_ns;
  }
  e->engine = this;
  e->task = what.task;
  e->attempt = what.attempt;
  e->kind = what.kind;
  e->actor = what.actor;
  e->copy = &copy;
  e->fire = [](sched::listener& self, sched::cell& sealed) noexcept {
    std::unique_ptr<execution> me(&static_cast<execution&>(self));
    agent_engine& engine = *me->engine;
    {
      std::lock_guard hold(engine.lock_);
      auto at = engine.running_.find(me->task);
      if (at != engine.running_.end() && at->second == me.get()) engine.running_.erase(at);
    }
    std::vector<node::made> results;
    results.push_back(engine.value_of(sealed));
    engine.after_call(me->kind, me->actor, results.front().why.code() != errc::ok);
    engine.session_->done(me->task, me->attempt, std::move(results), engine.ran_here());
    sealed.release();
  };
  e->target = sched::waiter::to_listener(*e);
  sched::add_waiter(copy, *e);
  {
    std::lock_guard hold(lock_);
    running_.insert_or_assign(what.task, e.release());
  }
  registered(what.function).value()->entry->submit(*sched::find_context(*home_), copy);
}

void agent_engine::lend_cpu(sched::cell& x, bool lent) {
  std::lock_guard hold(lock_);
  auto runs = [&x](const auto& each) { return each.second->copy == &x; };
  auto at = std::find_if(running_.begin(), running_.end(), runs);
  if (at == running_.end() || std::exchange(at->second->lent, lent) == lent) return;
  session_->lend_cpu(at->second->task, at->second->attempt, lent);
}

void agent_engine::on_abort(const object_id& task, std::uint32_t attempt) {
  sched::cell* x = nullptr;
  {
    std::lock_guard hold(lock_);
    auto at = running_.find(task);
    if (at == running_.end() || at->second->attempt != attempt) return;
    x = at->second->copy;
    x->add_reference();
  }
  sched::cancel(*sched::find_context(*home_), *x, true);
  x->release();
}

void agent_engine::on_drain() {
  ended_.store(1, std::memory_order_release);
  ports::wake_all(ended_);
}

void agent_engine::wait_for_end() {
  while (ended_.load(std::memory_order_acquire) == 0) ports::wait_on(ended_, 0, sched::forever);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
