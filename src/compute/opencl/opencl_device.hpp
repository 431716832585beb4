// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "compute/backend.hpp"
#include "compute/opencl/context.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class opencl_device final : public device {
 public:
  opencl_device(std::shared_ptr<const opencl_driver> driver, cl_device_id id, device_info what,
                std::shared_ptr<const blob_cache> cache)
      : at_(std::move(driver), id, std::move(what), std::move(cache)) {}

  const device_info& info() const noexcept override { return at_.info; }
  /// Also finds out whether the driver works in imported memory itself, or in copies of it.
  result<void> open() override;
  result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes, memory_place place) override;
  result<std::unique_ptr<device_buffer>> import(std::span<std::byte> memory,
                                                memory_access access) override;
  result<std::unique_ptr<kernel>> compile(const kernel_source& source,
                                          const kernel_constants& constants) override;
  result<std::unique_ptr<device_queue>> make_queue() override;

 private:
  result<bool> imports_in_place();

  opencl_context at_;
};

/// What a driver says of its device. `import_alignment` is what it would be: open() looks.
///
/// Errors: unsupported (a device that kernels cannot be compiled for, with the reason).
result<device_info> describe_opencl(const opencl_driver& driver, cl_platform_id platform,
                                    cl_device_id id);

/// Loaders know all drivers of the system; drivers are opened by themselves where no loader is, or
/// where it knows none (containers often lack the list that it reads).
struct opencl_libraries {
  std::span<const char*const> loaders, drivers;
};

/// Those that systems are known to have.
opencl_libraries known_opencl_libraries() noexcept;

/// opencl_devices(), of other libraries: the devices of the first that shows any. Where the
/// loader's own variables OCL_ICD_VENDORS and OCL_ICD_FILENAMES say which drivers there are, no
/// others are opened beside it.
///
/// Thread: any.   Blocks: as long as drivers take to start.
/// Errors: not_found, or unsupported where one was there and is no driver of OpenCL 1.2; with all
/// that was looked for.
result<std::vector<std::unique_ptr<device>>> opencl_devices_of(const opencl_libraries& libraries,
                                                               const backend_options& options);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
