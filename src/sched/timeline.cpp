// SPDX-License-Identifier: Apache-2.0
#include "sched/timeline.hpp"

#include <algorithm>
#include <deque>
#include <set>

#include "base/json.hpp"
#include "beamlet/sched/observe.hpp"
#include "ports/threads.hpp"
#include "sched/no_throw.hpp"
#include "sched/statistics.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {
constexpr std::uint32_t table_first = 64;

/// This thread's counter; null: no memory, or too many functions.
function_counter* own_counter(context& here, std::uint32_t function) noexcept {
  function_counter* table = here.table.load(std::memory_order_relaxed);
  return function < here.table_size ? &table[function] : counter_of(here, function);
}

template <class N>
void raise_own(std::atomic<N>& counter, N by) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

void keep_elsewhere(scheduler& home, const run_elsewhere& run) noexcept {
  std::lock_guard hold(home.elsewhere_lock);
  if (home.elsewhere.size() >= home.options.timeline_events) home.elsewhere.pop_front();
  try_allocate([&] { home.elsewhere.push_back(run); });
}

/// A file of events, one a line.
class event_list {
 public:
  event_list() : text_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[") {}
  /// `members`: what comes behind; a name is put last.
  void add(const char* kind, std::uint32_t process, std::uint32_t thread, std::string_view members,
           std::string_view name) {
    if (!std::exchange(first_, false)) text_ += ",";
    text_.append("\n{\"ph\":\"").append(kind).append("\",\"pid\":");
    text_.append(std::to_string(process)).append(",\"tid\":").append(std::to_string(thread));
    text_.append(members).append(",\"name\":");
    base::append_json_string(text_, name);
    text_ += "}";
  }
  void name_process(std::uint32_t process, const char* name) {
    std::string members = ",\"args\":{\"name\":\"";
    add("M", process, 0, members.append(name).append("\"}"), "process_name");
  }
  std::string text() && { return std::move(text_) + "\n]}\n"; }

 private:
  std::string text_;
  bool first_ = true;
};

std::string member_us(const char* name, std::uint64_t ns) {
  return std::string(",\"") + name + "\":" + std::to_string(ns / 1000) + "." +
         std::to_string(1000 + ns % 1000).substr(1);
}

void add_elsewhere(event_list& to, scheduler& home, std::uint32_t own,
                   const std::vector<std::string>& names) {
  std::deque<run_elsewhere> all;
  {
    std::lock_guard hold(home.elsewhere_lock);
    all = home.elsewhere;
  }
  std::set<std::uint32_t> processes;
  std::size_t calls = 0;
  for (const run_elsewhere& r : all) {
    const std::string& name = names[r.function < names.size() ? r.function : 0];
    const std::string start = member_us("ts", r.start_ns - home.start_ns);
    if (r.process != 0) {
      if (r.process != own && processes.insert(r.process).second)
        to.name_process(r.process, "worker process");
      to.add("X", r.process, r.thread, start + member_us("dur", r.duration_ns), name);
      continue;
    }
    const std::string id = ",\"cat\":\"call\",\"id\":" + std::to_string(++calls);
    to.add("b", own, 0, id + start, name);
    to.add("e", own, 0, id + member_us("ts", r.start_ns - home.start_ns + r.duration_ns), name);
  }
}
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
    here.timeline->add({start_ns, std::min(spent, timeline_record::duration_ns_max), function});
}

std::vector<taken_run> take_runs(scheduler& home) {
  std::vector<taken_run> all;
  std::uint32_t thread = 0;
  for_each_context(home, [&](context& c) {
    if (c.timeline != nullptr)
      c.timeline->take([&](const timeline_record& r) { all.push_back({thread, r}); });
    ++thread;
  });
  return all;
}

void note_run(context& here, std::uint32_t process, std::uint32_t thread, std::uint64_t start_ns,
              std::uint64_t duration_ns, std::string_view function) noexcept {
  scheduler& home = here.home();
  const std::uint64_t now = home.port->now_ns();
  if (start_ns < home.start_ns || start_ns > now || duration_ns > now - start_ns) return;
  const std::uint32_t index = named_function(here, function);
  if (function_counter* c = own_counter(here, index)) {
    raise_own(c->samples, 1u);
    raise_own(c->sampled_ns, duration_ns);
  }
  if (home.traces.load(std::memory_order_relaxed) && process != 0)
    keep_elsewhere(home, {process, thread, start_ns, duration_ns, index});
}

void note_call_away(context& here, const cell& x, std::uint64_t since_ns, bool failed) noexcept {
  scheduler& home = here.home();
  if (function_counter* c = own_counter(here, x.function)) {
    raise_own(c->calls, 1u);
    if (failed) raise_own(c->errors, 1u);
  }
  const bool wanted = home.traces.load(std::memory_order_relaxed) && !home.options.traces_on_demand;
  if (since_ns != 0 && wanted)
    keep_elsewhere(home, {0, 0, since_ns, home.port->now_ns() - since_ns, x.function});
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
  event_list events;
  const std::uint32_t own = ports::process_id();
  events.name_process(own, "program");
  std::uint32_t thread = 0;
  for_each_context(home, [&](context& c) {
    const std::uint32_t number = thread++;
    if (c.timeline == nullptr) return;
    c.timeline->for_each([&](const timeline_record& r) {
      events.add("X", own, number,
                 member_us("ts", r.start_ns - home.start_ns) + member_us("dur", r.duration_ns),
                 names[r.function < names.size() ? r.function : 0]);
    });
  });
  add_elsewhere(events, home, own, names);
  return std::move(events).text();
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
