// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/kernel.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "compute/vulkan/spirv.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Capabilities of SPIR-V, and what of the device lets a kernel use them.
bool can_use(std::uint32_t capability, const vulkan_description& about) noexcept {
  const vulkan_features& f = about.features;
  const auto subgroups = [&](VkSubgroupFeatureFlags needed) {
    return (about.subgroup_operations & needed) == needed;
  };
  switch (capability) {
    case 0:
    case 1: return true;  // Matrix, Shader
    case 9: return f.float16_int8.shaderFloat16 == VK_TRUE;
    case 11: return f.core.features.shaderInt64 == VK_TRUE;
    case 22: return f.core.features.shaderInt16 == VK_TRUE;
    case 39: return f.float16_int8.shaderInt8 == VK_TRUE;
    case 61: return subgroups(VK_SUBGROUP_FEATURE_BASIC_BIT);
    case 62: return subgroups(VK_SUBGROUP_FEATURE_VOTE_BIT);
    case 63: return subgroups(VK_SUBGROUP_FEATURE_ARITHMETIC_BIT);
    case 64: return subgroups(VK_SUBGROUP_FEATURE_BALLOT_BIT);
    case 65: return subgroups(VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    case 66: return subgroups(VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT);
    case 67: return subgroups(VK_SUBGROUP_FEATURE_CLUSTERED_BIT);
    case 68: return subgroups(VK_SUBGROUP_FEATURE_QUAD_BIT);
    case 4433: return f.storage_16bit.storageBuffer16BitAccess == VK_TRUE;
    case 4448: return f.storage_8bit.storageBuffer8BitAccess == VK_TRUE;
    default: return false;
  }
}

// Why a device cannot run it; empty: it can.
std::string obstacle(const kernel_source& source, const kernel_constants& constants,
                     const device_info& info) {
  const device_limits& l = info.limits;
  const std::uint64_t x = constants.values[0], y = constants.values[1];
  if (source.storage_16bit && !info.features.storage_16bit) return "it needs 16-bit storage";
  if (source.storage_8bit && !info.features.storage_8bit) return "it needs 8-bit storage";
  if (source.buffers > l.buffers_max)
    return "it takes " + std::to_string(source.buffers) + " buffers";
  if (source.parameter_bytes > l.parameter_bytes)
    return "it takes " + std::to_string(source.parameter_bytes) + " bytes of parameters";
  if (x == 0 || y == 0 || x > l.group_size_max[0] || y > l.group_size_max[1] ||
      x * y > l.group_items_max)
    return "its groups are " + std::to_string(x) + " x " + std::to_string(y) + " items";
  return {};
}

}  // namespace

result<std::unique_ptr<kernel>> vulkan_kernel::make(vulkan_core& core, const kernel_source& source,
                                                    const kernel_constants& constants) {
  BEAMLET_TRY_VOID(core.check());
  const std::string name = "kernel '" + std::string(source.name) + "': ";
  if (source.code == nullptr || source.code->spirv.empty())
    return core.fail(errc::unsupported, name + "it was not compiled to SPIR-V");
  if (std::string why = obstacle(source, constants, core.about.info); !why.empty())
    return core.fail(errc::unsupported, name + why);
  if (source.constants > kernel_constants::count_max || source.parameter_bytes % 4 != 0)
    return core.fail(errc::invalid_argument, name + "constants or parameters that there are not");
  auto facts = read_spirv(source.code->spirv);
  if (!facts.has_value())
    return core.fail(errc::invalid_argument, name + std::string(facts.error().message()));
  if (facts->bindings > source.buffers)
    return core.fail(errc::invalid_argument, name + "it has a binding " +
                                                 std::to_string(facts->bindings - 1) + " and " +
                                                 std::to_string(source.buffers) + " buffers");
  for (std::uint32_t capability : facts->capabilities)
    if (!can_use(capability, core.about))
      return core.fail(errc::unsupported,
                       name + "it needs SPIR-V's capability " + std::to_string(capability));
  std::unique_ptr<vulkan_kernel> made(new vulkan_kernel(core, source, constants));
  made->read_only_ = facts->read_only;
  BEAMLET_TRY_VOID(made->lay_out());
  BEAMLET_TRY_VOID(made->compile());
  return std::unique_ptr<kernel>(std::move(made));
}

