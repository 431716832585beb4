// SPDX-License-Identifier: Apache-2.0
// The way from tasks, actors and options to the agent. Only `run_child` names what is behind it, so
// that a program without worker processes does not link them.

#include <new>
#include <utility>

#include "beamlet/runtime/actor.hpp"
#include "runtime/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

namespace {
error no_child_entry(const char* what) {
  return error(errc::unsupported, error_layer::runtime,
               {std::string(what) + " needs this as the first line of main: if (auto code = "
                                    "beamlet::run_child(argc, argv)) return *code;",
                "", "", ""});
}
}  // namespace

result<void> ensure_agent(sched::scheduler& home) {
  const agent_support* support = agent_support_here.load(std::memory_order_acquire);
  return support != nullptr ? support->ensure(home) : no_child_entry("isolation = process");
}

result<void> attach_box(runtime_core& core) {
  const agent_support* support = agent_support_here.load(std::memory_order_acquire);
  return support != nullptr ? support->attach(core) : no_child_entry("options.box");
}

void collect_runs(runtime_core& core) {
  const agent_support* support = agent_support_here.load(std::memory_order_acquire);
  if (support != nullptr && core.agent != nullptr) support->collect(*core.agent);
}

memory_source& memory_of_results(runtime_core& core) {
  const agent_support* support = agent_support_here.load(std::memory_order_acquire);
  const bool has_agent = core.home->outside.load(std::memory_order_acquire) != nullptr;
  if (support == nullptr || !has_agent) return heap_memory();
  std::lock_guard hold(core.agent_lock);
  return core.agent != nullptr ? support->memory(*core.agent) : heap_memory();
}

result<std::vector<std::string>> environment_of(const runtime_env& env) {
  std::vector<std::string> all;
  for (auto& [name, value] : env.env_vars) {
    if (name.empty() || name.find('=') != name.npos || name.find('\0') != name.npos ||
        value.find('\0') != value.npos)
      return error(
          errc::invalid_argument, error_layer::runtime,
          {"runtime_env::env_vars has the name '" + name +
               "'; a name is not empty and has no '=', and neither it nor its value a zero",
           "", "", ""});
    all.push_back(name + "=" + value);
  }
  return all;
}

sched::cell_extra* make_creation_extra(sched::actor_options& o) noexcept {
  auto* extra = new (std::nothrow) sched::cell_extra;
  if (extra == nullptr) return nullptr;
  extra->isolated = std::move(o.isolated);
  extra->needs = std::move(o.needs);
  extra->name = o.name;
  return extra;
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
