// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/describe.hpp"

#include <algorithm>
#include <utility>

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Those that are switched on where they are; what needs one looks for it in the description.
constexpr const char* wanted_extensions[] = {
    VK_KHR_8BIT_STORAGE_EXTENSION_NAME,
    VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME,
    VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME,
    VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
    VK_EXT_PIPELINE_CREATION_FEEDBACK_EXTENSION_NAME,
    "VK_KHR_portability_subset"};  // which must be, where it is

std::string version_text(std::uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." +
         std::to_string(VK_API_VERSION_MINOR(version)) + "." +
         std::to_string(VK_API_VERSION_PATCH(version));
}

std::string vendor_of(std::uint32_t id) {
  switch (id) {
    case 0x1002: return "AMD";
    case 0x1010: return "Imagination";
    case 0x10de: return "NVIDIA";
    case 0x13b5: return "Arm";
    case 0x14e4: return "Broadcom";
    case 0x5143: return "Qualcomm";
    case 0x8086: return "Intel";
    case VK_VENDOR_ID_MESA: return "Mesa";
    default: return "vendor " + std::to_string(id);
  }
}

device_kind vulkan_kind_of(VkPhysicalDeviceType type) noexcept {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return device_kind::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return device_kind::software;
    case VK_PHYSICAL_DEVICE_TYPE_OTHER: return device_kind::accelerator;
    default: return device_kind::discrete;  // a part of one, handed to a virtual machine, too
  }
}

result<std::vector<std::string>> extensions_of(const found_vulkan_device& which) {
  std::uint32_t count = 0;
  const auto& vk = which.in->vk;
  VkResult code = vk.EnumerateDeviceExtensionProperties(which.handle, nullptr, &count, nullptr);
  std::vector<VkExtensionProperties> all(count);
  if (code == VK_SUCCESS && count > 0)
    code = vk.EnumerateDeviceExtensionProperties(which.handle, nullptr, &count, all.data());
  if (code < 0) return vulkan_error(code, "vkEnumerateDeviceExtensionProperties");
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) names.emplace_back(all[i].extensionName);
  return names;
}

void read_limits(const VkPhysicalDeviceLimits& said, vulkan_description& to) {
  device_limits& l = to.info.limits;
  l.group_items_max = said.maxComputeWorkGroupInvocations;
  std::copy_n(said.maxComputeWorkGroupSize, 3, l.group_size_max.begin());
  std::copy_n(said.maxComputeWorkGroupCount, 3, l.groups_max.begin());
  l.local_bytes = said.maxComputeSharedMemorySize;
  l.parameter_bytes = said.maxPushConstantsSize;
  l.buffers_max = std::min({said.maxPerStageDescriptorStorageBuffers, said.maxPerStageResources,
                            said.maxDescriptorSetStorageBuffers, vulkan_buffers_max});
  l.binding_bytes_max = said.maxStorageBufferRange;
  l.binding_alignment = std::max<std::uint64_t>(said.minStorageBufferOffsetAlignment, 1);
  to.flush_bytes = std::max<std::uint64_t>(said.nonCoherentAtomSize, 1);
  to.timestamp_period_ns = said.timestampPeriod;
}

