// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory of a device. Drivers bound how many allocations there may be (4096 is common), so small
// buffers are parts of blocks; large ones have a block of their own.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/backend.hpp"
#include "compute/vulkan/core.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

class vulkan_memory;

/// One allocation with one VkBuffer over all of it.
struct vulkan_block {
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkBuffer buffer = VK_NULL_HANDLE;
  std::uint64_t bytes = 0;
  memory_place place = memory_place::device;
  bool is_host_visible = false, is_coherent = false, is_shared = false;
  std::byte* mapped = nullptr;  ///< from the first map() on; for imported memory at once

  struct range {
    std::uint64_t offset, bytes;
  };
  std::vector<range> free;  ///< by offset, none beside another

  bool is_empty() const noexcept { return free.size() == 1 && free[0].bytes == bytes; }
  /// First fit; `bytes` and what comes back are multiples of the allocator's granule. Returns
  /// `bytes` of the block where nothing fits.
  std::uint64_t take(std::uint64_t wanted);
  void give(std::uint64_t offset, std::uint64_t count);
};

class vulkan_buffer final : public device_buffer {
 public:
  vulkan_buffer(vulkan_memory& from, vulkan_block& in, std::uint64_t offset, std::uint64_t bytes,
                bool imported) noexcept
      : device_buffer(bytes, in.is_host_visible, imported),
        from_(&from),
        in_(&in),
        offset_(offset) {}
  ~vulkan_buffer() override;

  VkBuffer handle() const noexcept { return in_->buffer; }
  const vulkan_block* block() const noexcept { return in_; }
  /// Where it begins in that.
  std::uint64_t offset() const noexcept { return offset_; }
  /// The program's own memory, if it is imported: two imports of the same are one memory.
  const std::byte* imported_at() const noexcept { return is_imported() ? in_->mapped : nullptr; }

  result<std::byte*> map(memory_access access, base::time_ns timeout_ns) override;
  result<void> unmap() override;

 private:
  vulkan_memory* from_;
  vulkan_block* in_;
  std::uint64_t offset_;
  bool is_written_ = false;  // by whom it is mapped for
};

/// Thread: the device's.   Lifetime: goes after its buffers.
class vulkan_memory {
 public:
  explicit vulkan_memory(vulkan_core& core) noexcept;
  ~vulkan_memory();

  /// Errors: too_large, no_memory, device_lost.
  result<std::unique_ptr<device_buffer>> allocate(std::uint64_t bytes, memory_place place);
  /// Errors: unsupported, no_memory, device_lost.
  result<std::unique_ptr<device_buffer>> import(std::span<std::byte> memory);

  /// How many allocations of the driver's there are.
  std::size_t allocation_count() const noexcept { return blocks_.size(); }

 private:
  friend class vulkan_buffer;
  result<std::unique_ptr<device_buffer>> part_of_block(std::uint64_t bytes, std::uint64_t rounded,
                                                       memory_place place);
  result<vulkan_block*> make_block(std::uint64_t bytes, memory_place place, bool is_shared);
  result<vulkan_block*> import_block(std::span<std::byte> memory);
  result<void> bind(vulkan_block& to, const VkMemoryAllocateInfo& how);
  std::uint64_t rounded(std::uint64_t bytes) const noexcept;
  void release(vulkan_block& in, std::uint64_t offset, std::uint64_t bytes) noexcept;
  void drop(vulkan_block& which) noexcept;
  bool drop_empty() noexcept;
  void destroy(vulkan_block& which) noexcept;

  vulkan_core* core_;
  std::uint64_t granule_, block_bytes_;
  std::vector<std::unique_ptr<vulkan_block>> blocks_;
};

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
