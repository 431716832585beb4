// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is handed to the device at once: a command buffer, with all that it needs until it is done.
// Used again afterwards, so that a launch makes no objects of the driver's.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/backend.hpp"
#include "compute/vulkan/kernel.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class vulkan_batch {
 public:
  static result<std::unique_ptr<vulkan_batch>> make(vulkan_core& core);
  ~vulkan_batch();

  /// Errors: no_memory, device_lost.
  result<void> begin();
  /// A descriptor set with these buffers; lives until the next begin().
  result<VkDescriptorSet> bind(const vulkan_kernel& what, std::span<const binding> buffers);
  /// All that was recorded before is seen by what is recorded after, on the device.
  void order();
  /// Ends it, and hands it over.
  result<void> submit(VkQueue to);

  /// Errors: timeout, device_lost.
  result<void> wait(base::time_ns timeout_ns);
  bool is_done();
  /// When the device worked on it.   REQUIRES: it is done.
  device_span span() const noexcept;

  VkCommandBuffer commands() const noexcept { return commands_; }
  std::uint64_t ticket = 0;

 private:
  explicit vulkan_batch(vulkan_core& core) noexcept : core_(&core) {}
  result<void> make_objects();
  result<void> next_pool();
  void barrier(VkPipelineStageFlags from, VkAccessFlags written, VkPipelineStageFlags to,
               VkAccessFlags used);

  vulkan_core* core_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer commands_ = nullptr;
  VkFence fence_ = VK_NULL_HANDLE;
  VkQueryPool times_ = VK_NULL_HANDLE;  ///< null where the queue has no clock
  std::vector<VkDescriptorPool> sets_;
  std::size_t pools_used_ = 0;
  std::uint32_t sets_left_ = 0, buffers_left_ = 0;  ///< in the last pool used
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
