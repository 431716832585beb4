// SPDX-License-Identifier: Apache-2.0
// Both ends of isolation = process: the program's agent, started when it is first needed, or that
// of a box, and what main becomes in a process that one of them started.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "beamlet/base/time.hpp"
#include "beamlet/runtime/child.hpp"
#include "node/agent_thread.hpp"
#include "node/box.hpp"
#include "node/child.hpp"
#include "node/device_probe.hpp"
#include "ports/processes.hpp"
#include "ports/threads.hpp"
#include "ports/uv/uv_port.hpp"
#include "runtime/agent_engine.hpp"
#include "runtime/core.hpp"
#include "sched/scheduler.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

namespace {

constexpr base::time_ns open_wait_ns = 10'000'000'000;
constexpr base::time_ns look_ns = 20'000;             // about as long as a thread takes to be woken
constexpr std::size_t worker_timeline_events = 1024;  // kept until they are told, with each result

node::box_order box_order_of(const runtime_options& o) {
  node::box_order made;
  made.folder = ports::absolute_path(node::box_folder());  // the agent is in another folder
  made.name = o.box;
  made.resources = o.resources;
  made.memory_bytes = o.object_store_memory;
  if (!o.spill_folder.empty()) made.spill_folder = ports::absolute_path(o.spill_folder);
  made.spill_bytes = o.spill_bytes_max;
  made.workers_max = o.worker_processes_max;
  made.strict_objects = o.strict_objects;
  made.memory_usage_threshold = o.memory_usage_threshold;
  made.session_lease_bytes = o.session_lease_bytes;
  made.session_pinned_bytes = o.session_pinned_bytes;
  made.idle_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, o.box_idle.count()));
  return made;
}

node::agent_thread_options agent_options_of(sched::scheduler& home, const runtime_options& o) {
  node::agent_thread_options made;
  made.agent = node::agent_options_of(box_order_of(o));
  made.agent.node = home.port->random_seed() | 1;
  made.agent.cpus = std::max(1u, home.workers_wanted);
  made.agent.log = o.log;
  made.agent.log_level = o.log_level;
  return made;
}

node::session_options session_options_of(sched::scheduler& home, std::string program,
                                         std::uint32_t slots = 0) {
  ports::port& port = *home.port;
  return {.functions_hash = functions_hash(),
          .program = std::move(program),
          .worker = slots != 0,
          .slots = slots,
          .has_entry = node::child_entry_exists(),
          .now_ns = [&port] { return port.now_ns(); },
          .secret = {port.random_seed(), port.random_seed()}};
}

result<void> start_agent(runtime_core& core) {
  sched::scheduler& home = *core.home;
  if (home.simulated)
    return error(errc::unsupported, error_layer::runtime,
                 {"a simulated runtime has no worker processes", "", "", ""});
  BEAMLET_TRY(auto agent, node::agent_thread::start(agent_options_of(home, core.options)));
  auto engine = std::make_shared<agent_engine>();
  engine->serve(home, true);
  BEAMLET_TRY(auto link, agent->connect(engine->session()));
  BEAMLET_TRY_VOID(engine->session().open(
      std::move(link), session_options_of(home, core.options.thread_name), open_wait_ns));
  // Shared, because a function object has to be copyable.
  engine->at_end([agent = std::shared_ptr(std::move(agent))]() mutable { agent.reset(); });
  core.agent = engine;
  home.outside.store(engine.get(), std::memory_order_release);
  return {};
}

result<void> attach_once(runtime_core& core, const node::box_order& box) {
  sched::scheduler& home = *core.home;
  auto engine = std::make_shared<agent_engine>();
  engine->serve(home, false);
  BEAMLET_TRY(auto link, node::attach_to_box(box.folder, box.name, engine->session()));
  BEAMLET_TRY_VOID(engine->session().open(
      std::move(link), session_options_of(home, ports::program_name(ports::process_id())),
      open_wait_ns));
  core.agent = engine;
  home.outside.store(engine.get(), std::memory_order_release);
  return {};
}

void pause_before_next_try(base::time_ns span) {
  std::atomic<std::uint32_t> nobody{0};
  ports::wait_on(nobody, 0, span);
}

