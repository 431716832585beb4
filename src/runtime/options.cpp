// SPDX-License-Identifier: Apache-2.0
// Options checked once, in words a user can act on, and turned into the scheduler's terms.

#include "beamlet/runtime/options.hpp"

#include <cmath>

#include "beamlet/base/time.hpp"
#include "beamlet/runtime/actor.hpp"
#include "runtime/core.hpp"
#include "sched/actor_extra.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {

error bad_value(const char* option, const std::string& value, const std::string& range) {
  return error(errc::invalid_argument, error_layer::runtime,
               {std::string(option) + " is " + value + "; it must be " + range, "", "", ""});
}

result<void> add_need(sched::scheduler& home, std::vector<quantity>& needs, std::string_view name,
                      double units) {
  BEAMLET_TRY(auto amount, parse_amount(units, name));
  if (amount == 0) return {};
  std::lock_guard hold(home.ledger_lock);
  BEAMLET_TRY(auto id, home.names.intern(name));
  needs.push_back({id, amount});
  return {};
}

result<std::vector<quantity>> collect_needs(sched::scheduler& home, double cpus, double gpus,
                                            double memory, const resource_list& others) {
  std::vector<quantity> needs;
  BEAMLET_TRY_VOID(add_need(home, needs, "cpu", cpus));
  BEAMLET_TRY_VOID(add_need(home, needs, "gpu", gpus));
  BEAMLET_TRY_VOID(add_need(home, needs, "memory", memory));
  for (auto& [name, units] : others) BEAMLET_TRY_VOID(add_need(home, needs, name, units));
  return needs;
}

result<void> check_durations(const task_options& o) {
  using std::chrono::nanoseconds;
  for (auto& [name, value] : {std::pair("delay", o.delay), std::pair("deadline", o.deadline),
                              std::pair("retry_backoff", o.retry_backoff),
                              std::pair("retry_backoff_max", o.retry_backoff_max)})
    if (value < nanoseconds::zero())
      return bad_value(name, std::to_string(value.count()) + " ns", "zero or more");
  return {};
}

bool is_death(const error& e) {
  return e.layer() == error_layer::cluster &&
         (e.code() == errc::worker_died || e.code() == errc::no_memory);
}

result<void> fill_retries(sched::cell_extra& extra, const task_options& o, bool copies) {
  if (o.max_retries < -1 || o.max_retries > static_cast<int>(max_retries_max))
    return bad_value("max_retries", std::to_string(o.max_retries),
                     "-1 (without end) to " + std::to_string(max_retries_max));
  // A function's own errors are repeated only when the caller says so, as in Ray; the death of its
  // process always, which its agent does where no pause is asked for.
  const bool deaths = o.isolation == isolation::process && !o.retry_exceptions && !o.retry_on &&
                      o.retry_backoff != o.retry_backoff.zero();
  bool wanted = o.max_retries != 0 && (o.retry_exceptions || o.retry_on || deaths);
  if (!wanted) return {};
  if (!copies)
    return error(
        errc::invalid_argument, error_layer::runtime,
        {"max_retries needs arguments that can be copied: a repeated attempt gets them again", "",
         "", ""});
  extra.retries_left = o.max_retries;
  extra.retry_on = deaths ? is_death : o.retry_on;
  extra.backoff_ns = static_cast<std::uint64_t>(base::saturated_ns(o.retry_backoff));
  extra.backoff_ns_max = static_cast<std::uint64_t>(base::saturated_ns(o.retry_backoff_max));
  return {};
}

/// What a task or an actor asks of its worker process.
template <class Options>
result<std::unique_ptr<sched::isolated_options>> isolated_from(sched::context& here,
                                                               const Options& o) {
  if (o.cpu_time_max < o.cpu_time_max.zero())
    return bad_value("cpu_time_max", std::to_string(o.cpu_time_max.count()) + " ns",
                     "zero or more");
  BEAMLET_TRY_VOID(ensure_agent(here.home()));
  auto made = std::unique_ptr<sched::isolated_options>(new (std::nothrow) sched::isolated_options);
  if (made == nullptr) return error(errc::no_memory, error_layer::runtime);
  BEAMLET_TRY(made->environment, environment_of(o.runtime_env));
  made->memory_max = o.memory_max;
  made->cpu_ms_max = static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(o.cpu_time_max).count());
  return made;
}