vulkan_kernel::~vulkan_kernel() {
  if (core_->is_abandoned) return;
  core_->vk.DestroyPipeline(core_->device, pipeline_, nullptr);
  core_->vk.DestroyPipelineLayout(core_->device, layout_, nullptr);
  core_->vk.DestroyDescriptorSetLayout(core_->device, buffers_, nullptr);
}

result<void> vulkan_kernel::lay_out() {
  std::vector<VkDescriptorSetLayoutBinding> each(source().buffers);
  for (std::uint32_t i = 0; i < source().buffers; ++i)
    each[i] = {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  VkDescriptorSetLayoutCreateInfo set{};
  set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set.bindingCount = source().buffers;
  set.pBindings = each.data();
  VkResult code = core_->vk.CreateDescriptorSetLayout(core_->device, &set, nullptr, &buffers_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateDescriptorSetLayout");
  const VkPushConstantRange parameters{VK_SHADER_STAGE_COMPUTE_BIT, 0, source().parameter_bytes};
  VkPipelineLayoutCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  how.setLayoutCount = 1;
  how.pSetLayouts = &buffers_;
  how.pushConstantRangeCount = source().parameter_bytes == 0 ? 0 : 1;
  how.pPushConstantRanges = &parameters;
  code = core_->vk.CreatePipelineLayout(core_->device, &how, nullptr, &layout_);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreatePipelineLayout");
  return {};
}

result<void> vulkan_kernel::compile() {
  VkShaderModuleCreateInfo code_of{};
  code_of.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  code_of.codeSize = source().code->spirv.size_bytes();
  code_of.pCode = source().code->spirv.data();
  VkShaderModule shader = VK_NULL_HANDLE;
  VkResult code = core_->vk.CreateShaderModule(core_->device, &code_of, nullptr, &shader);
  if (code != VK_SUCCESS) return core_->fail(code, "vkCreateShaderModule");
  std::array<VkSpecializationMapEntry, kernel_constants::count_max> entries{};
  for (std::uint32_t i = 0; i < source().constants; ++i) entries[i] = {i, 4 * i, 4};
  const VkSpecializationInfo constants_of{source().constants, entries.data(),
                                          sizeof constants().values, constants().values.data()};
  VkComputePipelineCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  how.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  how.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  how.stage.module = shader;
  how.stage.pName = "main";
  how.stage.pSpecializationInfo = &constants_of;
  how.layout = layout_;
  VkPipelineCreationFeedbackEXT told{}, told_of_stage{};
  VkPipelineCreationFeedbackCreateInfoEXT feedback{};
  feedback.sType = VK_STRUCTURE_TYPE_PIPELINE_CREATION_FEEDBACK_CREATE_INFO_EXT;
  feedback.pPipelineCreationFeedback = &told;
  feedback.pipelineStageCreationFeedbackCount = 1;
  feedback.pPipelineStageCreationFeedbacks = &told_of_stage;
  if (core_->about.has_extension(VK_EXT_PIPELINE_CREATION_FEEDBACK_EXTENSION_NAME))
    how.pNext = &feedback;
  code = core_->vk.CreateComputePipelines(core_->device, core_->pipelines, 1, &how, nullptr,
                                          &pipeline_);
  core_->vk.DestroyShaderModule(core_->device, shader, nullptr);
  constexpr VkPipelineCreationFeedbackFlagsEXT hit =
      VK_PIPELINE_CREATION_FEEDBACK_VALID_BIT_EXT |
      VK_PIPELINE_CREATION_FEEDBACK_APPLICATION_PIPELINE_CACHE_HIT_BIT_EXT;
  if ((told.flags & hit) == hit) set_origin(kernel_origin::kept);
  if (code == VK_SUCCESS) return {};
  pipeline_ = VK_NULL_HANDLE;
  error why = core_->fail(code, "vkCreateComputePipelines");
  if (why == errc::no_memory || why == errc::device_lost) return why;
  return compute_error(
      errc::invalid_argument,
      "kernel '" + std::string(source().name) + "' does not compile: " + std::string(why.message()),
      code);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
