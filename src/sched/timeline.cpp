// SPDX-License-Identifier: Apache-2.0
#include "sched/timeline.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "beamlet/sched/observe.hpp"
#include "sched/no_throw.hpp"
#include "sched/statistics.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
constexpr std::uint32_t table_first = 64;
constexpr std::uint32_t functions_max = 1u << 16;
}  // namespace

/// Grows this thread's table. The old one stays for readers until the context goes.
function_counter* counter_of(context& here, std::uint32_t function) noexcept {
  if (function >= functions_max) return nullptr;
  std::uint32_t size = std::max(table_first, here.table_size);
  while (size <= function) size *= 2;
  auto* fresh = new (std::nothrow) function_counter[size];
  if (fresh == nullptr) return nullptr;
  std::lock_guard hold(here.table_lock);
  function_counter* old = here.table.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < here.table_size; ++i) {
    fresh[i].calls.store(old[i].calls.load(std::memory_order_relaxed), std::memory_order_relaxed);
    fresh[i].errors.store(old[i].errors.load(std::memory_order_relaxed), std::memory_order_relaxed);
    fresh[i].samples.store(old[i].samples.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    fresh[i].sampled_ns.store(old[i].sampled_ns.load(std::memory_order_relaxed),
                              std::memory_order_relaxed);
  }
  here.table.store(fresh, std::memory_order_release);
  here.table_size = size;
  delete[] old;
  return &fresh[function];
}

void end_sample(context& here, std::uint32_t function, std::uint64_t start_ns,
                bool counted) noexcept {
  std::uint64_t spent = now_ns(here) - start_ns;
  if (counted) {
    function_counter& c = here.table.load(std::memory_order_relaxed)[function];
    c.samples.store(c.samples.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    c.sampled_ns.store(c.sampled_ns.load(std::memory_order_relaxed) + spent,
                       std::memory_order_relaxed);
  }
  if (here.timeline != nullptr)
    here.timeline->add({start_ns,
                        static_cast<std::uint32_t>(std::min<std::uint64_t>(spent, UINT32_MAX)),
                        function});
}

context::~context() {
  delete[] table.load(std::memory_order_relaxed);
  delete timeline;
}

std::string timeline_json(scheduler& home) {
  std::vector<std::string> names;
  {
    std::lock_guard hold(home.functions_lock);
    names = home.function_names;
  }
  std::string text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  unsigned thread = 0;
  bool first = true;
  auto number = [](std::uint64_t ns) {
    return std::to_string(ns / 1000) + "." + std::to_string(1000 + ns % 1000).substr(1);
  };
  for_each_context(home, [&](context& c) {
    unsigned id = thread++;
    if (c.timeline == nullptr) return;
    c.timeline->for_each([&](const timeline_record& r) {
      if (!std::exchange(first, false)) text += ",";
      text += "\n{\"ph\":\"X\",\"pid\":1,\"tid\":" + std::to_string(id) +
              ",\"ts\":" + number(r.start_ns - home.start_ns) +
              ",\"dur\":" + number(r.duration_ns) + ",\"name\":";
      base::append_json_string(
          text, r.function < names.size() ? std::string_view(names[r.function]) : "other");
      text += "}";
    });
  });
  text += "\n]}\n";
  return text;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
