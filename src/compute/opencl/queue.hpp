// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "compute/backend.hpp"
#include "compute/opencl/context.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class opencl_queue final : public device_queue {
 public:
  opencl_queue(opencl_context& at, opencl_owned<cl_command_queue> queue) noexcept
      : at_(&at), queue_(std::move(queue)) {}
  ~opencl_queue() override;

  result<void> launch(const kernel& what, const kernel_launch& how) override;
  result<void> copy(const binding& from, const binding& to) override;
  result<std::uint64_t> submit() override;
  result<void> wait(std::uint64_t ticket, base::time_ns timeout_ns) override;
  device_span span_of(std::uint64_t ticket) const noexcept override;

 private:
  using commands = std::vector<opencl_owned<cl_event>>;
  struct submitted {
    std::uint64_t ticket;
    commands events;  // every one of them is asked how it ended
  };
  struct noted_span {
    std::uint64_t ticket = 0;
    device_span span;
  };

  result<void> check_binding(const binding& part) const;
  result<void> add_wait(const binding& part, std::vector<cl_event>& waits);
  result<void> took(cl_int rc, const char* call, cl_event event);
  device_span span_of(const commands& events) const;

  opencl_context* at_;
  opencl_owned<cl_command_queue> queue_;
  commands recorded_;
  std::deque<submitted> submitted_;
  std::uint64_t tickets_ = 0;
  std::array<noted_span, 16> spans_{};
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
