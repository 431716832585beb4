// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/runtime.hpp"

#include <cstdio>

#include "beamlet/runtime/this_task.hpp"
#include "ports/threads.hpp"
#include "ports/uv/uv_port.hpp"
#include "runtime/core.hpp"
#include "sched/frames.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace {

constexpr unsigned workers_max = 1024;
constexpr unsigned spare_threads_limit = 1024;
constexpr unsigned blocking_threads_limit = 4096;
constexpr std::size_t stack_bytes_min = std::size_t{64} << 10;
constexpr std::size_t timeline_events_max = std::size_t{1} << 24;

error bad_option(const char* name, const std::string& value, const std::string& range) {
  return error(errc::invalid_argument, error_layer::runtime,
               {"runtime_options::" + std::string(name) + " is " + value + "; it must be " + range,
                "", "", ""});
}

result<void> check_options(const runtime_options& o) {
  if (o.workers.value_or(1) > workers_max)
    return bad_option("workers", std::to_string(*o.workers),
                      "at most " + std::to_string(workers_max));
  if (o.spare_threads_max > spare_threads_limit)
    return bad_option("spare_threads_max", std::to_string(o.spare_threads_max),
                      "at most " + std::to_string(spare_threads_limit));
  if (o.blocking_threads_max == 0 || o.blocking_threads_max > blocking_threads_limit)
    return bad_option("blocking_threads_max", std::to_string(o.blocking_threads_max),
                      "between 1 and " + std::to_string(blocking_threads_limit));
  if (o.stack_bytes != 0 && o.stack_bytes < stack_bytes_min)
    return bad_option("stack_bytes", std::to_string(o.stack_bytes),
                      "0 or at least " + std::to_string(stack_bytes_min));
  if (o.timeline_events > timeline_events_max)
    return bad_option("timeline_events", std::to_string(o.timeline_events),
                      "at most " + std::to_string(timeline_events_max));
  if (!(o.memory_usage_threshold > 0) || o.memory_usage_threshold > 1)
    return bad_option("memory_usage_threshold", std::to_string(o.memory_usage_threshold),
                      "above 0 and at most 1 (1: off)");
  if (o.device_tuning < std::chrono::nanoseconds::zero())
    return bad_option("device_tuning", std::to_string(o.device_tuning.count()) + " ns",
                      "at least 0");
  if (o.tasks_max == 0) return bad_option("tasks_max", "0", "at least 1");
  if (o.uv_loop != nullptr && o.simulated_port != nullptr)
    return bad_option("simulated_port", "set beside uv_loop", "the only one of the two");
  return {};
}

result<sched::scheduler_options> convert(const runtime_options& o) {
  sched::scheduler_options s;
  s.workers = o.workers.value_or(ports::usable_cpus());
  s.spare_threads_max = o.spare_threads_max;
  s.blocking_threads_max = o.blocking_threads_max;
  s.stack_bytes = o.stack_bytes;
  s.get_helps = o.get_helps;
  s.tasks_max = o.tasks_max;
  s.timeline_events = o.timeline_events;
  s.thread_hook = o.thread_hook;
  s.thread_hook_user = o.thread_hook_user;
  s.pin_threads = o.pin_threads;
  s.thread_name = o.thread_name;
  s.simulated_workers = o.simulated_workers;
  s.log = o.log;
  s.log_level = log_level_from_environment(o.log_level);
  if (o.simulated_port != nullptr) {
    s.port = o.simulated_port;
  } else if (o.uv_loop != nullptr) {
    BEAMLET_TRY(auto port, ports::make_uv_port(o.uv_loop));
    s.port = port.release();
  }
  return s;
}

result<void> fill_ledger(sched::scheduler& home, const runtime_options& o, unsigned workers) {
  std::vector<quantity> all;
  all.push_back({resource::cpu, std::int64_t{std::max(1u, workers)} * amount_per_unit});
  for (auto& [name, units] : o.resources) {
    BEAMLET_TRY(auto amount, parse_amount(units, name));
    BEAMLET_TRY(auto id, home.names.intern(name));
    if (id == resource::cpu)
      return error(
          errc::invalid_argument, error_layer::runtime,
          {"runtime_options::resources names 'cpu', which follows from `workers`", "", "", ""});
    all.push_back({id, amount});
  }
  if (home.resources.grow(all)) return {};
  return error(errc::invalid_argument, error_layer::runtime,
               {"runtime_options::resources add up to too much", "", "", ""});
}