/// What the agent does for a task of a worker process, and what only this process can do: it asks a
/// function whether to repeat, and waits before it does.
result<void> fill_isolated(sched::context& here, sched::cell_extra& extra, const task_options& o) {
  bool limits = o.memory_max != 0 || o.cpu_time_max != o.cpu_time_max.zero() || o.max_calls != 0 ||
                !o.runtime_env.env_vars.empty();
  if (o.isolation != isolation::process) {
    if (!limits) return {};
    return bad_value("runtime_env, memory_max, cpu_time_max or max_calls", "set",
                     "used with isolation = process");
  }
  if (o.blocking) return bad_value("blocking", "true", "false with isolation = process");
  BEAMLET_TRY(auto made, isolated_from(here, o));
  made->calls_max = o.max_calls;
  if (!o.retry_on && o.retry_backoff == o.retry_backoff.zero()) {
    made->retries = o.max_retries;
    made->retry_errors = o.retry_exceptions;
    extra.retries_left = 0;
  }
  extra.isolated = std::move(made);
  return {};
}

/// Null: the actor lives in this process.
result<std::unique_ptr<sched::isolated_options>> isolated_actor(sched::context& here,
                                                                const actor_options& o) {
  bool set = o.max_restarts != 0 || o.max_task_retries != 0 || o.memory_max != 0 ||
             o.cpu_time_max != o.cpu_time_max.zero() || !o.runtime_env.env_vars.empty();
  if (o.isolation != isolation::process) {
    if (!set) return std::unique_ptr<sched::isolated_options>();
    return bad_value("max_restarts, max_task_retries, runtime_env, memory_max or cpu_time_max",
                     "set", "used with isolation = process");
  }
  for (auto [name, value] : {std::pair("max_restarts", o.max_restarts),
                             std::pair("max_task_retries", o.max_task_retries)})
    if (value < -1) return bad_value(name, std::to_string(value), "-1 (without end) or more");
  if (!o.concurrency_groups.empty())
    return error(errc::unsupported, error_layer::runtime,
                 {"concurrency_groups are of actors in the program's own process; with isolation = "
                  "process there is max_concurrency",
                  "", "", ""});
  BEAMLET_TRY(auto made, isolated_from(here, o));
  made->restarts = o.max_restarts;
  made->call_retries = o.max_task_retries;
  made->concurrency = o.max_concurrency;
  made->detached = o.lifetime == lifetime::detached;
  return made;
}

bool says_something(const sched::cell_extra& e) {
  return !e.name.empty() || !e.needs.empty() || e.urgency != priority::normal || e.blocking ||
         e.start_ns != 0 || e.deadline_ns != sched::forever || e.retries_left != 0 ||
         e.isolated != nullptr;
}

result<void> fill_task(sched::context& here, sched::cell_extra& extra, const task_options& o,
                       bool copies) {
  sched::scheduler& home = here.home();
  BEAMLET_TRY_VOID(check_durations(o));
  BEAMLET_TRY_VOID(fill_retries(extra, o, copies));
  BEAMLET_TRY_VOID(fill_isolated(here, extra, o));
  // One cpu and nothing else is what a worker thread stands for: no look at the ledger.
  bool plain = o.num_cpus == 1 && o.num_gpus == 0 && o.memory == 0 && o.resources.empty();
  if (!plain) {
    BEAMLET_TRY(extra.needs, collect_needs(home, o.num_cpus, o.num_gpus, o.memory, o.resources));
    auto feasible = home.check_feasible(extra.needs, extra.isolated != nullptr);
    if (!feasible.has_value() && o.on_infeasible == on_infeasible::fail) return feasible;
  }
  extra.name = o.name;
  extra.urgency = o.priority;
  extra.blocking = o.blocking;
  std::uint64_t now = sched::now_ns(here);
  if (o.delay > o.delay.zero()) extra.start_ns = base::deadline_after(now, o.delay);
  if (o.deadline > o.deadline.zero()) extra.deadline_ns = base::deadline_after(now, o.deadline);
  return {};
}

}  // namespace

result<sched::cell_extra*> make_task_extra(sched::context& here, const task_options& options,
                                           bool copies) {
  auto extra = std::unique_ptr<sched::cell_extra>(new (std::nothrow) sched::cell_extra);
  if (extra == nullptr) return error(errc::no_memory, error_layer::runtime);
  BEAMLET_TRY_VOID(fill_task(here, *extra, options, copies));
  return says_something(*extra) ? extra.release() : nullptr;
}

