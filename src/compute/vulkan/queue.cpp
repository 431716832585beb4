// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/queue.hpp"

#include <algorithm>
#include <string>
#include <utility>

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// So many batches wait for their next use; a program that submits without waiting has more.
constexpr std::size_t free_batches_max = 8;
// More parts than that between two barriers would take longer to compare than a barrier does.
constexpr std::size_t touched_max = 64;

const vulkan_buffer& buffer_behind(const binding& what) noexcept {
  return *static_cast<const vulkan_buffer*>(what.memory);
}

}  // namespace

vulkan_queue::~vulkan_queue() {
  if (running_.empty()) return;
  auto done = wait(submitted_, queue_end_ns_max);
  // A lost device touches nothing any more. One that still works does, until the process ends.
  if (!done.has_value() && done.error() != errc::device_lost) core_->is_abandoned = true;
}

result<void> vulkan_queue::check(const binding& one, std::uint64_t bytes_max,
                                 std::uint64_t alignment) const {
  const auto fault = [&](const std::string& what) {
    return core_->fail(errc::invalid_argument, "a binding " + what);
  };
  if (one.memory == nullptr) return fault("of no buffer");
  if (one.bytes == 0 || one.offset > one.memory->bytes() ||
      one.bytes > one.memory->bytes() - one.offset)
    return fault("outside its buffer of " + std::to_string(one.memory->bytes()) + " bytes");
  if (one.bytes > bytes_max)
    return fault("of " + std::to_string(one.bytes) + " bytes, where a kernel sees at most " +
                 std::to_string(bytes_max));
  if (one.offset % alignment != 0)
    return fault("from " + std::to_string(one.offset) + " on, which is no multiple of " +
                 std::to_string(alignment));
  return {};
}

result<void> vulkan_queue::check(const vulkan_kernel& what, const kernel_launch& how) const {
  const kernel_source& source = what.source();
  const device_limits& limits = core_->about.info.limits;
  if (how.bindings.size() != source.buffers || how.parameters.size() != source.parameter_bytes)
    return core_->fail(errc::invalid_argument,
                       "kernel '" + std::string(source.name) +
                           "' is launched with other buffers or parameters than it takes");
  for (std::size_t i = 0; i < 3; ++i)
    if (how.groups[i] == 0 || how.groups[i] > limits.groups_max[i])
      return core_->fail(errc::invalid_argument,
                         "a launch of " + std::to_string(how.groups[i]) + " groups");
  for (const binding& one : how.bindings)
    BEAMLET_TRY_VOID(check(one, limits.binding_bytes_max, limits.binding_alignment));
  return {};
}

result<vulkan_batch*> vulkan_queue::recording() {
  if (current_ != nullptr) return current_.get();
  std::unique_ptr<vulkan_batch> fresh;
  if (!free_.empty()) {
    fresh = std::move(free_.back());
    free_.pop_back();
  } else {
    BEAMLET_TRY(fresh, vulkan_batch::make(*core_));
  }
  BEAMLET_TRY_VOID(fresh->begin());
  touched_.clear();
  current_ = std::move(fresh);
  return current_.get();
}

vulkan_queue::touch vulkan_queue::part_of(const binding& what, bool is_written) noexcept {
  const vulkan_buffer& in = buffer_behind(what);
  if (in.imported_at() != nullptr) {
    const auto at = reinterpret_cast<std::uintptr_t>(in.imported_at()) + what.offset;
    return {nullptr, at, at + what.bytes, is_written};
  }
  const std::uint64_t at = in.offset() + what.offset;
  return {in.block(), at, at + what.bytes, is_written};
}

void vulkan_queue::touch_all(std::span<const touch> parts) {
  const auto conflicts = [&](const touch& a) {
    return std::ranges::any_of(touched_, [&](const touch& b) {
      return (a.is_written || b.is_written) && a.memory == b.memory && a.begin < b.end &&
             b.begin < a.end;
    });
  };
  if (touched_.size() + parts.size() > touched_max || std::ranges::any_of(parts, conflicts)) {
    current_->order();
    touched_.clear();
  }
  touched_.insert(touched_.end(), parts.begin(), parts.end());
}

