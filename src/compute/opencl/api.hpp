// SPDX-License-Identifier: Apache-2.0
#pragma once

// An OpenCL driver as a table of functions that are found at run time: nothing is linked, and the
// same program runs where there is none.

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "beamlet/base/result.hpp"
#include "beamlet/config.hpp"

#if BEAMLET_OPENCL

// 1.2 is what every driver has. What newer ones have besides is asked for by number.
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <CL/cl_ext.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

#define BEAMLET_OPENCL_FUNCTIONS(X) \
  X(clGetPlatformInfo)              \
  X(clGetDeviceIDs)                 \
  X(clGetDeviceInfo)                \
  X(clCreateContext)                \
  X(clReleaseContext)               \
  X(clCreateCommandQueue)           \
  X(clReleaseCommandQueue)          \
  X(clCreateBuffer)                 \
  X(clReleaseMemObject)             \
  X(clCreateProgramWithSource)      \
  X(clCreateProgramWithBinary)      \
  X(clBuildProgram)                 \
  X(clGetProgramInfo)               \
  X(clGetProgramBuildInfo)          \
  X(clReleaseProgram)               \
  X(clCreateKernel)                 \
  X(clGetKernelInfo)                \
  X(clGetKernelWorkGroupInfo)       \
  X(clSetKernelArg)                 \
  X(clReleaseKernel)                \
  X(clEnqueueNDRangeKernel)         \
  X(clEnqueueCopyBuffer)            \
  X(clEnqueueMapBuffer)             \
  X(clEnqueueUnmapMemObject)        \
  X(clFlush)                        \
  X(clGetEventInfo)                 \
  X(clGetEventProfilingInfo)        \
  X(clReleaseEvent)

struct opencl_driver {
#define BEAMLET_X(name) decltype(&::name) name = nullptr;
  BEAMLET_OPENCL_FUNCTIONS(BEAMLET_X)
#undef BEAMLET_X
  std::string library;  ///< the file that was loaded
  std::vector<cl_platform_id> platforms;
};

/// Loads a library that leads to drivers (a loader), or that is one. It stays loaded.
///
/// Thread: any.   Blocks: 20 to 200 ms, the driver's time.
/// Errors: not_found (no such library, or it shows no platform), unsupported (it cannot be loaded,
/// or lacks a function of OpenCL 1.2), each with a sentence.
result<std::shared_ptr<const opencl_driver>> load_opencl(const std::string& library);

// -- what a driver's objects are held by

template <class Handle>
struct opencl_release {
  using function = cl_int(CL_API_CALL*)(Handle);
  function release = nullptr;
  void operator()(Handle what) const noexcept { release(what); }
};
template <class Handle>
using opencl_owned = std::unique_ptr<std::remove_pointer_t<Handle>, opencl_release<Handle>>;

// -- errors

/// Where an error came from. What runs out while something is made is memory; while work is handed
/// over or runs, the device is gone.
enum class opencl_step { make, work };

errc code_of_opencl(cl_int code, opencl_step step) noexcept;
/// "CL_INVALID_VALUE (-30)"
std::string name_of_opencl(cl_int code);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
