// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/program.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "beamlet/base/limits.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

std::string options_of(const kernel_source& source, const kernel_constants& constants) {
  std::string made(source.code->opencl_options);
  for (std::uint32_t i = 0; i < source.constants; ++i)
    made += " -DCONSTANT_" + std::to_string(i) + "=" + std::to_string(constants.values[i]);
  if (made.find("-cl-std") == made.npos) made += " -cl-std=CL1.2";
  return made;
}

blob_key key_of_program(const opencl_context& at, const kernel_source& source,
                        const std::string& options) {
  blob_key key;
  key.add("opencl").add(at.info.vendor).add(at.info.name).add(at.info.driver);
  key.add(source.code->opencl_prologue).add(source.code->opencl).add(options);
  return key;
}

// What can be told before a compiler is asked, so that nothing fails later than it has to.
result<void> check_source(const opencl_context& at, const kernel_source& source,
                          const kernel_constants& constants) {
  const std::string name = "kernel '" + std::string(source.name) + "' ";
  if (source.code == nullptr || source.code->opencl.empty())
    return at.refuse(errc::unsupported, name + "was not written in OpenCL C");
  if (source.constants < 2 || source.constants > kernel_constants::count_max)
    return at.refuse(errc::invalid_argument, name + "has not 2 to 12 constants");
  const device_limits& limits = at.info.limits;
  if (source.buffers > limits.buffers_max || source.parameter_bytes > limits.parameter_bytes)
    return at.refuse(errc::unsupported, name + "takes more buffers or parameters than a launch");
  const std::uint64_t x = constants.values[0], y = constants.values[1];
  if (x == 0 || y == 0) return at.refuse(errc::invalid_argument, name + "has groups of no items");
  if (x > limits.group_size_max[0] || y > limits.group_size_max[1] ||
      x * y > limits.group_items_max)
    return at.refuse(errc::unsupported, name + "has groups of " + std::to_string(x) + " x " +
                                            std::to_string(y) + " items");
  return {};
}

// The compiler's words, from its first error on where they are more than an error can hold.
std::string log_of_build(const opencl_context& at, cl_program program) {
  std::size_t bytes = 0;
  const auto ask = at.driver().clGetProgramBuildInfo;
  if (ask(program, at.id(), CL_PROGRAM_BUILD_LOG, 0, nullptr, &bytes) != CL_SUCCESS) return {};
  std::string log(bytes, '\0');
  if (ask(program, at.id(), CL_PROGRAM_BUILD_LOG, bytes, log.data(), nullptr) != CL_SUCCESS)
    return {};
  log.resize(std::min(log.size(), log.find('\0')));
  if (log.size() > limits::error_text_bytes_max / 2)
    if (const std::size_t first = log.find("error:"); first != log.npos)
      if (const std::size_t line = log.rfind('\n', first); line != log.npos) log.erase(0, line + 1);
  return log;
}

result<opencl_owned<cl_program>> build(opencl_context& at, cl_program made, cl_int rc,
                                       const char* call, const std::string& options) {
  BEAMLET_TRY_VOID(at.check(rc, opencl_step::make, call));
  auto program = at.own(made, at.driver().clReleaseProgram);
  const cl_device_id device = at.id();
  rc = at.driver().clBuildProgram(made, 1, &device, options.c_str(), nullptr, nullptr);
  if (code_of_opencl(rc, opencl_step::make) == errc::invalid_argument)
    return at.refuse(errc::invalid_argument,
                     "clBuildProgram: " + name_of_opencl(rc) + ": " + log_of_build(at, made));
  BEAMLET_TRY_VOID(at.check(rc, opencl_step::make, "clBuildProgram"));
  return program;
}

result<opencl_owned<cl_program>> build_text(opencl_context& at, const kernel_code& code,
                                            const std::string& options) {
  const char* texts[] = {code.opencl_prologue.data(), code.opencl.data()};
  const std::size_t sizes[] = {code.opencl_prologue.size(), code.opencl.size()};
  const cl_uint first = code.opencl_prologue.empty() ? 1 : 0;  // an empty text is none
  cl_int rc = CL_SUCCESS;
  cl_program made = at.driver().clCreateProgramWithSource(at.handle(), 2 - first, texts + first,
                                                          sizes + first, &rc);
  return build(at, made, rc, "clCreateProgramWithSource", options);
}

