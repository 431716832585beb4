// SPDX-License-Identifier: Apache-2.0
#pragma once

// The entry points of Vulkan 1.1, as tables that are filled at run time: nothing here is linked
// with a driver. Their names are those of the manual without `vk`, so vk.CreateBuffer(...) is
// vkCreateBuffer.

#include <cstdint>
#include <string>

#include "beamlet/base/result.hpp"
#include "compute/errors.hpp"

#if BEAMLET_VULKAN
// The header's prototypes are never called. They are not switched off by VK_NO_PROTOTYPES: whoever
// includes the single header may want them.
#include <vulkan/vulkan.h>

#define BEAMLET_VULKAN_INSTANCE_FUNCTIONS(X)   \
  X(EnumeratePhysicalDevices)                  \
  X(GetPhysicalDeviceProperties)               \
  X(GetPhysicalDeviceProperties2)              \
  X(GetPhysicalDeviceFeatures2)                \
  X(GetPhysicalDeviceMemoryProperties)         \
  X(GetPhysicalDeviceQueueFamilyProperties)    \
  X(GetPhysicalDeviceExternalBufferProperties) \
  X(EnumerateDeviceExtensionProperties)        \
  X(CreateDevice)                              \
  X(GetDeviceProcAddr)

#define BEAMLET_VULKAN_DEVICE_FUNCTIONS(X) \
  X(DestroyDevice)                         \
  X(GetDeviceQueue)                        \
  X(CreateBuffer)                          \
  X(DestroyBuffer)                         \
  X(GetBufferMemoryRequirements)           \
  X(AllocateMemory)                        \
  X(FreeMemory)                            \
  X(BindBufferMemory)                      \
  X(MapMemory)                             \
  X(FlushMappedMemoryRanges)               \
  X(InvalidateMappedMemoryRanges)          \
  X(CreateShaderModule)                    \
  X(DestroyShaderModule)                   \
  X(CreateDescriptorSetLayout)             \
  X(DestroyDescriptorSetLayout)            \
  X(CreatePipelineLayout)                  \
  X(DestroyPipelineLayout)                 \
  X(CreatePipelineCache)                   \
  X(DestroyPipelineCache)                  \
  X(GetPipelineCacheData)                  \
  X(CreateComputePipelines)                \
  X(DestroyPipeline)                       \
  X(CreateDescriptorPool)                  \
  X(DestroyDescriptorPool)                 \
  X(ResetDescriptorPool)                   \
  X(AllocateDescriptorSets)                \
  X(UpdateDescriptorSets)                  \
  X(CreateCommandPool)                     \
  X(DestroyCommandPool)                    \
  X(ResetCommandPool)                      \
  X(AllocateCommandBuffers)                \
  X(BeginCommandBuffer)                    \
  X(EndCommandBuffer)                      \
  X(CmdBindPipeline)                       \
  X(CmdBindDescriptorSets)                 \
  X(CmdPushConstants)                      \
  X(CmdDispatch)                           \
  X(CmdCopyBuffer)                         \
  X(CmdPipelineBarrier)                    \
  X(CmdResetQueryPool)                     \
  X(CmdWriteTimestamp)                     \
  X(CreateQueryPool)                       \
  X(DestroyQueryPool)                      \
  X(GetQueryPoolResults)                   \
  X(CreateFence)                           \
  X(DestroyFence)                          \
  X(ResetFences)                           \
  X(GetFenceStatus)                        \
  X(WaitForFences)                         \
  X(QueueSubmit)

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

#define BEAMLET_X(name) PFN_vk##name name = nullptr;
struct vulkan_instance_api {
  BEAMLET_VULKAN_INSTANCE_FUNCTIONS(BEAMLET_X)
};
struct vulkan_device_api {
  BEAMLET_VULKAN_DEVICE_FUNCTIONS(BEAMLET_X)
  PFN_vkGetMemoryHostPointerPropertiesEXT GetMemoryHostPointerPropertiesEXT = nullptr;  ///< or null
};
#undef BEAMLET_X

/// Errors: unsupported, naming what the driver does not have.
result<vulkan_instance_api> load_instance_api(PFN_vkGetInstanceProcAddr find, VkInstance of);
result<vulkan_device_api> load_device_api(PFN_vkGetDeviceProcAddr find, VkDevice of);

/// "VK_ERROR_DEVICE_LOST"
std::string name_of(VkResult code);

/// What a code of the driver's means here; `what` was tried, as "vkCreateDevice".
error vulkan_error(VkResult code, std::string what);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
