// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/pipeline_cache.hpp"

#include <bit>
#include <span>
#include <utility>
#include <vector>

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

vulkan_pipeline_cache::~vulkan_pipeline_cache() {
  if (core_->pipelines == VK_NULL_HANDLE || core_->is_abandoned) return;
  if (made_ > saved_ && !core_->is_lost) save();
  core_->vk.DestroyPipelineCache(core_->device, core_->pipelines, nullptr);
}

blob_key vulkan_pipeline_cache::key() const noexcept {
  const vulkan_description& about = core_->about;
  blob_key made;
  made.add("Vulkan pipelines").add(about.info.name).add(about.info.driver);
  made.add(about.driver_version).add(std::as_bytes(std::span(about.pipelines_uuid)));
  return made.add(std::as_bytes(std::span(about.info.uuid)));
}

result<VkPipelineCache> vulkan_pipeline_cache::make(std::span<const std::byte> kept) {
  VkPipelineCacheCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  how.initialDataSize = kept.size();
  how.pInitialData = kept.empty() ? nullptr : kept.data();
  VkPipelineCache made = VK_NULL_HANDLE;
  const VkResult code = core_->vk.CreatePipelineCache(core_->device, &how, nullptr, &made);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreatePipelineCache");
  return made;
}

result<void> vulkan_pipeline_cache::open() {
  if (!folder_.empty()) {
    auto opened = blob_cache::open(folder_);
    if (opened.has_value()) files_ = std::move(*opened);
  }
  if (const auto kept = files_.find(key()); kept.has_value()) {
    if (auto made = make(*kept); made.has_value()) {
      core_->pipelines = *made;
      bytes_kept_ = kept->size();
      return {};
    }
    files_.remove(key());
  }
  BEAMLET_TRY(core_->pipelines, make({}));
  return {};
}

void vulkan_pipeline_cache::count_pipeline() {
  if (std::has_single_bit(++made_)) save();
}

void vulkan_pipeline_cache::save() {
  saved_ = made_;
  if (!files_.is_open()) return;
  std::size_t bytes = 0;
  const auto& get = core_->vk.GetPipelineCacheData;
  if (get(core_->device, core_->pipelines, &bytes, nullptr) != VK_SUCCESS) return;
  // Pipelines that were found there add nothing.
  if (bytes == bytes_kept_ || bytes > blob_cache::blob_bytes_max) return;
  std::vector<std::byte> blob(bytes);
  if (get(core_->device, core_->pipelines, &bytes, blob.data()) != VK_SUCCESS) return;
  files_.store(key(), std::span(blob).first(bytes));
  bytes_kept_ = bytes;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