void read_memory(vulkan_description& to) {
  to.in->vk.GetPhysicalDeviceMemoryProperties(to.handle, &to.memory);
  constexpr VkMemoryPropertyFlags both =
      VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
  bool is_shared = false;
  for (std::uint32_t i = 0; i < to.memory.memoryTypeCount; ++i)
    is_shared |= (to.memory.memoryTypes[i].propertyFlags & both) == both;
  for (std::uint32_t i = 0; i < to.memory.memoryHeapCount; ++i) {
    const VkMemoryHeap& heap = to.memory.memoryHeaps[i];
    if ((heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0)
      to.info.limits.memory_bytes = std::max<std::uint64_t>(to.info.limits.memory_bytes, heap.size);
  }
  device_info& info = to.info;
  info.features.unified_memory =
      is_shared && (info.kind == device_kind::integrated || info.kind == device_kind::software);
  auto& most = info.limits.buffer_bytes_max;  // the driver's own limit stands there already
  if (info.limits.memory_bytes != 0) most = std::min(most, info.limits.memory_bytes);
  info.limits.binding_bytes_max = std::min(info.limits.binding_bytes_max, most);
}

// Prefers a family that does nothing but compute: on a GPU with a screen the others wait for it.
void choose_family(vulkan_description& to) {
  std::uint32_t count = 0;
  to.in->vk.GetPhysicalDeviceQueueFamilyProperties(to.handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> all(count);
  to.in->vk.GetPhysicalDeviceQueueFamilyProperties(to.handle, &count, all.data());
  int best = -1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const VkQueueFamilyProperties& family = all[i];
    if ((family.queueFlags & VK_QUEUE_COMPUTE_BIT) == 0 || family.queueCount == 0) continue;
    const bool is_apart = (family.queueFlags & VK_QUEUE_GRAPHICS_BIT) == 0;
    const int score = (family.timestampValidBits > 0 ? 2 : 0) +
                      (is_apart && to.info.kind == device_kind::discrete ? 1 : 0);
    if (score <= best) continue;
    best = score;
    to.family = i;
    to.queues = family.queueCount;
    to.timestamp_bits = family.timestampValidBits;
  }
  if (best < 0) to.unusable = "it has no queue that computes";
}

void read_features(vulkan_description& to) {
  vulkan_features& f = to.features;
  f.has_8bit = to.has_extension(VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
  f.has_float16_int8 = to.has_extension(VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
  vulkan_features said = f;
  to.in->vk.GetPhysicalDeviceFeatures2(to.handle, said.link());
  f.core.features.shaderInt64 = said.core.features.shaderInt64;
  f.core.features.shaderInt16 = said.core.features.shaderInt16;
  f.storage_16bit.storageBuffer16BitAccess = said.storage_16bit.storageBuffer16BitAccess;
  f.storage_8bit.storageBuffer8BitAccess = said.storage_8bit.storageBuffer8BitAccess;
  f.float16_int8.shaderFloat16 = said.float16_int8.shaderFloat16;
  f.float16_int8.shaderInt8 = said.float16_int8.shaderInt8;
  device_features& features = to.info.features;
  features.storage_16bit = f.storage_16bit.storageBuffer16BitAccess == VK_TRUE;
  features.storage_8bit = f.storage_8bit.storageBuffer8BitAccess == VK_TRUE;
  features.arithmetic_f16 = f.float16_int8.shaderFloat16 == VK_TRUE;
  features.int64 = f.core.features.shaderInt64 == VK_TRUE;
  features.like_a_cpu = to.info.kind == device_kind::software;
}

// Whether memory of the program can be taken over as it is.
bool can_import(const vulkan_description& of) {
  if (!of.has_extension(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME)) return false;
  VkPhysicalDeviceExternalBufferInfo what{};
  what.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO;
  what.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  what.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  VkExternalBufferProperties said{};
  said.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES;
  of.in->vk.GetPhysicalDeviceExternalBufferProperties(of.handle, &what, &said);
  const VkExternalMemoryFeatureFlags flags = said.externalMemoryProperties.externalMemoryFeatures;
  return (flags & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) != 0 &&
         (flags & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT) == 0;
}

void read_properties(vulkan_description& to) {
  VkPhysicalDeviceIDProperties ids{};
  ids.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
  VkPhysicalDeviceSubgroupProperties subgroups{};
  subgroups.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  subgroups.pNext = &ids;
  VkPhysicalDeviceMaintenance3Properties memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  memory.pNext = &subgroups;
  VkPhysicalDeviceDriverPropertiesKHR driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES_KHR;
  driver.pNext = &memory;
  const bool has_driver = to.has_extension(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
  void* chain = has_driver ? static_cast<void*>(&driver) : &memory;
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT host{};
  host.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT;
  host.pNext = chain;
  const bool imports = can_import(to);
  VkPhysicalDeviceProperties2 all{};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  all.pNext = imports ? &host : chain;
  to.in->vk.GetPhysicalDeviceProperties2(to.handle, &all);

  if (has_driver) to.info.driver = std::string(driver.driverName) + " " + driver.driverInfo;
  std::copy_n(ids.deviceUUID, VK_UUID_SIZE, to.info.uuid.begin());
  to.info.limits.buffer_bytes_max = memory.maxMemoryAllocationSize;
  if (imports) to.info.limits.import_alignment = host.minImportedHostPointerAlignment;
  constexpr VkSubgroupFeatureFlags needed =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
      VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
  device_features& features = to.info.features;
  if ((subgroups.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0)
    to.subgroup_operations = subgroups.supportedOperations;
  features.subgroups = subgroups.subgroupSize > 1 && (to.subgroup_operations & needed) == needed;
  features.subgroup_size = features.subgroups ? subgroups.subgroupSize : 0;
}

}  // namespace

VkPhysicalDeviceFeatures2* vulkan_features::link() noexcept {
  core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  storage_16bit.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  storage_8bit.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES_KHR;
  float16_int8.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES_KHR;
  float16_int8.pNext = nullptr;
  storage_8bit.pNext = has_float16_int8 ? &float16_int8 : nullptr;
  storage_16bit.pNext = has_8bit ? static_cast<void*>(&storage_8bit) : storage_8bit.pNext;
  core.pNext = &storage_16bit;
  return &core;
}

bool vulkan_description::has_extension(std::string_view name) const noexcept {
  return std::ranges::find(extensions, name) != extensions.end();
}

vulkan_description describe_vulkan(const found_vulkan_device& which) {
  vulkan_description made;
  made.in = which.in;
  made.handle = which.handle;
  VkPhysicalDeviceProperties said{};
  which.in->vk.GetPhysicalDeviceProperties(which.handle, &said);
  device_info& info = made.info;
  info.backend = "vulkan";
  info.name = said.deviceName;
  info.vendor = vendor_of(said.vendorID);
  info.driver = version_text(said.driverVersion);
  made.driver_version = said.driverVersion;
  std::ranges::copy(said.pipelineCacheUUID, made.pipelines_uuid.begin());
  info.kind = vulkan_kind_of(said.deviceType);
  if (said.apiVersion < VK_API_VERSION_1_1) {
    made.unusable = "it has Vulkan " + version_text(said.apiVersion) + ", and 1.1 is needed";
    return made;
  }
  const auto names = extensions_of(which);
  if (!names.has_value()) {
    made.unusable = names.error().message();
    return made;
  }
  for (const char* wanted : wanted_extensions)
    if (std::ranges::find(*names, wanted) != names->end()) made.extensions.push_back(wanted);
  read_limits(said.limits, made);
  read_properties(made);
  read_memory(made);
  read_features(made);
  choose_family(made);
  return made;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
