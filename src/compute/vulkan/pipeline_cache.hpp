// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the driver made of kernels, kept in the program's folder between runs: one file for a device
// under a driver's version. It is written after the 1st, 2nd, 4th, ... pipeline and at the end, so
// a process that is killed loses at most the later half, and no start writes it many times.

#include <string>

#include "compute/blob_cache.hpp"
#include "compute/vulkan/core.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class vulkan_pipeline_cache {
 public:
  /// An empty folder's name: nothing is kept. One that cannot be used costs the cache only.
  vulkan_pipeline_cache(vulkan_core& core, std::string folder)
      : core_(&core), folder_(std::move(folder)) {}
  ~vulkan_pipeline_cache();

  /// Hands the driver what was kept.   Blocks: reads a file.   Errors: no_memory, device_lost.
  result<void> open();
  /// A pipeline was made.   Blocks: may write a file.
  void count_pipeline();

 private:
  blob_key key() const noexcept;
  result<VkPipelineCache> make(std::span<const std::byte> kept);
  void save();

  vulkan_core* core_;
  std::string folder_;
  blob_cache files_;
  std::size_t bytes_kept_ = 0;  ///< of what is on disk
  std::uint64_t made_ = 0, saved_ = 0;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
