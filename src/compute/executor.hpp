// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs plans on one device: compiles kernels when they are first needed, keeps them, and lends
// scratch memory. The device's thread has one.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "compute/backend.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Thread: one at a time.   Lifetime: goes before its device.
class executor {
 public:
  /// REQUIRES: `on` was opened.
  static result<std::unique_ptr<executor>> make(device& on);

  device& on() const noexcept { return *device_; }

  /// `make_room` frees some of the device's memory, or returns false: there is nothing to free.
  void when_short(std::function<bool()> make_room) { make_room_ = std::move(make_room); }
  /// As device::allocate(). Refused for want of memory, it is tried again as long as something can
  /// be let go of.
  result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes, memory_place place);

  /// Records all of a plan. `memory` is that of the operands, in the plan's order.
  /// Blocks: a kernel's first use compiles it.   Errors: those of device and device_queue; what was
  /// recorded before the error may still run.
  result<void> record(const plan& what, std::span<device_buffer* const> memory);

  /// Hands what was recorded to the device.   Errors: as device_queue::submit().
  result<std::uint64_t> submit();
  /// Waits for that, and takes scratch memory back.   Errors: as device_queue::wait().
  result<void> wait(std::uint64_t ticket, base::time_ns timeout_ns);

  device_queue& work() noexcept { return *queue_; }
  /// The last ticket that was waited for.
  std::uint64_t finished() const noexcept { return finished_; }
  std::size_t kernel_count() const noexcept { return kernels_.size(); }
  /// A kernel as it was made for this executor, the first of them 0.
  struct made_kernel {
    std::unique_ptr<kernel> what;
    std::uint64_t took_ns = 0;
  };
  const made_kernel& kernel_at(std::size_t i) const noexcept { return kernels_[i]; }

  /// A kernel, compiled if it was not yet.
  result<const kernel*> find(const kernel_source& source, const kernel_constants& constants);

 private:
  executor(device& on, std::unique_ptr<device_queue> queue) noexcept
      : device_(&on), queue_(std::move(queue)) {}

  struct scratch_buffer {
    std::unique_ptr<device_buffer> memory;
    std::uint64_t ticket = 0;  // that ends its use; 0: free
  };
  result<device_buffer*> lend(std::uint64_t bytes);

  device* device_;
  std::vector<made_kernel> kernels_;
  std::vector<scratch_buffer> scratch_;
  std::uint64_t submitted_ = 0, finished_ = 0;
  std::unique_ptr<device_queue> queue_;  // ends before those: it waits for what uses them
  std::function<bool()> make_room_;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
