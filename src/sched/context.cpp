// SPDX-License-Identifier: Apache-2.0
// Contexts of threads that are no workers, and the table of functions.

#include <algorithm>

#include "beamlet/sched/function_names.hpp"
#include "sched/no_throw.hpp"
#include "sched/scheduler.hpp"
#include "sched/statistics.hpp"
#include "sched/timeline.hpp"
#include "sched/wait.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

thread_local constinit context* this_context = nullptr;

namespace {

struct live_schedulers {
  std::mutex lock;
  std::vector<scheduler*> list;
};
live_schedulers& all_live() {
  static live_schedulers* only =
      new live_schedulers;  // never destroyed: threads may end after main does
  return *only;
}

/// What one thread remembers of the schedulers it has used. It owns its contexts, so that
/// `this_context` never dangles; a scheduler that ends takes its address out of them.
struct thread_contexts {
  std::vector<std::unique_ptr<context>> mine;
  ~thread_contexts() {
    this_context = nullptr;
    auto& live = all_live();
    std::lock_guard hold(live.lock);
    for (auto& c : mine)
      if (scheduler* s = c->owner.load(std::memory_order_relaxed)) s->forget_foreign_context(*c);
  }
};
thread_contexts& remembered() {
  static thread_local thread_contexts mine;
  return mine;
}

context* make_foreign_context(scheduler& home) noexcept {
  auto made = std::unique_ptr<context>(new (std::nothrow) context);
  if (made == nullptr) return nullptr;
  context* c = made.get();
  c->owner.store(&home, std::memory_order_relaxed);
  c->face = &home;
  c->current = home.new_frame();
  c->stack_low = ports::current_stack().low;
  c->timeline = home.make_timeline();
  auto& mine = remembered().mine;
  std::erase_if(mine, [](auto& old) {
    if (old->owner.load(std::memory_order_acquire) != nullptr) return false;
    if (this_context == old.get()) this_context = nullptr;  // it ended just now, in the background
    return true;
  });
  if (c->current == nullptr || !try_push_back(mine, std::move(made))) return nullptr;
  std::lock_guard hold(home.contexts_lock);
  if (try_push_back(home.foreign, c)) return c;
  mine.pop_back();
  return nullptr;
}

}  // namespace

void register_live(scheduler& s) {
  auto& live = all_live();
  std::lock_guard hold(live.lock);
  live.list.push_back(&s);
}

void unregister_live(scheduler& s) {
  auto& live = all_live();
  std::lock_guard hold(live.lock);
  live.list.erase(std::remove(live.list.begin(), live.list.end(), &s), live.list.end());
  std::lock_guard hold_contexts(s.contexts_lock);
  for (context* c : s.foreign)
    c->owner.store(nullptr, std::memory_order_release);  // its last reader
  s.foreign.clear();
}

bool is_live(const scheduler* s) noexcept {
  auto& live = all_live();
  std::lock_guard hold(live.lock);
  return std::find(live.list.begin(), live.list.end(), s) != live.list.end();
}

context* find_context(scheduler& home) noexcept {
  // That of a scheduler which has ended is no worker's any more, and goes when the next one is
  // made.
  if (this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == nullptr)
    this_context = nullptr;
  if (this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == &home)
    return this_context;  // a worker's own, or the loop's
  context* found = nullptr;
  for (auto& c : remembered().mine)
    if (c->owner.load(std::memory_order_relaxed) == &home) found = c.get();
  if (found == nullptr) found = make_foreign_context(home);
  // A worker of another runtime keeps its own context current.
  bool foreign_here =
      this_context == nullptr || (this_context->self == nullptr && !this_context->on_loop);
  if (found != nullptr && foreign_here) this_context = found;
  return found;
}

void scheduler::forget_foreign_context(context& ended) noexcept {
  std::lock_guard hold(contexts_lock);
  for (frame* f = std::exchange(ended.current, nullptr); f != nullptr;) {
    frame* deeper = f->deeper;
    f->generation.fetch_add(1, std::memory_order_release);  // a later thread is another caller
    f->outer = nullptr;
    free_frame(*f);
    f = deeper;
  }
  add_counters(gone, ended.count);
  if (worker* lent = std::exchange(ended.self, nullptr)) return_helper(*this, *lent);
  foreign.erase(std::remove(foreign.begin(), foreign.end(), &ended), foreign.end());
}

// -- functions

std::uint32_t find_function(context& here, const function_identity& identity) noexcept {
  scheduler& home = here.home();
  std::uint32_t index = 0;
  bool known = try_allocate([&] {
    std::lock_guard hold(home.functions_lock);
    auto [at, fresh] = home.function_by_key.try_emplace(identity.key, home.function_names.size());
    index = at->second;
    if (!fresh) return;
    std::string name = registered_name(identity.key);
    home.function_names.push_back(name.empty() ? readable_type(identity.type()) : std::move(name));
  });
  if (!known) return 0;  // counted under "other"
  auto slot = (reinterpret_cast<std::uintptr_t>(identity.key) >> 4) % context::cache_size;
  here.functions[slot] = {identity.key, index};
  return index;
}

std::uint32_t named_function(context& here, std::string_view name) noexcept {
  scheduler& home = here.home();
  std::uint32_t index = 0;
  try_allocate([&] {
    std::lock_guard hold(home.functions_lock);
    std::string wanted(name);
    auto known = home.function_by_name.find(wanted);
    if (known != home.function_by_name.end()) return void(index = known->second);
    if (home.function_names.size() >= functions_max) return;  // somebody names every single call
    home.function_names.push_back(wanted);
    index = static_cast<std::uint32_t>(home.function_names.size() - 1);
    home.function_by_name.emplace(std::move(wanted), index);
  });
  return index;
}

std::string function_name(const cell& x) {
  if (auto* extra = x.extra.load(std::memory_order_acquire);
      extra != nullptr && !extra->name.empty())
    return extra->name;
  scheduler& home = *x.home;
  std::lock_guard hold(home.functions_lock);
  return x.function < home.function_names.size() ? home.function_names[x.function]
                                                 : std::string("other");
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
