// SPDX-License-Identifier: Apache-2.0
#include "beamlet/sched/observe.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "sched/actor_extra.hpp"
#include "sched/statistics.hpp"
#include "sched/wait.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr std::size_t listed_max = 200;  // of each kind: a dump is read by people

/// What other processes ran they name by its name, which may be that of a function here: the one
/// that was called has the samples of both.
void fold_samples(std::vector<function_stats>& all, std::vector<std::uint64_t>& sampled) {
  std::unordered_map<std::string_view, std::size_t> called;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].calls != 0) called.try_emplace(all[i].name, i);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].calls != 0 || all[i].samples == 0) continue;
    auto to = called.find(all[i].name);
    if (to == called.end()) continue;
    all[to->second].samples += all[i].samples;
    sampled[to->second] += sampled[i];
  }
}

void add_functions(runtime_stats& s, scheduler& home) {
  std::vector<std::uint64_t> sampled;
  {
    std::lock_guard hold(home.functions_lock);
    for (const std::string& name : home.function_names) s.functions.push_back({name});
    sampled.resize(s.functions.size());
  }
  for_each_context(home, [&](context& c) {
    std::lock_guard hold(c.table_lock);
    const function_counter* table = c.table.load(std::memory_order_acquire);
    std::size_t size = std::min<std::size_t>(c.table_size, s.functions.size());
    for (std::size_t i = 0; i < size; ++i) {
      s.functions[i].calls += table[i].calls.load(std::memory_order_relaxed);
      s.functions[i].errors += table[i].errors.load(std::memory_order_relaxed);
      s.functions[i].samples += table[i].samples.load(std::memory_order_relaxed);
      sampled[i] += table[i].sampled_ns.load(std::memory_order_relaxed);
    }
  });
  fold_samples(s.functions, sampled);
  for (std::size_t i = 0; i < sampled.size(); ++i)
    if (auto& f = s.functions[i]; f.samples != 0)
      f.mean_us = static_cast<double>(sampled[i]) / 1000 / static_cast<double>(f.samples);
  std::erase_if(s.functions, [](const function_stats& f) { return f.calls == 0; });
}

std::string age(std::uint64_t now, std::uint64_t since) {
  return std::to_string((now > since ? now - since : 0) / 1'000'000) + " ms";
}

std::string what(const frame& f) {
  const cell* x = f.running.load(std::memory_order_relaxed);
  return x != nullptr ? function_name(*x) : std::string("a foreign thread");
}

}  // namespace

void add_counters(counters& to, const counters& from) noexcept {
  auto add = [](std::atomic<std::uint64_t>& t, const std::atomic<std::uint64_t>& f) {
    counters::raise(t, f.load(std::memory_order_relaxed));
  };
  add(to.completed, from.completed);  // before `submitted`: see quiescent()
  add(to.failed, from.failed);
  add(to.cancelled, from.cancelled);
  add(to.retried, from.retried);
  add(to.messages, from.messages);
  add(to.stolen, from.stolen);
  add(to.parked, from.parked);
  add(to.slept, from.slept);
  add(to.helped, from.helped);
  add(to.submitted, from.submitted);
}

runtime_stats collect_stats(scheduler& home) {
  counters sum;
  {
    std::lock_guard hold(home.contexts_lock);
    add_counters(sum, home.gone);
  }
  for_each_context(home, [&](context& c) { add_counters(sum, c.count); });
  runtime_stats s;
  s.submitted = sum.submitted, s.completed = sum.completed, s.failed = sum.failed;
  s.cancelled = sum.cancelled, s.retried = sum.retried, s.messages = sum.messages;
  s.stolen = sum.stolen, s.parked = sum.parked, s.helped = sum.helped, s.slept = sum.slept;
  unsigned used = home.workers_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) s.queued += home.workers[i]->queue.size();
  s.queued += home.high.size() + home.low.size();
  s.waiting_for_resources = home.waiting_count.load(std::memory_order_relaxed);
  s.timers = home.timers.size();
  {
    std::lock_guard hold(home.roots_lock);
    for (coroutine_root* r = home.roots; r != nullptr; r = r->following) ++s.suspended;
  }
  {
    std::lock_guard hold(home.actors_lock);
    for (actor_core* a = home.actors; a != nullptr; a = a->following) ++s.actors;
  }
  s.workers = home.workers_wanted;
  for (unsigned i = home.workers_wanted; i < home.workers_wanted + home.options.spare_threads_max;
       ++i)
    if (home.workers[i]->awake.load(std::memory_order_relaxed)) ++s.spare_threads;
  {
    std::lock_guard hold(home.blocking_lock);
    s.blocking_threads = home.blocking_threads;
  }
  s.pool_bytes = sched::pool_bytes();
  add_functions(s, home);
  return s;
}

std::string dump_state(scheduler& home) {
  std::uint64_t now = home.port->now_ns();
  std::string text;
  auto line = [&](const std::string& l) { text += l + "\n"; };
  {
    std::lock_guard hold(home.park_lock);
    for (const parked_get* p = home.parked; p != nullptr; p = p->next) {
      std::string wanted = p->want != nullptr    ? function_name(*p->want)
                           : p->actor != nullptr ? "room in a mailbox"
                                                 : "several";
      if (p->actor != nullptr) wanted += " of actor " + std::string(p->actor->type->name);
      line(what(*p->top) + " waits for " + wanted + " since " + age(now, p->since_ns));
    }
  }
  {
    std::lock_guard hold(home.roots_lock);
    std::size_t n = 0;
    for (coroutine_root* r = home.roots; r != nullptr && n < listed_max; r = r->following, ++n) {
      while (r->locked.exchange(true, std::memory_order_acquire)) ports::pause();
      std::string wanted =
          r->awaiting != nullptr ? function_name(*r->awaiting) : std::string("a time");
      r->locked.store(false, std::memory_order_release);
      line("coroutine " + function_name(*r->target) + " waits for " + wanted + " since " +
           age(now, r->since_ns));
    }
  }
  {
    std::lock_guard hold(home.ledger_lock);
    std::size_t n = 0;
    for (cell* x = home.waiting_first; x != nullptr && n < listed_max; x = x->next, ++n)
      line(function_name(*x) + " waits for resources");
  }
  {
    std::lock_guard hold(home.actors_lock);
    std::size_t n = 0;
    for (actor_core* a = home.actors; a != nullptr && n < listed_max; a = a->following) {
      std::uint64_t calls =
          mail_word::count(a->mail.load()) + a->batch_left.load(std::memory_order_relaxed);
      std::uint32_t running = a->running_calls.load(std::memory_order_relaxed);
      if (calls == 0 && running == 0) continue;
      line("actor " + std::string(a->type->name) + " has about " + std::to_string(calls) +
           " calls waiting and " + std::to_string(running) + " suspended or running elsewhere");
      ++n;
    }
  }
  return text.empty() ? "nothing waits\n" : text;
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