result<void> vulkan_queue::launch(const kernel& what, const kernel_launch& how) {
  BEAMLET_TRY_VOID(core_->check());
  const auto& compiled = static_cast<const vulkan_kernel&>(what);
  BEAMLET_TRY_VOID(check(compiled, how));
  BEAMLET_TRY(vulkan_batch * batch, recording());
  VkDescriptorSet set = VK_NULL_HANDLE;
  if (!how.bindings.empty()) {
    BEAMLET_TRY(set, batch->bind(compiled, how.bindings));
  }
  std::array<touch, vulkan_buffers_max> parts;
  for (std::size_t i = 0; i < how.bindings.size(); ++i)
    parts[i] = part_of(how.bindings[i], compiled.writes(i));
  touch_all(std::span(parts).first(how.bindings.size()));
  const vulkan_device_api& vk = core_->vk;
  const VkCommandBuffer to = batch->commands();
  vk.CmdBindPipeline(to, VK_PIPELINE_BIND_POINT_COMPUTE, compiled.pipeline());
  if (set != VK_NULL_HANDLE)
    vk.CmdBindDescriptorSets(to, VK_PIPELINE_BIND_POINT_COMPUTE, compiled.layout(), 0, 1, &set, 0,
                             nullptr);
  if (!how.parameters.empty())
    vk.CmdPushConstants(to, compiled.layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                        static_cast<std::uint32_t>(how.parameters.size()), how.parameters.data());
  vk.CmdDispatch(to, how.groups[0], how.groups[1], how.groups[2]);
  return {};
}

result<void> vulkan_queue::copy(const binding& from, const binding& to) {
  BEAMLET_TRY_VOID(core_->check());
  BEAMLET_TRY_VOID(check(from, from.bytes, 1));
  BEAMLET_TRY_VOID(check(to, to.bytes, 1));
  const touch parts[] = {part_of(from, false), part_of(to, true)};
  if (from.bytes != to.bytes || (parts[0].memory == parts[1].memory &&
                                 parts[0].begin < parts[1].end && parts[1].begin < parts[0].end))
    return core_->fail(errc::invalid_argument, "a copy between parts that overlap or differ");
  BEAMLET_TRY(vulkan_batch * batch, recording());
  touch_all(parts);
  const VkBufferCopy part{buffer_behind(from).offset() + from.offset,
                          buffer_behind(to).offset() + to.offset, from.bytes};
  core_->vk.CmdCopyBuffer(batch->commands(), buffer_behind(from).handle(),
                          buffer_behind(to).handle(), 1, &part);
  return {};
}

result<std::uint64_t> vulkan_queue::submit() {
  BEAMLET_TRY_VOID(core_->check());
  take_back(submitted_);
  BEAMLET_TRY(vulkan_batch * batch, recording());
  auto handed_over = batch->submit(handle_);
  std::unique_ptr<vulkan_batch> now = std::move(current_);
  if (!handed_over.has_value()) return std::move(handed_over).error();
  now->ticket = ++submitted_;
  running_.push_back(std::move(now));
  return submitted_;
}

result<void> vulkan_queue::wait(std::uint64_t ticket, base::time_ns timeout_ns) {
  BEAMLET_TRY_VOID(core_->check());
  if (ticket > submitted_)
    return core_->fail(errc::invalid_argument,
                       "ticket " + std::to_string(ticket) + " was not submitted");
  if (ticket <= done_) return {};
  const auto batch =
      std::ranges::find_if(running_, [&](const auto& one) { return one->ticket >= ticket; });
  BEAMLET_TRY_VOID((*batch)->wait(timeout_ns));
  take_back(ticket);
  return {};
}

// Work ends in the order in which it was submitted, so all before a finished batch are finished.
void vulkan_queue::take_back(std::uint64_t ticket_max) {
  std::size_t count = 0;
  for (; count < running_.size() && running_[count]->ticket <= ticket_max; ++count) {
    vulkan_batch& batch = *running_[count];
    if (!batch.is_done()) break;
    done_ = batch.ticket;
    spans_[batch.ticket % spans_kept] = {batch.ticket, batch.span()};
    if (free_.size() < free_batches_max) free_.push_back(std::move(running_[count]));
  }
  running_.erase(running_.begin(), running_.begin() + static_cast<std::ptrdiff_t>(count));
}

device_span vulkan_queue::span_of(std::uint64_t ticket) const noexcept {
  const past_span& kept = spans_[ticket % spans_kept];
  return kept.ticket == ticket ? kept.when : device_span{};
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