/// True on a thread of the runtime itself, or inside one of its callbacks: it cannot wait for its
/// own end.
bool is_inside(sched::scheduler& home) {
  sched::context* here = sched::this_context;
  if (here == nullptr || here->owner.load(std::memory_order_relaxed) != &home) return false;
  return here->depth > 0 || here->in_callback;
}

void destroy_core(detail::runtime_core* core) { delete core; }

}  // namespace

result<runtime> runtime::start(const runtime_options& options) {
  BEAMLET_TRY_VOID(check_options(options));
  BEAMLET_TRY_VOID(detail::check_registry());
  BEAMLET_TRY(auto converted, convert(options));
  unsigned workers = converted.workers;
  if (options.memory_max != 0) sched::set_pool_limit(options.memory_max);
  BEAMLET_TRY(auto home, sched::scheduler::make(std::move(converted)));
  auto core = std::make_unique<detail::runtime_core>();
  BEAMLET_TRY_VOID(fill_ledger(*home, options, workers));
  core->name_space = options.name_space;
  core->options = options;
  core->fork_generation = ports::fork_generation();
  home->facade = core.get();
  if (options.engine != nullptr) {
    home->outside.store(static_cast<sched::engine*>(options.engine), std::memory_order_release);
    home->has_engine = true;
  }
  core->home = std::move(home);
  if (!options.box.empty()) BEAMLET_TRY_VOID(detail::attach_box(*core));
  runtime rt;
  rt.core_ = core.release();
  return rt;
}

runtime::~runtime() {
  detail::runtime_core* core = std::exchange(core_, nullptr);
  if (core == nullptr) return;
  // In a fork the threads are gone and their locks may be held for ever: what is here is left
  // alone.
  if (core->fork_generation != ports::fork_generation()) return;
  if (!is_inside(*core->home)) {
    destroy_core(core);
    return;
  }
  core->home->now.store(sched::phase::cancelling, std::memory_order_seq_cst);
  ports::thread_options t;
  t.name = "beamlet-end";
  auto reaper = ports::thread::start(
      t, [](void* c) { destroy_core(static_cast<detail::runtime_core*>(c)); }, core);
  if (reaper.has_value()) reaper->detach();
}

result<stop_report> runtime::stop(const stop_options& options) {
  if (core_ == nullptr) return error(errc::stopped, error_layer::runtime);
  if (core_->fork_generation != ports::fork_generation())
    return error(errc::forked, error_layer::runtime);
  if (is_inside(*core_->home))
    return error(errc::would_deadlock, error_layer::runtime,
                 {"stop was called from one of the runtime's own tasks or callbacks, which it "
                  "would wait for",
                  "", "", ""});
  return core_->home->stop(options);
}

// -- runtime_handle

sched::scheduler& runtime_handle::scheduler() const noexcept {
  BEAMLET_ASSERT(core_ != nullptr,
                 "the runtime is empty: default-constructed, moved from, or outside of a task");
  return *core_->home;
}

std::string_view runtime_handle::name_space() const noexcept { return core_->name_space; }
unsigned runtime_handle::workers() const noexcept {
  return core_->home->solo ? 0 : core_->home->workers_wanted;
}
runtime_stats runtime_handle::stats() const { return sched::collect_stats(scheduler()); }
std::string runtime_handle::dump() const { return sched::dump_state(scheduler()); }

result<void> runtime_handle::write_timeline(const std::string& path) const {
  if (!scheduler().traces.load(std::memory_order_relaxed))
    return error(errc::unsupported, error_layer::runtime,
                 {"the timeline is off: start the runtime with timeline_events > 0", "", "", ""});
  if (scheduler().outside.load(std::memory_order_acquire) != nullptr) detail::collect_runs(*core_);
  std::string text = sched::timeline_json(scheduler());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr)
    return error(errc::io, error_layer::runtime, {"cannot open '" + path + "'", "", "", ""}, errno);
  std::size_t written = std::fwrite(text.data(), 1, text.size(), file);
  int closed = std::fclose(file);
  if (written == text.size() && closed == 0) return {};
  return error(errc::io, error_layer::runtime, {"cannot write '" + path + "'", "", "", ""}, errno);
}

