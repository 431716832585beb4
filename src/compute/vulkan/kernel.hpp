// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "compute/backend.hpp"
#include "compute/vulkan/core.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// A pipeline and how its buffers and parameters are laid out.
class vulkan_kernel final : public kernel {
 public:
  /// Errors: unsupported, invalid_argument, no_memory, device_lost.
  static result<std::unique_ptr<kernel>> make(vulkan_core& core, const kernel_source& source,
                                              const kernel_constants& constants);
  ~vulkan_kernel() override;

  VkPipeline pipeline() const noexcept { return pipeline_; }
  VkPipelineLayout layout() const noexcept { return layout_; }
  VkDescriptorSetLayout buffers() const noexcept { return buffers_; }
  bool writes(std::size_t binding) const noexcept { return (read_only_ >> binding & 1) == 0; }

 private:
  vulkan_kernel(vulkan_core& core, const kernel_source& source,
                const kernel_constants& constants) noexcept
      : kernel(source, constants, kernel_origin::compiled), core_(&core) {}
  result<void> lay_out();
  result<void> compile();

  vulkan_core* core_;
  std::uint64_t read_only_ = 0;
  VkDescriptorSetLayout buffers_ = VK_NULL_HANDLE;
  VkPipelineLayout layout_ = VK_NULL_HANDLE;
  VkPipeline pipeline_ = VK_NULL_HANDLE;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
