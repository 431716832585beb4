// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/vulkan_device.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "compute/vulkan/queue.hpp"
#include "ports/dynamic_library.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Queues of the driver's beyond these are one and the same again.
constexpr std::uint32_t driver_queues_max = 4;

// Without a loader one driver may be found under two names. Within one, equal numbers are the
// driver's word for nothing.
bool is_known_device(const std::vector<std::unique_ptr<device>>& known,
                     const vulkan_description& one) {
  return std::ranges::any_of(known, [&](const auto& other) {
    const vulkan_description& about = static_cast<vulkan_device&>(*other).core().about;
    return about.in != one.in && about.info.uuid == one.info.uuid &&
           one.info.uuid != decltype(one.info.uuid){};
  });
}

// Mesa keeps what it compiles in a folder of its own, besides the pipelines that it hands out; its
// driver on the processor hands out none. It is asked for when the first device is looked for.
void tell_mesa_where_to_cache(const std::string& folder) {
  if (folder.empty() || !blob_cache::open(folder).has_value()) return;
  if (const std::string mesa = folder + "/mesa"; blob_cache::open(mesa).has_value())
    ports::set_environment_default("MESA_SHADER_CACHE_DIR", mesa);
}

}  // namespace

vulkan_device::~vulkan_device() {
  memory_.reset();
  pipelines_.reset();
  if (core_.device == nullptr || core_.is_abandoned) return;
  core_.vk.DestroyDevice(core_.device, nullptr);
}

result<void> vulkan_device::open() {
  if (memory_ != nullptr) return core_.check();
  if (!core_.about.unusable.empty()) return core_.fail(errc::unsupported, core_.about.unusable);
  if (core_.device == nullptr) BEAMLET_TRY_VOID(create());
  auto pipelines = std::make_unique<vulkan_pipeline_cache>(core_, cache_folder_);
  BEAMLET_TRY_VOID(pipelines->open());
  pipelines_ = std::move(pipelines);
  memory_ = std::make_unique<vulkan_memory>(core_);
  return {};
}

result<void> vulkan_device::create() {
  vulkan_description& about = core_.about;
  constexpr std::array<float, driver_queues_max> priorities{1, 1, 1, 1};
  VkDeviceQueueCreateInfo queues{};
  queues.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queues.queueFamilyIndex = about.family;
  queues.queueCount = std::min(about.queues, driver_queues_max);
  queues.pQueuePriorities = priorities.data();
  VkDeviceCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  how.pNext = about.features.link();
  how.queueCreateInfoCount = 1;
  how.pQueueCreateInfos = &queues;
  how.enabledExtensionCount = static_cast<std::uint32_t>(about.extensions.size());
  how.ppEnabledExtensionNames = about.extensions.data();
  VkDevice made = nullptr;
  const VkResult code = about.in->vk.CreateDevice(about.handle, &how, nullptr, &made);
  if (code != VK_SUCCESS) return core_.fail(code, "vkCreateDevice");
  // A device whose functions are missing cannot be destroyed either.
  BEAMLET_TRY(core_.vk, load_device_api(about.in->vk.GetDeviceProcAddr, made));
  core_.device = made;
  if (core_.vk.GetMemoryHostPointerPropertiesEXT == nullptr) about.info.limits.import_alignment = 0;
  queues_.resize(queues.queueCount);
  for (std::uint32_t i = 0; i < queues.queueCount; ++i)
    core_.vk.GetDeviceQueue(made, about.family, i, &queues_[i]);
  return {};
}

result<void> vulkan_device::check() {
  if (memory_ == nullptr) return core_.fail(errc::invalid_argument, "the device is not open");
  return core_.check();
}

result<std::unique_ptr<device_buffer>> vulkan_device::allocate(std::uint64_t bytes,
                                                               memory_place place) {
  BEAMLET_TRY_VOID(check());
  return memory_->allocate(bytes, place);
}

result<std::unique_ptr<device_buffer>> vulkan_device::import(std::span<std::byte> memory,
                                                             memory_access) {
  BEAMLET_TRY_VOID(check());
  return memory_->import(memory);
}

result<std::unique_ptr<kernel>> vulkan_device::compile(const kernel_source& source,
                                                       const kernel_constants& constants) {
  BEAMLET_TRY_VOID(check());
  BEAMLET_TRY(auto made, vulkan_kernel::make(core_, source, constants));
  pipelines_->count_pipeline();
  return made;
}

result<std::unique_ptr<device_queue>> vulkan_device::make_queue() {
  BEAMLET_TRY_VOID(check());
  const VkQueue handle = queues_[queues_made_++ % queues_.size()];
  return std::unique_ptr<device_queue>(new vulkan_queue(core_, handle));
}

result<std::vector<std::unique_ptr<device>>> vulkan_devices_of(const vulkan_libraries& libraries,
                                                               const backend_options& options) {
  tell_mesa_where_to_cache(options.cache_folder);
  BEAMLET_TRY(const auto found, find_vulkan_devices(libraries));
  std::vector<std::unique_ptr<device>> made;
  for (const found_vulkan_device& one : found) {
    vulkan_description about = describe_vulkan(one);
    if (is_known_device(made, about)) continue;
    about.info.index = static_cast<std::uint32_t>(made.size());
    made.push_back(std::make_unique<vulkan_device>(std::move(about), options.cache_folder));
  }
  return made;
}

result<std::vector<std::unique_ptr<device>>> vulkan_devices(const backend_options& options) {
  return vulkan_devices_of(known_vulkan_libraries(), options);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