void runtime_handle::kill_core(sched::actor_core* a) const noexcept {
  sched::context* here = sched::context_in(scheduler());
  if (a == nullptr || here == nullptr) return;
  sched::kill_actor(
      *here, *a,
      error(errc::actor_died, error_layer::runtime, {"the actor was killed", "", "", ""}));
}

namespace detail {

runtime_core::~runtime_core() {
  if (devices != nullptr) home->stop({});
  devices = nullptr;
}

std::uint64_t deadline_of(sched::context& here, std::chrono::nanoseconds timeout) {
  if (timeout == no_timeout) return sched::forever;
  return base::deadline_after(sched::now_ns(here), timeout);
}

result<void> wait_for(sched::scheduler& home, sched::cell* x,
                      std::chrono::nanoseconds timeout) noexcept {
  if (x == nullptr)
    return error(errc::invalid_ref, error_layer::runtime,
                 {"the ref is empty or was moved from", "", "", ""});
  if (x->sealed()) return {};
  sched::context* here = sched::context_in(home);
  if (here == nullptr) return error(errc::no_memory, error_layer::runtime);
  if (timeout == no_timeout && sched::run_if_newest(*here, *x)) return {};
  BEAMLET_TRY_VOID(check_fork(home));
  return sched::wait_sealed(*here, *x, deadline_of(*here, timeout));
}

result<void> wait_for_some(sched::scheduler& home, sched::cell* const* cells, std::size_t size,
                           std::size_t count, std::chrono::nanoseconds timeout) noexcept {
  sched::context* here = sched::context_in(home);
  if (here == nullptr) return error(errc::no_memory, error_layer::runtime);
  BEAMLET_TRY_VOID(check_fork(home));
  return sched::wait_some(*here, cells, size, count, deadline_of(*here, timeout));
}

result<void> check_fork(sched::scheduler& home) noexcept {
  auto* core = static_cast<runtime_core*>(home.facade);
  if (core->fork_generation == ports::fork_generation()) return {};
  home.now.store(sched::phase::forked, std::memory_order_relaxed);
  return error(errc::forked, error_layer::runtime,
               {"the runtime was started before the fork and has no threads here; start another",
                "", "", ""});
}

}  // namespace detail

// -- this_task

namespace this_task {

namespace {
sched::cell* running_cell() noexcept {
  sched::context* here = sched::this_context;
  if (here == nullptr || here->depth == 0) return nullptr;
  return here->current->running.load(std::memory_order_relaxed);
}
}  // namespace

bool cancelled() noexcept {
  sched::context* here = sched::this_context;
  return here != nullptr && here->depth > 0 && sched::this_attempt_cancelled(*here);
}

std::string name() {
  sched::cell* x = running_cell();
  return x != nullptr ? sched::function_name(*x) : std::string();
}

std::uint32_t attempt() noexcept {
  sched::cell* x = running_cell();
  sched::cell_extra* extra = x != nullptr ? x->extra.load(std::memory_order_relaxed) : nullptr;
  return extra != nullptr ? extra->attempt : 0;
}

runtime_handle runtime() noexcept {
  sched::context* here = sched::this_context;
  if (here == nullptr || here->depth == 0) return runtime_handle();
  return runtime_handle(static_cast<detail::runtime_core*>(here->face->facade));
}

}  // namespace this_task

result<void> this_actor::exit() noexcept {
  sched::context* here = sched::this_context;
  if (here == nullptr || here->depth == 0 || sched::current_actor(*here) == nullptr)
    return error(errc::not_found, error_layer::runtime,
                 {"no actor's method runs on this thread", "", "", ""});
  sched::exit_current_actor(*here);
  return {};
}

bool this_actor::was_restarted() noexcept {
  sched::context* here = sched::this_context;
  if (here == nullptr || here->depth == 0) return false;
  const sched::actor_core* a = sched::current_actor(*here);
  return a != nullptr && a->restarted;
}

namespace sched {

sleep_awaiter::sleep_awaiter(std::uint64_t ns) noexcept : sleep_ns(ns) {
  check = [](awaiter_base& self, error&) noexcept {
    return static_cast<sleep_awaiter&>(self).wait.timed_out() ? verdict::resume : verdict::not_yet;
  };
  abandon = [](awaiter_base& self) noexcept { static_cast<sleep_awaiter&>(self).wait.stop(); };
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
