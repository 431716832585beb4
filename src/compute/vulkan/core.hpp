// SPDX-License-Identifier: Apache-2.0
#pragma once

// An opened device, as everything that was made of it shares it.

#include "compute/vulkan/describe.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

struct vulkan_core {
  vulkan_description about;
  vulkan_device_api vk;
  VkDevice device = nullptr;
  VkPipelineCache pipelines = VK_NULL_HANDLE;
  bool is_lost = false;
  /// A queue ended while its work went on: from then on nothing is given back to the driver.
  bool is_abandoned = false;

  /// "vulkan:0: vkQueueSubmit: VK_ERROR_DEVICE_LOST"; remembers the loss.
  error fail(VkResult code, const char* what) {
    is_lost |= code == VK_ERROR_DEVICE_LOST;
    return vulkan_error(code, about.info.id() + ": " + what);
  }
  error fail(errc code, const std::string& what) const {
    return compute_error(code, about.info.id() + ": " + what);
  }
  /// Errors: device_lost, from the first loss on.
  result<void> check() {
    if (is_lost) return fail(VK_ERROR_DEVICE_LOST, "lost before");
    return {};
  }
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
