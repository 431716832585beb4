// SPDX-License-Identifier: Apache-2.0
// Making a scheduler and its threads.

#include "sched/scheduler.hpp"

#include "ports/uv/uv_port.hpp"
#include "sched/internal.hpp"
#include "sched/no_throw.hpp"
#include "sched/statistics.hpp"
#include "sched/timeline.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace sched {

namespace {

constexpr unsigned helpers_max = 4;  // foreign threads with a queue of their own
constexpr std::size_t stack_default =
    sizeof(void*) == 8 ? std::size_t{64} << 20 : std::size_t{8} << 20;
constexpr std::size_t blocking_stack = std::size_t{1} << 20;
constexpr std::uint64_t trim_after_ns = 1'000'000'000;  // idle for this long, then memory goes back
constexpr std::size_t trim_above = std::size_t{4} << 20;

struct trim_timer : timer {
  scheduler* home;
};

}  // namespace

result<std::unique_ptr<scheduler>> scheduler::make(scheduler_options options) {
  std::unique_ptr<ports::port> port(
      static_cast<ports::port*>(std::exchange(options.port, nullptr)));
  if (port == nullptr) {
    BEAMLET_TRY(port, ports::make_uv_port());
  }
  ports::prepare_asymmetric_fences();
  auto made = std::make_unique<scheduler>(std::move(options), std::move(port));
  BEAMLET_TRY_VOID(made->start_threads());
  return made;
}

scheduler::scheduler(scheduler_options wanted, std::unique_ptr<ports::port> the_port)
    : options(std::move(wanted)), log(options.log, options.log_level), port(std::move(the_port)) {
  simulated = port->simulated();
  solo = simulated || options.workers == 0;
  workers_wanted =
      simulated ? std::max(1u, options.simulated_workers) : std::max(1u, options.workers);
  if (solo) options.spare_threads_max = 0;
  if (options.stack_bytes == 0) options.stack_bytes = stack_default;
  start_ns = port->now_ns();
  traces = options.timeline_events != 0 && !options.traces_on_demand;
  unsigned slots = workers_wanted + options.spare_threads_max + (solo ? 0 : helpers_max);
  for (unsigned i = 0; i < slots; ++i) {
    workers.push_back(std::make_unique<worker>(*this, i, i >= workers_wanted));
    if (i < workers_wanted + options.spare_threads_max)
      workers.back()->here.timeline = make_timeline();
  }
  workers_used.store(workers_wanted, std::memory_order_release);
  loop_context.owner.store(this, std::memory_order_relaxed);
  loop_context.face = this;
  loop_context.current = new_frame();
  loop_context.on_loop = true;
  if (solo) workers[0]->here.on_loop = true;
  for (unsigned i = 0; simulated && i < workers_wanted; ++i) workers[i]->here.on_loop = true;
  register_live(*this);
}

scheduler::~scheduler() {
  stop({});
  unregister_live(*this);
  if (this_context != nullptr && this_context->owner.load(std::memory_order_relaxed) == this)
    this_context = nullptr;
  while (frame* f = frames_all) {
    frames_all = f->all;
    delete f;
  }
}

timeline_ring* scheduler::make_timeline() noexcept {
  if (options.timeline_events == 0) return nullptr;
  std::unique_ptr<timeline_ring> made;  // its ring is an array: the allocation may throw
  try_allocate([&] { made = std::make_unique<timeline_ring>(options.timeline_events); });
  return made.release();
}

result<void> scheduler::start_worker_thread(worker& w) {
  std::string name = options.thread_name + "-" + std::to_string(w.index);
  ports::thread_options t;
  t.name = name.c_str();
  t.stack_bytes = options.stack_bytes;
  t.cpu = options.pin_threads ? static_cast<int>(w.index) : -1;
  t.hook = options.thread_hook;
  t.hook_user = options.thread_hook_user;
  t.index = w.index;
  BEAMLET_TRY(w.thread, ports::thread::start(
                            t,
                            [](void* self) {
                              auto& me = *static_cast<worker*>(self);
                              me.here.stack_low = ports::current_stack().low;
                              me.thread_main();
                            },
                            &w));
  return {};
}

