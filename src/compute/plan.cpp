// SPDX-License-Identifier: Apache-2.0
#include "compute/plan.hpp"

#include <algorithm>
#include <limits>

#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

operand operand::dense(dtype type, const dimensions& shape, std::uint64_t offset_bytes) {
  operand made{type, shape, shape, offset_bytes};
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) made.strides[i] = stride;
  return made;
}

std::uint64_t operand::elements() const noexcept {
  std::uint64_t count = 1;
  for (std::int64_t n : shape) count *= static_cast<std::uint64_t>(n);
  return count;
}

bool operand::is_dense() const noexcept {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0; expected *= shape[i])
    if (shape[i] != 1 && strides[i] != expected) return elements() == 0;
  return true;
}

operand::extent operand::bytes() const noexcept {
  if (elements() == 0) return {};
  std::int64_t lowest = 0, highest = 0;
  for (std::size_t i = 0; i < shape.size(); ++i)
    (strides[i] < 0 ? lowest : highest) += (shape[i] - 1) * strides[i];
  const auto size = static_cast<std::int64_t>(type.bytes());
  const auto from = static_cast<std::int64_t>(offset_bytes);
  return {static_cast<std::uint64_t>(from + lowest * size),
          static_cast<std::uint64_t>(from + (highest + 1) * size)};
}

slot planner::scratch(std::uint64_t bytes) {
  plan_.scratch_bytes.push_back(bytes);
  return {true, static_cast<std::uint16_t>(plan_.scratch_bytes.size() - 1)};
}

planned_launch& planner::launch(const kernel_source& what) {
  planned_launch& made = plan_.launches.emplace_back();
  made.what = &what;
  return made;
}

result<std::uint32_t> planner::bind(planned_launch& to, slot memory, const operand& what) {
  const operand::extent all = what.bytes();
  const std::uint64_t alignment = device_->limits.binding_alignment;
  const std::uint64_t begin = alignment == 0 ? 0 : all.first / alignment * alignment;
  const std::uint64_t index = (what.offset_bytes - begin) / what.type.bytes();
  if (all.end - begin > device_->limits.binding_bytes_max)
    return unsupported("a tensor of " + std::to_string(all.end - begin) +
                       " bytes is more than a kernel there can see (" +
                       std::to_string(device_->limits.binding_bytes_max) + ")");
  if (index > std::numeric_limits<std::uint32_t>::max() ||
      (!on_cpu() && (all.end - begin) / what.type.bytes() >
                        std::uint64_t{std::numeric_limits<std::int32_t>::max()}))
    return unsupported("a tensor of more elements than 31 bits count");
  BEAMLET_ASSERT(to.binding_count < planned_launch::bindings_max, "a launch of too many buffers");
  to.bindings[to.binding_count++] = {memory, begin, all.end - begin};
  return static_cast<std::uint32_t>(index);
}

void planner::bind_from_first(planned_launch& to, slot memory, const operand& what) {
  // The memory's part begins at the element itself, so that negative strides lead out of it: the
  // cpu backend hands out addresses.
  const operand::extent all = what.bytes();
  BEAMLET_ASSERT(to.binding_count < planned_launch::bindings_max, "a launch of too many buffers");
  to.bindings[to.binding_count++] = {memory, what.offset_bytes, all.end - what.offset_bytes};
}

result<void> planner::set_groups(planned_launch& to, std::uint64_t x, std::uint64_t y,
                                 std::uint64_t z) const {
  const std::uint64_t wanted[] = {x, y, z};
  for (std::size_t i = 0; i < 3; ++i) {
    if (wanted[i] > device_->limits.groups_max[i])
      return unsupported("a launch of " + std::to_string(wanted[i]) + " groups");
    to.groups[i] = static_cast<std::uint32_t>(wanted[i]);
  }
  return {};
}

result<void> planner::set_items(planned_launch& to, std::uint32_t group,
                                std::uint64_t items) const {
  group = std::min(group, device_->limits.group_items_max);
  to.constants.values[0] = group;
  to.constants.values[1] = 1;
  const std::uint64_t groups = (items + group - 1) / group;
  return set_groups(to, std::min<std::uint64_t>(groups, device_->limits.groups_max[0]));
}

result<void> planner::set_items_of_any_group(planned_launch& to, std::uint32_t group,
                                             std::uint64_t items) {
  const std::uint32_t groups[] = {group, 2 * group, 4 * group};
  std::size_t count = 1;
  while (!device_->is_like_a_cpu() && count < 3 && groups[count] <= device_->limits.group_items_max)
    ++count;
  return set_items(to, pick(std::span(groups).first(count)), items);
}

error planner::unsupported(std::string why) const {
  return compute_error(errc::unsupported, device_->id() + ": " + std::move(why));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
