// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/api.hpp"

#include <utility>

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

error missing_in_vulkan(const char* name) {
  return compute_error(errc::unsupported, std::string("this Vulkan driver has no ") + name);
}

errc meaning_of(VkResult code) noexcept {
  switch (code) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_FRAGMENTATION:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_MEMORY_MAP_FAILED: return errc::no_memory;
    case VK_ERROR_DEVICE_LOST: return errc::device_lost;
    case VK_TIMEOUT: return errc::timeout;
    case VK_ERROR_INITIALIZATION_FAILED:
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_INVALID_EXTERNAL_HANDLE: return errc::unsupported;
    default: return errc::unknown;
  }
}

}  // namespace

#define BEAMLET_X(name)                                             \
  made.name = reinterpret_cast<PFN_vk##name>(find(of, "vk" #name)); \
  if (made.name == nullptr) return missing_in_vulkan("vk" #name);

result<vulkan_instance_api> load_instance_api(PFN_vkGetInstanceProcAddr find, VkInstance of) {
  vulkan_instance_api made;
  BEAMLET_VULKAN_INSTANCE_FUNCTIONS(BEAMLET_X)
  return made;
}

result<vulkan_device_api> load_device_api(PFN_vkGetDeviceProcAddr find, VkDevice of) {
  vulkan_device_api made;
  BEAMLET_VULKAN_DEVICE_FUNCTIONS(BEAMLET_X)
  made.GetMemoryHostPointerPropertiesEXT =
      reinterpret_cast<PFN_vkGetMemoryHostPointerPropertiesEXT>(
          find(of, "vkGetMemoryHostPointerPropertiesEXT"));
  return made;
}
#undef BEAMLET_X

std::string name_of(VkResult code) {
#define BEAMLET_X(name) \
  case name: return #name
  switch (code) {
    BEAMLET_X(VK_TIMEOUT);
    BEAMLET_X(VK_ERROR_OUT_OF_HOST_MEMORY);
    BEAMLET_X(VK_ERROR_OUT_OF_DEVICE_MEMORY);
    BEAMLET_X(VK_ERROR_INITIALIZATION_FAILED);
    BEAMLET_X(VK_ERROR_DEVICE_LOST);
    BEAMLET_X(VK_ERROR_MEMORY_MAP_FAILED);
    BEAMLET_X(VK_ERROR_LAYER_NOT_PRESENT);
    BEAMLET_X(VK_ERROR_EXTENSION_NOT_PRESENT);
    BEAMLET_X(VK_ERROR_FEATURE_NOT_PRESENT);
    BEAMLET_X(VK_ERROR_INCOMPATIBLE_DRIVER);
    BEAMLET_X(VK_ERROR_TOO_MANY_OBJECTS);
    BEAMLET_X(VK_ERROR_OUT_OF_POOL_MEMORY);
    BEAMLET_X(VK_ERROR_INVALID_EXTERNAL_HANDLE);
    BEAMLET_X(VK_ERROR_UNKNOWN);
    default: return "VkResult " + std::to_string(static_cast<int>(code));
  }
#undef BEAMLET_X
}

error vulkan_error(VkResult code, std::string what) {
  return compute_error(meaning_of(code), std::move(what) + ": " + name_of(code), code);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
