// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/runtime.hpp"
#include "runtime/core.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

/// Shared by the handle and by the run that is queued. The next run is a delayed task, so that it
/// ends with the runtime as every task does.
struct periodic_core {
  runtime_core* runtime;
  std::chrono::nanoseconds interval;
  std::function<void()> function;
  std::atomic<bool> stopped{false};
};

namespace {

void queue_next_run(const std::shared_ptr<periodic_core>& core) {
  task_options options;
  options.name = "periodic";
  options.delay = core->interval;
  runtime_handle(core->runtime)
      .task([core] {
        if (core->stopped.load(std::memory_order_acquire)) return;
        core->function();
        if (!core->stopped.load(std::memory_order_acquire)) queue_next_run(core);
      })
      .options(std::move(options))
      .remote();
}

}  // namespace
}  // namespace detail

periodic_task runtime_handle::start_periodic(std::chrono::nanoseconds interval,
                                             std::function<void()> function) const {
  auto core = std::make_shared<detail::periodic_core>();
  core->runtime = core_;
  core->interval = std::max(interval, std::chrono::nanoseconds(std::chrono::milliseconds(1)));
  core->function = std::move(function);
  detail::queue_next_run(core);
  return periodic_task(std::move(core));
}

periodic_task& periodic_task::operator=(periodic_task&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

periodic_task::~periodic_task() { stop(); }

void periodic_task::stop() noexcept {
  if (core_ != nullptr) core_->stopped.store(true, std::memory_order_release);
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