result<void> scheduler::start_threads() {
  if (simulated) {
    this->loop_context.stack_low = ports::current_stack().low;
    return {};
  }
  if (port->external()) {
    context* callers = find_context(*this);
    if (callers == nullptr) return error(errc::no_memory, error_layer::sched);
    callers->on_loop = true;
    port->drive([](void* self) { static_cast<scheduler*>(self)->step_on_callers_loop(); }, this);
  } else {
    ports::thread_options t;
    std::string name = options.thread_name + "-loop";
    t.name = name.c_str();
    t.stack_bytes = solo ? options.stack_bytes : blocking_stack;
    t.hook = options.thread_hook;
    t.hook_user = options.thread_hook_user;
    t.index = static_cast<unsigned>(workers.size());
    BEAMLET_TRY(loop_thread, ports::thread::start(
                                 t,
                                 [](void* self) {
                                   auto& me = *static_cast<scheduler*>(self);
                                   std::uintptr_t low = ports::current_stack().low;
                                   me.loop_context.stack_low = low;
                                   if (me.solo) me.workers[0]->here.stack_low = low;
                                   me.loop_main();
                                 },
                                 this));
  }
  if (solo) return {};
  for (unsigned i = 0; i < workers_wanted; ++i) {
    auto started = start_worker_thread(*workers[i]);
    if (started.has_value()) continue;
    stop({});
    return started;
  }
  return {};
}

bool scheduler::start_blocking_thread() noexcept {
  auto mine = std::unique_ptr<blocking_thread>(new (std::nothrow) blocking_thread);
  if (mine == nullptr) return false;
  mine->home = this;
  std::lock_guard hold(spares_lock);
  std::erase_if(blocking_pool, [](auto& t) {
    if (!t->ended.load(std::memory_order_acquire)) return false;
    t->thread.join();
    return true;
  });
  std::string name = options.thread_name + "-blk";
  ports::thread_options t;
  t.name = name.c_str();
  t.stack_bytes = blocking_stack;
  t.hook = options.thread_hook;
  t.hook_user = options.thread_hook_user;
  t.index = static_cast<unsigned>(workers.size()) + 1;
  auto* raw = mine.get();
  if (!try_push_back(blocking_pool, std::move(mine))) return false;
  auto started = ports::thread::start(
      t,
      [](void* self) {
        auto& me = *static_cast<blocking_thread*>(self);
        me.home->blocking_main();
        me.ended.store(true, std::memory_order_release);
      },
      raw);
  if (!started.has_value()) {
    blocking_pool.pop_back();
    return false;
  }
  raw->thread = *std::move(started);
  return true;
}

void scheduler::offer_trim() noexcept {
  if (sched::pool_bytes() < trim_above || trim_pending.exchange(true, std::memory_order_acq_rel))
    return;
  auto* t = new (std::nothrow) trim_timer;
  if (t == nullptr) return trim_pending.store(false, std::memory_order_release);
  t->home = this;
  t->when_ns = port->now_ns() + trim_after_ns;
  t->fire = [](timer& self) noexcept {
    auto* mine = static_cast<trim_timer*>(&self);
    scheduler& home = *mine->home;
    delete mine;
    home.trim_pending.store(false, std::memory_order_release);
    flush_pool();
    trim_pool();
  };
  if (add_timer(*t)) return;
  delete t;
  trim_pending.store(false, std::memory_order_release);
}

void check_load(context& here) noexcept {
  scheduler& home = here.home();
  std::uint64_t completed = 0, submitted = 0;
  for_each_context(home, [&](context& c) {
    completed += c.count.completed.load(std::memory_order_relaxed);
    submitted += c.count.submitted.load(std::memory_order_relaxed);
  });
  home.full.store(submitted > completed && submitted - completed > home.options.tasks_max,
                  std::memory_order_relaxed);
}

void note_bridge(context& here, cell& x) noexcept {
  scheduler& home = here.home();
  std::lock_guard hold(home.bridged_lock);
  std::erase_if(home.bridged, [](cell* old) {
    if (!old->sealed()) return false;
    old->release();
    return true;
  });
  x.add_reference();
  if (!try_push_back(home.bridged, &x)) x.release();
}

std::uint64_t now_ns(const context& here) noexcept { return here.home().port->now_ns(); }

error refuse(const context& here) {
  switch (here.face->now.load(std::memory_order_acquire)) {
    case phase::forked:
      return error(
          errc::forked, error_layer::sched,
          {"the runtime was started before the fork and has no threads here; start another", "", "",
           ""});
    case phase::running:
    case phase::draining:
      check_load(const_cast<context&>(here));
      return error(errc::queue_full, error_layer::sched,
                   {"more than " + std::to_string(here.home().options.tasks_max) +
                        " tasks are pending (runtime_options::tasks_max)",
                    "", "", ""});
    default: return error(errc::stopped, error_layer::sched);
  }
}

}  // namespace sched
}  // namespace BEAMLET_ABI
}  // namespace beamlet
