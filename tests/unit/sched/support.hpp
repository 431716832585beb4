// SPDX-License-Identifier: Apache-2.0
#pragma once

// A scheduler in a simulated world, driven by the test's own thread, and the smallest cells that
// run in it.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "beamlet/sched/actor_core.hpp"
#include "ports/sim/sim_port.hpp"
#include "sched/scheduler.hpp"

namespace sched_test {
using namespace beamlet;
using namespace beamlet::sched;

/// A task or a message whose body is a lambda and whose value is an int.
struct alignas(16) job : value_cell<int> {
  std::function<int()> body;
  message_link to{};

  static outcome run(cell& self) {
    auto& me = static_cast<job&>(self);
    new (me.place()) int(me.body());
    return outcome::value;
  }
  static message_link& link(cell& self) { return static_cast<job&>(self).to; }
  static void destroy(cell& self) {
    auto& me = static_cast<job&>(self);
    me.destroy_outcome();
    destroy_extra(me.extra.load());
    delete &me;
  }
};

inline constexpr cell_ops task_ops{.enter = enter_task, .run = job::run, .destroy = job::destroy};
inline constexpr cell_ops message_ops{
    .enter = enter_message, .run = job::run, .link = job::link, .destroy = job::destroy};

/// Keeps one reference of a job.
class held_job {
 public:
  explicit held_job(job* x) : x_(x) {}
  held_job(held_job&& other) noexcept : x_(std::exchange(other.x_, nullptr)) {}
  ~held_job() {
    if (x_ != nullptr) x_->release();
  }
  job& operator*() const { return *x_; }
  job* operator->() const { return x_; }

  /// ok when it has a value.
  errc code() const {
    REQUIRE(x_->sealed());
    return x_->state.load() == cell::value ? errc::ok : x_->failure().code();
  }

 private:
  job* x_;
};

struct world {
  explicit world(std::vector<quantity> resources = {}, unsigned workers = 1) {
    scheduler_options options;
    options.simulated_workers = workers;
    options.port = static_cast<ports::port*>(new ports::sim_port(1));
    auto made = scheduler::make(std::move(options));
    REQUIRE(made.has_value());
    home = *std::move(made);
    REQUIRE(home->resources.grow(resources));
  }

  explicit world(std::unique_ptr<scheduler> made) : home(std::move(made)) {}

  context& here() { return *context_in(*home); }
  /// A cell with a reference for whoever runs it and one for the test.
  held_job make(std::function<int()> body, const cell_ops& ops = task_ops) {
    auto* x = new job;
    x->references.store(2);
    x->ops = &ops;
    x->home = home.get();
    x->submitter = here().current;
    x->generation = here().current->generation.load();
    x->body = std::move(body);
    count_submission(here());
    return held_job(x);
  }
  /// Submits a task that needs more than a worker; `set` fills in its options.
  held_job submit(std::function<int()> body, const std::function<void(cell_extra&)>& set) {
    held_job x = make(std::move(body));
    set(*extra_of(*x));
    x->unmet.store(cell::special);
    submit_special(here(), *x);
    return x;
  }
  held_job submit(std::function<int()> body) {
    held_job x = make(std::move(body));
    schedule(here(), *x);
    return x;
  }
  /// Until nothing can happen any more.
  void run() {
    while (home->drive_once(forever)) {}
  }

  std::unique_ptr<scheduler> home;
};

}  // namespace sched_test