result<void> attach_to_named_box(runtime_core& core) {
  const node::box_order box = box_order_of(core.options);
  BEAMLET_TRY_VOID(node::check_box_name(box.name));
  if (core.home->simulated || core.options.engine != nullptr)
    return error(errc::unsupported, error_layer::runtime,
                 {"a runtime that is simulated or has an engine of its own cannot attach to a box",
                  "", "", ""});
  constexpr base::time_ns pause_ns_min = 1'000'000, pause_ns_max = 50'000'000;
  core.folder = ports::current_folder();
  const base::time_ns until_ns = core.home->port->now_ns() + open_wait_ns;
  for (base::time_ns pause_ns = pause_ns_min;; pause_ns = std::min(2 * pause_ns, pause_ns_max)) {
    auto done = attach_once(core, box);
    if (done.has_value()) return done;
    const errc code = done.error().code();
    // An agent may be ending as we come, or not yet listen.
    if (code != errc::connection_refused && code != errc::busy && code != errc::agent_lost)
      return done;
    if (core.home->port->now_ns() >= until_ns) return done;
    if (code == errc::connection_refused) BEAMLET_TRY_VOID(node::start_box(box, open_wait_ns));
    pause_before_next_try(pause_ns);
  }
}

result<void> start_agent_if_none(sched::scheduler& home) {
  if (home.outside.load(std::memory_order_acquire) != nullptr) return {};
  auto& core = *static_cast<runtime_core*>(home.facade);
  std::lock_guard hold(core.agent_lock);
  if (home.outside.load(std::memory_order_acquire) != nullptr) return {};
  if (home.now.load(std::memory_order_acquire) != sched::phase::running)
    return error(errc::stopped, error_layer::runtime);
  return start_agent(core);
}

constexpr agent_support support_here{
    start_agent_if_none, attach_to_named_box, [](agent_engine& agent) { agent.collect_runs(); },
    [](agent_engine& agent) -> memory_source& { return agent.memory(); }};

}  // namespace

}  // namespace detail

namespace {

result<int> work() {
  ports::end_with_parent();  // where its agent dies while a call runs, nobody reads the socket
  BEAMLET_TRY_VOID(detail::check_registry());
  sched::scheduler_options options;
  BEAMLET_TRY(auto port, ports::make_uv_port());
  ports::port& loop = *port;
  options.port = port.get();
  options.thread_name = "beamlet-worker";
  options.timeline_events = detail::worker_timeline_events;
  options.traces_on_demand = true;
  if (ports::usable_cpus() > 1) options.loop_looks_ns = detail::look_ns;
  auto core = std::make_unique<detail::runtime_core>();
  core->fork_generation = ports::fork_generation();
  if (const char* space = std::getenv(detail::name_space_variable)) core->name_space = space;
  if (const char* folder = std::getenv(detail::folder_variable)) {
    core->folder = folder;
    (void)ports::enter_folder(core->folder);  // where that has gone it stays where its agent is
  }
  // The thread that runs the calls reads the socket between them, and while one of them waits.
  auto engine = std::make_shared<detail::agent_engine>();
  BEAMLET_TRY(auto link, node::connect_child(engine->session()));
  BEAMLET_TRY_VOID(link->attach(loop));
  (void)port.release();
  BEAMLET_TRY(core->home, sched::scheduler::make(std::move(options)));
  core->home->facade = core.get();
  core->home->hosts_calls = true;
  const quantity own_cpu[] = {{resource::cpu, amount_per_unit}};  // its one thread
  if (!core->home->resources.grow(own_cpu)) return error(errc::unknown, error_layer::runtime);
  core->agent = engine;
  engine->serve(*core->home, false);
  while (link->read_by_this_thread()) ports::yield();  // until the loop's thread has its first turn
  core->home->outside.store(engine.get(), std::memory_order_release);
  BEAMLET_TRY_VOID(engine->session().open(
      std::move(link), detail::session_options_of(*core->home, "", 1), detail::open_wait_ns));
  engine->wait_for_end();
  core->home->stop({});
  return 0;
}

}  // namespace

std::optional<int> run_child(int argc, char** argv) {
  node::mark_child_entry();
  detail::agent_support_here.store(&detail::support_here, std::memory_order_release);
  auto role = node::child_role_of(argc, argv);
  if (!role.has_value()) return std::nullopt;
  if (*role == node::child_role::probe) {
    const auto probe = reinterpret_cast<std::uintptr_t>(&node::run_probe_child);
    return probe != 0 ? node::run_probe_child() : 1;  // none in a program that starts no probes
  }
  if (*role != node::child_role::worker) return node::run_box_child(*role);
  auto code = work();
  return code.has_value() ? *code : 1;
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
