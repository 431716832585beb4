// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where drivers are found: through the system's Vulkan loader, else by opening them one by one, as
// containers and small systems often have a driver and no loader, or a loader that is told of none.

#include <span>
#include <string>
#include <vector>

#include "compute/vulkan/api.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

struct vulkan_libraries {
  std::span<const char*const> loaders, drivers;
};

/// Those that systems are known to have.
vulkan_libraries known_vulkan_libraries() noexcept;

/// A loader, or one driver, that was entered: once for the process, and never left, because what it
/// started would be without its code. Lives as long as the process.
struct vulkan_instance {
  std::string library;
  VkInstance handle = nullptr;
  vulkan_instance_api vk;
};

struct found_vulkan_device {
  const vulkan_instance* in = nullptr;
  VkPhysicalDevice handle = nullptr;
};

/// The devices of the first loader that shows any; where none does, those of all drivers. Where the
/// loader's own variables VK_DRIVER_FILES and VK_ICD_FILENAMES say which drivers there are, no
/// others are opened beside it.
///
/// Thread: any.   Blocks: as long as drivers take to start.
/// Errors: not_found, with all that was looked for.
result<std::vector<found_vulkan_device>> find_vulkan_devices(const vulkan_libraries& libraries);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
