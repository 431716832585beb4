// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/backend.hpp"
#include "compute/vulkan/memory.hpp"
#include "compute/vulkan/pipeline_cache.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// A device that is too old, or cannot compute, is one as well: open() says why it is of no use.
class vulkan_device final : public device {
 public:
  vulkan_device(vulkan_description about, std::string cache_folder)
      : cache_folder_(std::move(cache_folder)) {
    core_.about = std::move(about);
  }
  ~vulkan_device() override;

  const device_info& info() const noexcept override { return core_.about.info; }
  result<void> open() override;
  result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes, memory_place place) override;
  result<std::unique_ptr<device_buffer>> import(std::span<std::byte> memory,
                                                memory_access access) override;
  result<std::unique_ptr<kernel>> compile(const kernel_source& source,
                                          const kernel_constants& constants) override;
  result<std::unique_ptr<device_queue>> make_queue() override;

  /// For tests, which put faults into the driver's table.
  vulkan_core& core() noexcept { return core_; }
  const vulkan_memory& memory() const noexcept { return *memory_; }

 private:
  result<void> create();
  result<void> check();

  vulkan_core core_;
  std::string cache_folder_;
  std::vector<VkQueue> queues_;
  std::size_t queues_made_ = 0;
  std::unique_ptr<vulkan_pipeline_cache> pipelines_;
  std::unique_ptr<vulkan_memory> memory_;  // null before open()
};

/// vulkan_devices(), of other libraries.
result<std::vector<std::unique_ptr<device>>> vulkan_devices_of(const vulkan_libraries& libraries,
                                                               const backend_options& options);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
