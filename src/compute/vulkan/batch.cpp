// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/batch.hpp"

#include <array>
#include <utility>

#include "compute/vulkan/memory.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// What a pool of descriptors has. One kernel takes at most `buffers_of_pool`.
constexpr std::uint32_t sets_of_pool = 64, buffers_of_pool = 256;

constexpr VkPipelineStageFlags working =
    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
constexpr VkAccessFlags writing = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
constexpr VkAccessFlags reading = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;

}  // namespace

result<std::unique_ptr<vulkan_batch>> vulkan_batch::make(vulkan_core& core) {
  std::unique_ptr<vulkan_batch> made(new vulkan_batch(core));
  BEAMLET_TRY_VOID(made->make_objects());
  return made;
}

result<void> vulkan_batch::make_objects() {
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT;
  pool.queueFamilyIndex = core_->about.family;
  VkResult code = core_->vk.CreateCommandPool(core_->device, &pool, nullptr, &pool_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateCommandPool");
  VkCommandBufferAllocateInfo commands{};
  commands.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  commands.commandPool = pool_;
  commands.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  commands.commandBufferCount = 1;
  code = core_->vk.AllocateCommandBuffers(core_->device, &commands, &commands_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkAllocateCommandBuffers");
  VkFenceCreateInfo fence{};
  fence.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  code = core_->vk.CreateFence(core_->device, &fence, nullptr, &fence_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateFence");
  if (core_->about.timestamp_bits == 0) return {};
  VkQueryPoolCreateInfo times{};
  times.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  times.queryType = VK_QUERY_TYPE_TIMESTAMP;
  times.queryCount = 2;
  code = core_->vk.CreateQueryPool(core_->device, &times, nullptr, &times_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateQueryPool");
  return {};
}

vulkan_batch::~vulkan_batch() {
  if (core_->is_abandoned) return;
  for (VkDescriptorPool one : sets_) core_->vk.DestroyDescriptorPool(core_->device, one, nullptr);
  core_->vk.DestroyQueryPool(core_->device, times_, nullptr);
  core_->vk.DestroyFence(core_->device, fence_, nullptr);
  core_->vk.DestroyCommandPool(core_->device, pool_, nullptr);  // and its command buffer
}

result<void> vulkan_batch::begin() {
  VkResult code = core_->vk.ResetFences(core_->device, 1, &fence_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkResetFences");
  code = core_->vk.ResetCommandPool(core_->device, pool_, 0);
  if (code != VK_SUCCESS) return core_->fail(code, "vkResetCommandPool");
  for (std::size_t i = 0; i < pools_used_; ++i) {
    code = core_->vk.ResetDescriptorPool(core_->device, sets_[i], 0);
    if (code != VK_SUCCESS) return core_->fail(code, "vkResetDescriptorPool");
  }
  pools_used_ = 0;
  sets_left_ = buffers_left_ = 0;
  VkCommandBufferBeginInfo how{};
  how.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  how.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  code = core_->vk.BeginCommandBuffer(commands_, &how);
  if (code != VK_SUCCESS) return core_->fail(code, "vkBeginCommandBuffer");
  order();  // after what other batches, and other queues that were waited for, wrote
  if (times_ != VK_NULL_HANDLE) {
    core_->vk.CmdResetQueryPool(commands_, times_, 0, 2);
    core_->vk.CmdWriteTimestamp(commands_, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, times_, 0);
  }
  return {};
}

result<void> vulkan_batch::next_pool() {
  if (pools_used_ == sets_.size()) {
    const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, buffers_of_pool};
    VkDescriptorPoolCreateInfo how{};
    how.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    how.maxSets = sets_of_pool;
    how.poolSizeCount = 1;
    how.pPoolSizes = &size;
    VkDescriptorPool made = VK_NULL_HANDLE;
    const VkResult code = core_->vk.CreateDescriptorPool(core_->device, &how, nullptr, &made);
    if (code != VK_SUCCESS) return core_->fail(code, "vkCreateDescriptorPool");
    sets_.push_back(made);
  }
  ++pools_used_;
  sets_left_ = sets_of_pool;
  buffers_left_ = buffers_of_pool;
  return {};
}

result<VkDescriptorSet> vulkan_batch::bind(const vulkan_kernel& what,
                                           std::span<const binding> buffers) {
  const auto count = static_cast<std::uint32_t>(buffers.size());
  if (sets_left_ == 0 || buffers_left_ < count) BEAMLET_TRY_VOID(next_pool());
  const VkDescriptorSetLayout layout = what.buffers();
  VkDescriptorSetAllocateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  how.descriptorPool = sets_[pools_used_ - 1];
  how.descriptorSetCount = 1;
  how.pSetLayouts = &layout;
  VkDescriptorSet made = VK_NULL_HANDLE;
  const VkResult code = core_->vk.AllocateDescriptorSets(core_->device, &how, &made);
  if (code != VK_SUCCESS) return core_->fail(code, "vkAllocateDescriptorSets");
  --sets_left_;
  buffers_left_ -= count;
  std::array<VkDescriptorBufferInfo, vulkan_buffers_max> each;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto& memory = *static_cast<const vulkan_buffer*>(buffers[i].memory);
    each[i] = {memory.handle(), memory.offset() + buffers[i].offset, buffers[i].bytes};
  }
  VkWriteDescriptorSet write{};  // all of them: they follow one another
  write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
  write.dstSet = made;
  write.descriptorCount = count;
  write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
  write.pBufferInfo = each.data();
  core_->vk.UpdateDescriptorSets(core_->device, 1, &write, 0, nullptr);
  return made;
}

void vulkan_batch::barrier(VkPipelineStageFlags from, VkAccessFlags written,
                           VkPipelineStageFlags to, VkAccessFlags used) {
  VkMemoryBarrier how{};
  how.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  how.srcAccessMask = written;
  how.dstAccessMask = used;
  core_->vk.CmdPipelineBarrier(commands_, from, to, 0, 1, &how, 0, nullptr, 0, nullptr);
}

void vulkan_batch::order() { barrier(working, writing, working, reading | writing); }

result<void> vulkan_batch::submit(VkQueue to) {
  barrier(working, writing, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
  if (times_ != VK_NULL_HANDLE)
    core_->vk.CmdWriteTimestamp(commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, times_, 1);
  VkResult code = core_->vk.EndCommandBuffer(commands_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkEndCommandBuffer");
  VkSubmitInfo what{};
  what.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  what.commandBufferCount = 1;
  what.pCommandBuffers = &commands_;
  code = core_->vk.QueueSubmit(to, 1, &what, fence_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkQueueSubmit");
  return {};
}

result<void> vulkan_batch::wait(base::time_ns timeout_ns) {
  const VkResult code = core_->vk.WaitForFences(core_->device, 1, &fence_, VK_TRUE, timeout_ns);
  if (code != VK_SUCCESS) return core_->fail(code, "vkWaitForFences");
  return {};
}

bool vulkan_batch::is_done() {
  const VkResult code = core_->vk.GetFenceStatus(core_->device, fence_);
  if (code == VK_ERROR_DEVICE_LOST) core_->is_lost = true;
  return code == VK_SUCCESS;
}

device_span vulkan_batch::span() const noexcept {
  if (times_ == VK_NULL_HANDLE) return {};
  std::array<std::uint64_t, 2> ticks{};
  const VkResult code =
      core_->vk.GetQueryPoolResults(core_->device, times_, 0, 2, sizeof ticks, ticks.data(),
                                    sizeof ticks[0], VK_QUERY_RESULT_64_BIT);
  if (code != VK_SUCCESS) return {};
  const std::uint32_t bits = core_->about.timestamp_bits;
  const std::uint64_t all = bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  const auto ns = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(static_cast<double>(count & all) *
                                      core_->about.timestamp_period_ns);
  };
  const std::uint64_t begin = ns(ticks[0]);
  return {begin, begin + ns(ticks[1] - ticks[0])};  // the clock may have begun anew between them
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
