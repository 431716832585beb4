// SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels from OpenCL C.
//
// What a kernel's text has to be: argument 0 is a struct of the parameters, by value (where there
// are none it is left out), then follows one __global pointer for each buffer. CONSTANT_0,
// CONSTANT_1, ... are macros with the values of kernel_constants; the first two are the group's
// size. KERNEL of kernels/dialect.h writes that.

#include <memory>

#include "compute/backend.hpp"
#include "compute/opencl/context.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class opencl_kernel final : public kernel {
 public:
  /// Takes the program from the cache where it is there, else from the compiler.
  /// Errors: as device::compile().
  static result<std::unique_ptr<opencl_kernel>> compile(opencl_context& at,
                                                        const kernel_source& source,
                                                        const kernel_constants& constants);
  cl_kernel handle() const noexcept { return handle_.get(); }

 private:
  opencl_kernel(const kernel_source& source, const kernel_constants& constants,
                kernel_origin origin, opencl_owned<cl_program> program,
                opencl_owned<cl_kernel> handle) noexcept
      : kernel(source, constants, origin),
        program_(std::move(program)),
        handle_(std::move(handle)) {}

  opencl_owned<cl_program> program_;
  opencl_owned<cl_kernel> handle_;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
