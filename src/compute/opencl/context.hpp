// SPDX-License-Identifier: Apache-2.0
#pragma once

// What all objects of one OpenCL device share: the driver's handles, its errors as ours, and
// waiting that ends.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "beamlet/base/time.hpp"
#include "beamlet/compute/device.hpp"
#include "compute/blob_cache.hpp"
#include "compute/opencl/api.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// Thread: one at a time, as the device.
class opencl_context {
 public:
  opencl_context(std::shared_ptr<const opencl_driver> driver, cl_device_id id, device_info what,
                 std::shared_ptr<const blob_cache> cache);

  ~opencl_context();
  opencl_context(const opencl_context&) = delete;
  opencl_context& operator=(const opencl_context&) = delete;

  /// Makes the driver's context, and a queue for what buffers do.
  result<void> open();

  const opencl_driver& driver() const noexcept { return *driver_; }
  cl_device_id id() const noexcept { return id_; }
  cl_context handle() const noexcept { return context_.get(); }
  /// In order; buffers are mapped and unmapped with it.
  cl_command_queue transfers() const noexcept { return transfers_.get(); }
  const blob_cache& cache() const noexcept { return *cache_; }
  device_info info;

  /// A queue in order, which notes when work began and ended where the driver can.
  result<opencl_owned<cl_command_queue>> make_queue();

  // -- errors

  /// Ok while the device is not lost; afterwards always what lost it.
  result<void> check() const { return lost_; }
  /// Of a call of the driver. Loses the device where the code says so.
  result<void> check(cl_int code, opencl_step step, const char* call);
  /// Something of the driver's did not end in time: what it may still touch is never given back.
  void abandon() noexcept { abandoned_ = true; }
  /// What the device cannot do, or was asked for wrongly.
  error refuse(errc code, std::string why) const;

  // -- waiting

  /// Waits until a command has ended; it was flushed.
  /// Errors: timeout (the command goes on), device_lost, no_memory (found out when it ran).
  result<void> wait(cl_event command, base::time_ns timeout_ns);
  /// Whether it has. Errors: as wait(), but for timeout.
  result<bool> has_ended(cl_event command);

  template <class Handle>
  opencl_owned<Handle> own(Handle handle, typename opencl_release<Handle>::function how) const {
    return {handle, {how}};
  }
  opencl_owned<cl_event> own(cl_event event) const { return own(event, driver_->clReleaseEvent); }
  /// Of a command that has ended. Drivers use an event for a moment longer than it takes them to
  /// say so, and PoCL 3.1 is not prepared for the next command to come just when that was its last
  /// use: it is given back when many others have come after it.
  void retire(opencl_owned<cl_event> event) noexcept {
    retired_[retired_count_++ % retired_.size()] = std::move(event);
  }

 private:
  error fail(errc what, cl_int code, const char* call);

  std::shared_ptr<const opencl_driver> driver_;
  cl_device_id id_;
  std::shared_ptr<const blob_cache> cache_;
  opencl_owned<cl_context> context_;
  opencl_owned<cl_command_queue> transfers_;
  std::array<opencl_owned<cl_event>, 256> retired_{};
  std::size_t retired_count_ = 0;
  result<void> lost_;
  bool abandoned_ = false;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
