// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_work.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "compute/embedded.hpp"
#include "compute/op_functions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

using compute::operand;

namespace {

// Vulkan has to take so many bytes, and every device so many buffers.
constexpr std::uint32_t kernel_parameter_bytes_max = 128;
constexpr std::size_t kernel_buffers_max = compute::planned_launch::bindings_max;

error wrong(const std::string& what) {
  return error(errc::invalid_argument, error_layer::runtime, {what, "", "", ""});
}

// What a kernel of the cpu backend gets as its parameters.
struct users_function {
  void (*run)(const kernel_part&);
  std::byte parameters[kernel_parameter_bytes_max];
};

void run_users_function(const compute::cpu_call& call, std::uint64_t first, std::uint64_t last) {
  const auto& given = call.parameters_as<users_function>();
  given.run({call.buffers, given.parameters, first, last});
}

bool is_identifier(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

// The dialect's own text comes before it, so its include is a line too many.
std::string without_include(const std::string& dialect) {
  constexpr std::string_view line = "#include \"dialect.h\"";
  const std::size_t at = dialect.find(line);
  if (at == dialect.npos) return dialect;
  return dialect.substr(0, at) + dialect.substr(at + line.size());
}

std::string text_of(const dimensions& shape) {
  std::string made = "[";
  for (std::size_t d = 0; d < shape.size(); ++d)
    made += (d == 0 ? "" : ", ") + std::to_string(shape[d]);
  return made + "]";
}

result<std::vector<compute::tensor_type>> outputs_of_call(const kernel_call& call,
                                                          std::span<const operand> inputs) {
  if (call.kernel == nullptr) return wrong("an empty kernel");
  const kernel_options& how = call.kernel->how;
  const std::string name = "kernel '" + how.name + "' ";
  if (inputs.size() != how.inputs.size())
    return wrong(name + "takes " + std::to_string(how.inputs.size()) + " inputs, not " +
                 std::to_string(inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string which = name + "input " + std::to_string(i) + " ";
    if (inputs[i].type != how.inputs[i])
      return wrong(which + "is of " + how.inputs[i].name() + ", not of " + inputs[i].type.name());
    if (!inputs[i].is_dense())
      return wrong(which + text_of(inputs[i].shape) +
                   " has its elements not side by side: use tensor::contiguous or ops::copy");
  }
  if (call.outputs.size() != how.outputs.size())
    return wrong(name + "makes " + std::to_string(how.outputs.size()) + " outputs, not " +
                 std::to_string(call.outputs.size()));
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].type != how.outputs[i])
      return wrong(name + "output " + std::to_string(i) + " is of " + how.outputs[i].name() +
                   ", not of " + call.outputs[i].type.name());
    if (!bytes_of_shape(call.outputs[i].type, call.outputs[i].shape).has_value())
      return wrong(name + "output " + std::to_string(i) + " has an impossible shape " +
                   text_of(call.outputs[i].shape));
  }
  if (call.parameters.size() != how.parameter_bytes)
    return wrong(name + "takes " + std::to_string(how.parameter_bytes) +
                 " bytes of parameters, not " + std::to_string(call.parameters.size()));
  return call.outputs;
}

result<compute::plan> plan_for_call(const kernel_call& call, const compute::device_info& device,
                                    std::span<const operand> inputs,
                                    std::span<const operand> outputs) {
  std::vector<operand> all(inputs.begin(), inputs.end());
  all.insert(all.end(), outputs.begin(), outputs.end());
  compute::planner to(device, all, inputs.size());
  const kernel_options& how = call.kernel->how;
  const bool is_written = to.on_cpu()                  ? how.cpu != nullptr
                          : device.backend == "opencl" ? !call.kernel->opencl.empty()
                                                       : !how.spirv.empty();
  if (!is_written) return to.unsupported("kernel '" + how.name + "' was not written for it");
  compute::planned_launch& made = to.launch(call.kernel->source);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const compute::slot memory{false, static_cast<std::uint16_t>(i)};
    if (to.on_cpu()) {
      to.bind_from_first(made, memory, all[i]);
      continue;
    }
    BEAMLET_TRY(const std::uint32_t first, to.bind(made, memory, all[i]));
    if (first != 0) return to.unsupported("kernel '" + how.name + "': a buffer begins too early");
  }
  made.constants.values[0] = how.group_size[0];
  made.constants.values[1] = how.group_size[1];
  if (to.on_cpu()) {
    users_function given{how.cpu, {}};
    if (!call.parameters.empty())
      std::memcpy(given.parameters, call.parameters.data(), call.parameters.size());
    made.set_parameters(given);
  } else {
    std::copy(call.parameters.begin(), call.parameters.end(), made.parameters.begin());
    made.parameter_bytes = static_cast<std::uint32_t>(call.parameters.size());
  }
  BEAMLET_TRY_VOID(to.set_groups(made, call.groups[0], call.groups[1], call.groups[2]));
  return std::move(to).take();
}

}  // namespace

