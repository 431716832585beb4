// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a device is and has, as its driver says it, and what is switched on when it is opened.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "beamlet/compute/device.hpp"
#include "compute/vulkan/instance.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// A launch names its buffers one by one: drivers that take a million would need pools to match.
inline constexpr std::uint32_t vulkan_buffers_max = 64;

/// The features that kernels may need, of those that there are; handed to vkCreateDevice as they
/// are, each only where it exists.
struct vulkan_features {
  bool has_8bit = false, has_float16_int8 = false;  ///< whether the driver knows the structure
  VkPhysicalDeviceFeatures2 core{};
  VkPhysicalDevice16BitStorageFeatures storage_16bit{};
  VkPhysicalDevice8BitStorageFeaturesKHR storage_8bit{};
  VkPhysicalDeviceShaderFloat16Int8FeaturesKHR float16_int8{};

  /// Chains the structures together, where they lie now.
  VkPhysicalDeviceFeatures2* link() noexcept;
};

struct vulkan_description {
  const vulkan_instance* in = nullptr;
  VkPhysicalDevice handle = nullptr;
  device_info info;
  std::array<std::uint8_t, VK_UUID_SIZE> pipelines_uuid{};  ///< of its compiler
  std::uint32_t driver_version = 0;
  std::string unusable;  ///< why it cannot be opened; empty: it can

  std::uint32_t family = 0, queues = 0;  ///< that compute
  std::uint32_t timestamp_bits = 0;      ///< of that family; 0: it has no clock
  double timestamp_period_ns = 0;
  std::uint64_t flush_bytes = 1;  ///< memory is flushed in multiples of this
  VkPhysicalDeviceMemoryProperties memory{};
  std::vector<const char*> extensions;  ///< to be switched on
  vulkan_features features;
  VkSubgroupFeatureFlags subgroup_operations = 0;  ///< in kernels

  bool has_extension(std::string_view name) const noexcept;
};

/// Thread: any.   Blocks: no.
vulkan_description describe_vulkan(const found_vulkan_device& which);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
