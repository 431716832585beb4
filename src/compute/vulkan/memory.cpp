// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/memory.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// What the contract says of a mapped buffer's address.
constexpr std::uint64_t vulkan_map_alignment = 64;
// A block is a small part of the memory there is, and a buffer in it a small part of the block.
constexpr std::uint64_t blocks_of_memory = 128, parts_of_block = 4;
constexpr std::uint64_t block_bytes_min = 1 << 20, block_bytes_max = 32 << 20;

constexpr VkBufferUsageFlags buffer_usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                            VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                            VK_BUFFER_USAGE_TRANSFER_DST_BIT;

VkBufferCreateInfo buffer_of(std::uint64_t bytes) noexcept {
  VkBufferCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  how.size = bytes;
  how.usage = buffer_usage;
  return how;
}

// How good a type of memory is for a place; negative: cannot be it.
int score_of(VkMemoryPropertyFlags has, memory_place place, bool is_unified) noexcept {
  constexpr VkMemoryPropertyFlags known =
      VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  if ((has & ~known) != 0) return -1;  // of features that are not switched on, or uncached
  const bool is_local = (has & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0;
  const bool is_visible = (has & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0;
  const int as_host = ((has & VK_MEMORY_PROPERTY_HOST_CACHED_BIT) != 0 ? 4 : 0) +
                      ((has & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0 ? 2 : 0);
  if (place == memory_place::host) {
    if (!is_visible) return -1;
    return as_host + (is_local == is_unified ? 1 : 0);
  }
  if (!is_local) return 0;  // better than none: a driver need not have local memory for buffers
  if (!is_unified) return is_visible ? 1 : 2;  // the visible part of a GPU's memory is small
  return is_visible ? 2 + as_host : 1;
}

int type_for(const vulkan_description& about, std::uint32_t allowed, memory_place place) noexcept {
  int best = -1, best_score = -1;
  for (std::uint32_t i = 0; i < about.memory.memoryTypeCount; ++i) {
    if ((allowed >> i & 1) == 0) continue;
    const int score = score_of(about.memory.memoryTypes[i].propertyFlags, place,
                               about.info.features.unified_memory);
    if (score <= best_score) continue;
    best_score = score;
    best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

// -- blocks

std::uint64_t vulkan_block::take(std::uint64_t wanted) {
  for (auto at = free.begin(); at != free.end(); ++at) {
    if (at->bytes < wanted) continue;
    const std::uint64_t offset = at->offset;
    at->offset += wanted;
    at->bytes -= wanted;
    if (at->bytes == 0) free.erase(at);
    return offset;
  }
  return bytes;
}

void vulkan_block::give(std::uint64_t offset, std::uint64_t count) {
  auto after = std::ranges::find_if(free, [&](const range& one) { return one.offset > offset; });
  const bool joins_after = after != free.end() && offset + count == after->offset;
  const auto before = after == free.begin() ? free.end() : after - 1;
  if (before != free.end() && before->offset + before->bytes == offset) {
    before->bytes += count + (joins_after ? after->bytes : 0);
    if (joins_after) free.erase(after);
  } else if (joins_after) {
    after->offset = offset;
    after->bytes += count;
  } else {
    free.insert(after, {offset, count});
  }
}

// -- buffers

vulkan_buffer::~vulkan_buffer() { from_->release(*in_, offset_, bytes()); }

result<std::byte*> vulkan_buffer::map(memory_access access, base::time_ns) {
  vulkan_core& core = *from_->core_;
  BEAMLET_TRY_VOID(core.check());
  if (!is_mappable()) return core.fail(errc::unsupported, "this memory cannot be mapped");
  if (in_->mapped == nullptr) {
    void* at = nullptr;
    const VkResult code = core.vk.MapMemory(core.device, in_->memory, 0, VK_WHOLE_SIZE, 0, &at);
    if (code != VK_SUCCESS) return core.fail(code, "vkMapMemory");
    in_->mapped = static_cast<std::byte*>(at);
  }
  is_written_ = access != memory_access::read;
  if (!in_->is_coherent && access != memory_access::write) {
    const VkMappedMemoryRange part{VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, nullptr, in_->memory,
                                   offset_, from_->rounded(bytes())};
    const VkResult code = core.vk.InvalidateMappedMemoryRanges(core.device, 1, &part);
    if (code != VK_SUCCESS) return core.fail(code, "vkInvalidateMappedMemoryRanges");
  }
  return in_->mapped + static_cast<std::size_t>(offset_);
}

result<void> vulkan_buffer::unmap() {
  vulkan_core& core = *from_->core_;
  BEAMLET_TRY_VOID(core.check());
  if (in_->is_coherent || !std::exchange(is_written_, false)) return {};
  const VkMappedMemoryRange part{VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, nullptr, in_->memory,
                                 offset_, from_->rounded(bytes())};
  const VkResult code = core.vk.FlushMappedMemoryRanges(core.device, 1, &part);
  if (code != VK_SUCCESS) return core.fail(code, "vkFlushMappedMemoryRanges");
  return {};
}

// -- memory

vulkan_memory::vulkan_memory(vulkan_core& core) noexcept : core_(&core) {
  const device_limits& l = core.about.info.limits;
  granule_ = std::max({vulkan_map_alignment, l.binding_alignment, core.about.flush_bytes});
  block_bytes_ = std::clamp(std::bit_floor(l.memory_bytes / blocks_of_memory), block_bytes_min,
                            block_bytes_max);
}

vulkan_memory::~vulkan_memory() {
  for (const auto& one : blocks_) destroy(*one);
}

std::uint64_t vulkan_memory::rounded(std::uint64_t bytes) const noexcept {
  return (std::max<std::uint64_t>(bytes, 1) + granule_ - 1) / granule_ * granule_;
}

result<std::unique_ptr<device_buffer>> vulkan_memory::allocate(std::uint64_t bytes,
                                                               memory_place place) {
  BEAMLET_TRY_VOID(core_->check());
  if (bytes > core_->about.info.limits.buffer_bytes_max)
    return core_->fail(errc::too_large,
                       "a buffer of " + std::to_string(bytes) + " bytes is more than the " +
                           std::to_string(core_->about.info.limits.buffer_bytes_max) +
                           " that it can allocate at once");
  if (core_->about.info.features.unified_memory) place = memory_place::device;  // one and the same
  const std::uint64_t size = rounded(bytes);
  if (size <= block_bytes_ / parts_of_block) return part_of_block(bytes, size, place);
  BEAMLET_TRY(vulkan_block * own, make_block(size, place, false));
  return std::unique_ptr<device_buffer>(new vulkan_buffer(*this, *own, 0, bytes, false));
}

result<std::unique_ptr<device_buffer>> vulkan_memory::part_of_block(std::uint64_t bytes,
                                                                    std::uint64_t size,
                                                                    memory_place place) {
  const auto made = [&](vulkan_block& in, std::uint64_t offset) {
    return std::unique_ptr<device_buffer>(new vulkan_buffer(*this, in, offset, bytes, false));
  };
  for (const auto& one : blocks_) {
    if (!one->is_shared || one->place != place) continue;
    if (const std::uint64_t offset = one->take(size); offset < one->bytes)
      return made(*one, offset);
  }
  BEAMLET_TRY(vulkan_block * fresh, make_block(block_bytes_, place, true));
  return made(*fresh, fresh->take(size));
}

result<std::unique_ptr<device_buffer>> vulkan_memory::import(std::span<std::byte> memory) {
  BEAMLET_TRY_VOID(core_->check());
  const std::uint64_t alignment = core_->about.info.limits.import_alignment;
  if (alignment == 0)
    return core_->fail(errc::unsupported, "the driver takes no memory of the program's");
  if (memory.empty() || memory.size() % alignment != 0 ||
      reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0)
    return core_->fail(errc::unsupported, "memory that does not begin and end at multiples of " +
                                              std::to_string(alignment));
  BEAMLET_TRY(vulkan_block * own, import_block(memory));
  return std::unique_ptr<device_buffer>(new vulkan_buffer(*this, *own, 0, memory.size(), true));
}

result<vulkan_block*> vulkan_memory::make_block(std::uint64_t bytes, memory_place place,
                                                bool is_shared) {
  auto made = std::make_unique<vulkan_block>();
  made->bytes = bytes;
  made->place = place;
  made->is_shared = is_shared;
  made->free.push_back({0, bytes});
  const VkBufferCreateInfo how = buffer_of(bytes);
  const VkResult code = core_->vk.CreateBuffer(core_->device, &how, nullptr, &made->buffer);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateBuffer");
  VkMemoryRequirements needs{};
  core_->vk.GetBufferMemoryRequirements(core_->device, made->buffer, &needs);
  VkMemoryAllocateInfo memory{};
  memory.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  memory.allocationSize = needs.size;
  const int type = type_for(core_->about, needs.memoryTypeBits, place);
  if (type < 0) {
    destroy(*made);
    return core_->fail(errc::unsupported, "it has no memory of that kind");
  }
  memory.memoryTypeIndex = static_cast<std::uint32_t>(type);
  auto bound = bind(*made, memory);
  if (!bound.has_value() && bound.error() == errc::no_memory && drop_empty())
    bound = bind(*made, memory);
  if (!bound.has_value()) {
    destroy(*made);
    return std::move(bound).error();
  }
  blocks_.push_back(std::move(made));
  return blocks_.back().get();
}

result<vulkan_block*> vulkan_memory::import_block(std::span<std::byte> memory) {
  constexpr auto handle_type = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  VkMemoryHostPointerPropertiesEXT said{};
  said.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT;
  VkResult code =
      core_->vk.GetMemoryHostPointerPropertiesEXT(core_->device, handle_type, memory.data(), &said);
  if (code != VK_SUCCESS) return core_->fail(code, "vkGetMemoryHostPointerPropertiesEXT");
  auto made = std::make_unique<vulkan_block>();
  made->bytes = memory.size();
  made->place = memory_place::host;
  VkExternalMemoryBufferCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
  external.handleTypes = handle_type;
  VkBufferCreateInfo how = buffer_of(memory.size());
  how.pNext = &external;
  code = core_->vk.CreateBuffer(core_->device, &how, nullptr, &made->buffer);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateBuffer");
  VkMemoryRequirements needs{};
  core_->vk.GetBufferMemoryRequirements(core_->device, made->buffer, &needs);
  const int type =
      type_for(core_->about, needs.memoryTypeBits & said.memoryTypeBits, memory_place::host);
  // Memory that is not coherent would have to be mapped to be flushed, and a mapping of what is
  // mapped already is what drivers differ in.
  const VkMemoryPropertyFlags flags =
      type < 0 ? 0 : core_->about.memory.memoryTypes[type].propertyFlags;
  if ((flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) == 0 || needs.size > memory.size()) {
    destroy(*made);
    return core_->fail(errc::unsupported, "the driver cannot share this memory coherently");
  }
  VkImportMemoryHostPointerInfoEXT where{};
  where.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
  where.handleType = handle_type;
  where.pHostPointer = memory.data();
  const VkMemoryAllocateInfo taken{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &where, memory.size(),
                                   static_cast<std::uint32_t>(type)};
  auto bound = bind(*made, taken);
  if (!bound.has_value()) {
    destroy(*made);
    return std::move(bound).error();
  }
  made->mapped = memory.data();
  blocks_.push_back(std::move(made));
  return blocks_.back().get();
}

result<void> vulkan_memory::bind(vulkan_block& to, const VkMemoryAllocateInfo& how) {
  VkResult code = core_->vk.AllocateMemory(core_->device, &how, nullptr, &to.memory);
  if (code != VK_SUCCESS) {
    to.memory = VK_NULL_HANDLE;
    return core_->fail(code, "vkAllocateMemory");
  }
  code = core_->vk.BindBufferMemory(core_->device, to.buffer, to.memory, 0);
  if (code != VK_SUCCESS) {
    core_->vk.FreeMemory(core_->device, std::exchange(to.memory, VK_NULL_HANDLE), nullptr);
    return core_->fail(code, "vkBindBufferMemory");
  }
  const VkMemoryPropertyFlags flags =
      core_->about.memory.memoryTypes[how.memoryTypeIndex].propertyFlags;
  to.is_host_visible = (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0;
  to.is_coherent = (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
  return {};
}

void vulkan_memory::release(vulkan_block& in, std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (core_->is_abandoned) return;  // the device may still write there
  if (!in.is_shared) return drop(in);
  in.give(offset, rounded(bytes));
  if (!in.is_empty()) return;
  // One empty block of a place stays, so that a buffer that comes and goes costs nothing.
  const bool has_other = std::ranges::any_of(blocks_, [&](const auto& one) {
    return one.get() != &in && one->is_shared && one->place == in.place && one->is_empty();
  });
  if (has_other) drop(in);
}

void vulkan_memory::drop(vulkan_block& which) noexcept {
  destroy(which);
  std::erase_if(blocks_, [&](const auto& one) { return one.get() == &which; });
}

bool vulkan_memory::drop_empty() noexcept {
  return std::erase_if(blocks_, [&](const auto& one) {
           if (!one->is_shared || !one->is_empty()) return false;
           destroy(*one);
           return true;
         }) > 0;
}

void vulkan_memory::destroy(vulkan_block& which) noexcept {
  if (core_->is_abandoned) return;
  core_->vk.DestroyBuffer(core_->device, which.buffer, nullptr);
  core_->vk.FreeMemory(core_->device, which.memory, nullptr);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