kernel_state::kernel_state(kernel_options options) : how(std::move(options)) {
  opencl = how.opencl.empty() ? without_include(how.dialect) : how.opencl;
  if (how.opencl.empty() && !how.dialect.empty())
    code.opencl_prologue = compute::embedded::cast_32.opencl_prologue;
  code.opencl = opencl;
  code.spirv = how.spirv;
  source.name = how.name;
  source.buffers = static_cast<std::uint32_t>(how.inputs.size() + how.outputs.size());
  source.parameter_bytes = how.parameter_bytes;
  source.cpu = run_users_function;
  source.code = &code;
}

result<std::shared_ptr<kernel_state>> make_kernel(kernel_options options) {
  if (!is_identifier(options.name))
    return wrong("kernel_options::name '" + options.name + "' is no identifier");
  const std::string name = "kernel '" + options.name + "': ";
  if (options.opencl.empty() && options.dialect.empty() && options.spirv.empty() &&
      options.cpu == nullptr)
    return wrong(name + "there is none of opencl, dialect, spirv and cpu");
  if (!options.opencl.empty() && !options.dialect.empty())
    return wrong(name + "opencl and dialect are both for OpenCL: give one");
  const std::size_t buffers = options.inputs.size() + options.outputs.size();
  if (options.outputs.empty()) return wrong(name + "it has no outputs");
  if (buffers > kernel_buffers_max)
    return wrong(name + std::to_string(buffers) + " inputs and outputs are more than " +
                 std::to_string(kernel_buffers_max));
  for (const auto* types : {&options.inputs, &options.outputs})
    for (const dtype& one : *types)
      if (!one.is_valid()) return wrong(name + "an input or output of no known type");
  if (options.parameter_bytes % 4 != 0 || options.parameter_bytes > kernel_parameter_bytes_max)
    return wrong(name + "parameter_bytes is " + std::to_string(options.parameter_bytes) +
                 "; it must be a multiple of 4 and at most " +
                 std::to_string(kernel_parameter_bytes_max));
  if (options.group_size[0] == 0 || options.group_size[1] == 0)
    return wrong(name + "group_size has a 0");
  return std::make_shared<kernel_state>(std::move(options));
}

std::string name_of(const device_work& what) {
  if (const auto* op = std::get_if<compute::op>(&what)) return compute::name_of(*op);
  const auto& call = std::get<kernel_call>(what);
  return call.kernel == nullptr ? std::string("kernel") : call.kernel->how.name;
}

result<std::vector<compute::tensor_type>> outputs_of(const device_work& what,
                                                     std::span<const operand> inputs) {
  if (const auto* call = std::get_if<kernel_call>(&what)) return outputs_of_call(*call, inputs);
  std::vector<compute::tensor_type> types;
  for (const operand& one : inputs) types.push_back(one.what());
  return compute::outputs_of(std::get<compute::op>(what), types);
}

compute::op_cost cost_of(const device_work& what, std::span<const operand> inputs,
                         std::span<const operand> outputs) {
  if (const auto* op = std::get_if<compute::op>(&what))
    return compute::cost_of(*op, inputs, outputs);
  compute::op_cost made;
  for (const auto& list : {inputs, outputs})
    for (const operand& one : list)
      made.bytes += static_cast<double>(one.elements()) * static_cast<double>(one.type.bytes());
  return made;
}

result<compute::plan> plan_for(const device_work& what, const compute::device_info& device,
                               std::span<const operand> inputs, std::span<const operand> outputs,
                               std::uint32_t way) {
  if (const auto* op = std::get_if<compute::op>(&what))
    return compute::plan_for(*op, device, inputs, outputs, way);
  return plan_for_call(std::get<kernel_call>(what), device, inputs, outputs);
}

bool is_callers_error(const error& why, const device_work& what) noexcept {
  switch (why.code()) {
    case errc::invalid_argument: return std::holds_alternative<kernel_call>(what);
    case errc::cancelled:
    case errc::stopped:
    case errc::deadline: return true;
    default: return false;
  }
}

bool begins_at_first(const device_work& what) noexcept {
  return std::holds_alternative<kernel_call>(what);
}

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