result<opencl_owned<cl_program>> build_blob(opencl_context& at, std::span<const std::byte> blob,
                                            const std::string& options) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(blob.data());
  const std::size_t size = blob.size();
  const cl_device_id device = at.id();
  cl_int rc = CL_SUCCESS, status = CL_SUCCESS;
  cl_program made =
      at.driver().clCreateProgramWithBinary(at.handle(), 1, &device, &size, &bytes, &status, &rc);
  return build(at, made, rc, "clCreateProgramWithBinary", options);
}

std::vector<std::byte> blob_of(const opencl_context& at, cl_program program) {
  std::size_t size = 0;
  const auto ask = at.driver().clGetProgramInfo;
  if (ask(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr) != CL_SUCCESS ||
      size > blob_cache::blob_bytes_max)
    return {};
  std::vector<std::byte> blob(size);
  auto* to = reinterpret_cast<unsigned char*>(blob.data());
  if (ask(program, CL_PROGRAM_BINARIES, sizeof to, &to, nullptr) != CL_SUCCESS) return {};
  return blob;
}

result<opencl_owned<cl_program>> find_or_build(opencl_context& at, const kernel_source& source,
                                               const kernel_constants& constants,
                                               kernel_origin& origin) {
  const std::string options = options_of(source, constants);
  const blob_key key = key_of_program(at, source, options);
  if (const auto blob = at.cache().find(key); blob.has_value()) {
    auto made = build_blob(at, *blob, options);
    origin = kernel_origin::kept;
    if (made.has_value()) return made;
    at.cache().remove(key);  // the driver's own reasons; the text is still there
  }
  origin = kernel_origin::compiled;
  auto made = build_text(at, *source.code, options);
  if (made.has_value() && at.cache().is_open())
    if (const auto blob = blob_of(at, made->get()); !blob.empty()) at.cache().store(key, blob);
  return made;
}

// What the compiler found out, against what the launches will do.
result<void> check_kernel(opencl_context& at, cl_kernel made, const kernel_source& source,
                          const kernel_constants& constants) {
  cl_uint arguments = 0;
  BEAMLET_TRY_VOID(at.check(
      at.driver().clGetKernelInfo(made, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, nullptr),
      opencl_step::make, "clGetKernelInfo"));
  const cl_uint expected = source.buffers + (source.parameter_bytes != 0 ? 1 : 0);
  const std::string name = "kernel '" + std::string(source.name) + "' ";
  if (arguments != expected)
    return at.refuse(errc::invalid_argument, name + "takes " + std::to_string(arguments) +
                                                 " arguments, not " + std::to_string(expected) +
                                                 " (its parameters as one struct, then buffers)");
  std::size_t items = 0;
  cl_ulong local = 0;
  const auto ask = at.driver().clGetKernelWorkGroupInfo;
  if (ask(made, at.id(), CL_KERNEL_WORK_GROUP_SIZE, sizeof items, &items, nullptr) == CL_SUCCESS &&
      std::uint64_t{constants.values[0]} * constants.values[1] > items)
    return at.refuse(errc::unsupported, name + "needs so many registers that a group has " +
                                            std::to_string(items) + " items at most");
  if (ask(made, at.id(), CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, nullptr) == CL_SUCCESS &&
      local > at.info.limits.local_bytes)
    return at.refuse(errc::unsupported, name + "needs " + std::to_string(local) +
                                            " bytes of local memory, there are " +
                                            std::to_string(at.info.limits.local_bytes));
  return {};
}

}  // namespace

result<std::unique_ptr<opencl_kernel>> opencl_kernel::compile(opencl_context& at,
                                                              const kernel_source& source,
                                                              const kernel_constants& constants) {
  BEAMLET_TRY_VOID(at.check());
  BEAMLET_TRY_VOID(check_source(at, source, constants));
  kernel_origin origin = kernel_origin::compiled;
  BEAMLET_TRY(auto program, find_or_build(at, source, constants, origin));
  cl_int rc = CL_SUCCESS;
  const std::string name(source.name);
  cl_kernel made = at.driver().clCreateKernel(program.get(), name.c_str(), &rc);
  if (rc == CL_INVALID_KERNEL_NAME)
    return at.refuse(errc::invalid_argument, "the program has no kernel '" + name + "'");
  BEAMLET_TRY_VOID(at.check(rc, opencl_step::make, "clCreateKernel"));
  auto handle = at.own(made, at.driver().clReleaseKernel);
  BEAMLET_TRY_VOID(check_kernel(at, made, source, constants));
  return std::unique_ptr<opencl_kernel>(
      new opencl_kernel(source, constants, origin, std::move(program), std::move(handle)));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