result<sched::actor_options> make_actor_options(sched::context& here, const actor_options& o,
                                                std::string_view name_space) {
  if (o.mailbox_capacity == 0 || o.mailbox_capacity > sched::mailbox_capacity_max)
    return bad_value("mailbox_capacity", std::to_string(o.mailbox_capacity),
                     "between 1 and " + std::to_string(sched::mailbox_capacity_max));
  if (o.max_concurrency == 0 || o.max_concurrency > sched::actor_concurrency_max)
    return bad_value("max_concurrency", std::to_string(o.max_concurrency),
                     "between 1 and " + std::to_string(sched::actor_concurrency_max));
  for (auto& [group, limit] : o.concurrency_groups)
    if (group.empty() || limit == 0 || limit > sched::actor_concurrency_max)
      return bad_value(
          "concurrency_groups", "'" + group + "' with " + std::to_string(limit),
          "a name with 1 to " + std::to_string(sched::actor_concurrency_max) + " calls");
  if (o.get_if_exists && o.name.empty())
    return bad_value("get_if_exists", "set", "used with a name");
  sched::actor_options s;
  s.name = o.name;
  s.name_space = o.name_space.has_value() ? *o.name_space : std::string(name_space);
  s.capacity = o.mailbox_capacity;
  s.policy = o.mailbox_policy;
  s.concurrency = o.max_concurrency;
  s.groups = o.concurrency_groups;
  BEAMLET_TRY(s.isolated, isolated_actor(here, o));
  BEAMLET_TRY(s.needs, collect_needs(here.home(), o.num_cpus, o.num_gpus, o.memory, o.resources));
  return s;
}

result<sched::cell_extra*> make_call_extra(sched::context& here, sched::actor_core& a,
                                           const call_options& o) {
  if (o.deadline < o.deadline.zero())
    return bad_value("deadline", std::to_string(o.deadline.count()) + " ns", "zero or more");
  auto extra = std::unique_ptr<sched::cell_extra>(new (std::nothrow) sched::cell_extra);
  if (extra == nullptr) return error(errc::no_memory, error_layer::runtime);
  extra->name = o.name;
  if (o.deadline > o.deadline.zero())
    extra->deadline_ns = base::deadline_after(sched::now_ns(here), o.deadline);
  if (!o.concurrency_group.empty()) {
    sched::actor_extra* more = a.more.load(std::memory_order_acquire);
    if (more != nullptr)
      for (auto& g : more->groups)
        if (g->name == o.concurrency_group) extra->group = g.get();
    if (extra->group == nullptr)
      return error(errc::not_found, error_layer::runtime,
                   {"the actor " + std::string(a.type->name) + " has no concurrency group '" +
                        o.concurrency_group + "'",
                    "", "", ""});
  }
  return extra.release();
}

error gone_error(const sched::actor_core* a) {
  if (a == nullptr)
    return error(errc::invalid_ref, error_layer::runtime,
                 {"the actor handle is empty", "", "", ""});
  error why = sched::death_of(*a);
  if (why.code() != errc::ok) return why;
  return error(errc::stopped, error_layer::runtime,
               {"the actor's runtime has stopped", "", "", ""});
}

void make_orphan(sched::actor_core& a, error why) noexcept {
  if (sched::actor_extra* extra = sched::extra_of(a)) {
    std::lock_guard hold(extra->lock);
    extra->death = std::move(why);
  }
  a.stage.store(sched::actor_core::life::orphan, std::memory_order_release);
}

result<sched::actor_core*> find_named(sched::context& here, std::string_view name_space,
                                      std::string_view name, const sched::actor_type& type) {
  sched::actor_core* found = nullptr;
  sched::find_actor(
      here, name_space, name,
      [](void* user, sched::actor_core* a) { *static_cast<sched::actor_core**>(user) = a; },
      &found);
  sched::engine* out = here.home().outside.load(std::memory_order_acquire);
  if (found == nullptr && out != nullptr) {
    BEAMLET_TRY(found, out->find_actor(here.home(), name_space, name, type));
  }
  if (found == nullptr || found->type == &type) return found;
  std::string actual(found->type->name);
  sched::drop_handle(*found);
  return error(
      errc::invalid_argument, error_layer::runtime,
      {"the actor '" + std::string(name) + "' is a " + actual + ", not a " + std::string(type.name),
       "", "", ""});
}

sched::actor_core* await_named(sched::context& here, std::string_view name_space,
                               std::string_view name, const sched::actor_type& type) {
  // Who takes it gives its first call next; processors may be slow to come back to that thread.
  constexpr int yields = 1000, naps_max = 10'000;
  constexpr base::time_ns nap_ns = 1'000'000;
  std::atomic<std::uint32_t> nothing{0};
  for (int look = 0; look < yields + naps_max; ++look) {
    auto found = find_named(here, name_space, name, type);
    if (!found.has_value()) return nullptr;
    if (*found != nullptr) return *found;
    if (look < yields) ports::yield();
    else if (!sched::is_being_made(here, name_space, name)) break;
    else ports::wait_on(nothing, 0, nap_ns);
  }
  return nullptr;
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
