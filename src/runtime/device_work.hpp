// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a device task is to do, an op or a user's kernel, in the terms of `compute`.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "beamlet/runtime/device_task.hpp"
#include "compute/backend.hpp"
#include "compute/plan.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// A user's kernel. Kept by its runtime until that ends, since devices keep what they compiled of
/// it.
struct kernel_state {
  kernel_options how;
  std::string opencl;  // what is given to the compiler
  compute::kernel_code code;
  compute::kernel_source source;

  explicit kernel_state(kernel_options options);
  kernel_state(const kernel_state&) = delete;
  kernel_state& operator=(const kernel_state&) = delete;
};

/// Errors: invalid_argument (an option out of its range, or no language at all; named).
result<std::shared_ptr<kernel_state>> make_kernel(kernel_options options);

/// The op's name, or the kernel's.
std::string name_of(const device_work& what);
/// Errors: those of compute::outputs_of(); invalid_argument (a call that does not fit its kernel).
result<std::vector<compute::tensor_type>> outputs_of(const device_work& what,
                                                     std::span<const compute::operand> inputs);
compute::op_cost cost_of(const device_work& what, std::span<const compute::operand> inputs,
                         std::span<const compute::operand> outputs);
/// Errors: those of compute::plan_for(); unsupported (a kernel that was not written for the
/// device).
result<compute::plan> plan_for(const device_work& what, const compute::device_info& device,
                               std::span<const compute::operand> inputs,
                               std::span<const compute::operand> outputs, std::uint32_t way = 0);
/// An error that would be the same on every device. An op was checked before it came to one.
bool is_callers_error(const error& why, const device_work& what) noexcept;
/// A user's kernel sees its buffers from their first element on.
bool begins_at_first(const device_work& what) noexcept;
/// The same for work that takes about the same time on a device: a hash of the op and what in it
/// changes that time, or of the kernel and its groups, and of types, shapes and strides.
std::uint64_t key_of(const device_work& what, std::span<const compute::operand> inputs,
                     std::span<const compute::operand> outputs) noexcept;

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
