// SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of the user's own, in the languages that devices take:
//
//   auto twice = rt.kernel({.name = "twice",
//                           .opencl = "__kernel void twice(__global const float* x, ...",
//                           .cpu = twice_on_cpu,
//                           .inputs = {dtypes::f32}, .outputs = {dtypes::f32}});
//   auto y = rt.device_task(twice->call({{dtypes::f32, {n}}}, {n / 64})).remote(x);

#include <beamlet/base/dtype.hpp>
#include <beamlet/base/result.hpp>
#include <beamlet/compute/ops.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// One launch as a kernel on the processor sees it: groups `first` to `last` - 1 are its part.
/// Group g is (g % x, g / x % y, g / x / y) of the launch's `groups`.
///
/// Thread: several run parts of one launch at a time; each writes what its groups are for.
/// Lifetime: all that it points to, until the function returns.
struct kernel_part {
  std::byte* const* buffers;    ///< the inputs, which are not written to, then the outputs
  const std::byte* parameters;  ///< the call's struct, at any address: copy it out
  std::uint64_t first, last;

  /// Input or output i, counted together. REQUIRES: T is of its type, and i is less than their
  /// number; nothing checks that.
  template <class T>
  T* as(std::size_t i) const noexcept {
    return reinterpret_cast<T*>(buffers[i]);
  }
};

/// What a kernel is, in as many languages as it was written in. It runs on devices that take one:
/// on OpenCL `opencl` or `dialect`, on Vulkan `spirv`, on the processor `cpu`. At least one is
/// given, and not both of the first two. All have to compute the same.
///
/// Limits: 6 inputs and outputs together, at least one output.
struct kernel_options {
  std::string name = {};     ///< the entry point's in OpenCL C; of a C identifier's letters
  std::string opencl = {};   ///< a program in OpenCL C 1.2
  std::string dialect = {};  ///< a program in the language of kernels/dialect.h, for OpenCL, too
  /// A module for Vulkan 1.1, whose entry point is "main": inputs, then outputs are the storage
  /// buffers 0, 1, ... of set 0; constants 0 and 1 are the group's size, parameters are pushed.
  std::vector<std::uint32_t> spirv = {};
  /// On any threads, several parts at a time. It must not throw, nor wait for tasks.
  void (*cpu)(const kernel_part& part) = nullptr;
  std::vector<dtype> inputs = {}, outputs = {};  ///< what their elements are, in order
  /// Of a struct of 4-byte members: in OpenCL C the first argument, by value, if it is not 0. A
  /// multiple of 4, 128 at most.
  std::uint32_t parameter_bytes = 0;
  /// Items across and down. A device whose groups cannot be as large does not run it; every one can
  /// have 128.
  std::array<std::uint32_t, 2> group_size{64, 1};
};

namespace detail {
struct kernel_state;
}

/// One use of a kernel, for device_task(); device_kernel::call makes it. Outputs are dense and not
/// cleared.
///
/// Thread: a value type.   Lifetime: no longer than the runtime that made the kernel.
struct kernel_call {
  std::shared_ptr<const detail::kernel_state> kernel;
  std::vector<compute::tensor_type> outputs;
  std::array<std::uint32_t, 3> groups{1, 1, 1};
  std::vector<std::byte> parameters;
};

/// Thread: a value type.   Lifetime: it may outlive its runtime, but is of use with that one only.
/// Limits: see runtime_handle::kernel().
class device_kernel {
 public:
  explicit device_kernel(std::shared_ptr<const detail::kernel_state> state) noexcept
      : state_(std::move(state)) {}

  /// `groups` of `kernel_options::group_size` items each; a 0 counts as 1. Outputs: a type and a
  /// shape each, in the order of `kernel_options::outputs`. Nothing relates shapes and groups: the
  /// kernel has to know where its buffers end.
  ///
  /// Thread: any.   Blocks: no.   Cost: as of copying the shapes; nothing is compiled.
  /// Errors: none here. In the task's ref: invalid_argument (outputs, parameters, or inputs' number
  /// and types that are not the kernel's, an input that is not dense), unsupported (no device takes
  /// its languages, or so many groups).
  kernel_call call(std::vector<compute::tensor_type> outputs,
                   std::array<std::uint32_t, 3> groups) const {
    for (std::uint32_t& n : groups)
      if (n == 0) n = 1;  // {x} alone
    return {state_, std::move(outputs), groups, {}};
  }
  /// With parameters: a struct of `kernel_options::parameter_bytes`, of 4-byte members.
  template <class T>
  kernel_call call(std::vector<compute::tensor_type> outputs, std::array<std::uint32_t, 3> groups,
                   const T& parameters) const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);
    kernel_call made = call(std::move(outputs), groups);
    made.parameters.resize(sizeof(T));
    std::memcpy(made.parameters.data(), &parameters, sizeof(T));
    return made;
  }

 private:
  std::shared_ptr<const detail::kernel_state> state_;
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
