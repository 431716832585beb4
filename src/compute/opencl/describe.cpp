// SPDX-License-Identifier: Apache-2.0
// What OpenCL drivers say of their devices, in our words.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "compute/errors.hpp"
#include "compute/opencl/opencl_device.hpp"
#include "ports/memory.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

// Of extensions whose names the headers may not have.
constexpr cl_device_info subgroup_sizes_intel = 0x4108, warp_size_nvidia = 0x4003,
                         device_uuid_khr = 0x106A;
constexpr std::uint32_t opencl_buffers_max = 16, opencl_parameter_bytes_max = 4096;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

struct opencl_questions {
  const opencl_driver& driver;
  cl_platform_id platform;
  cl_device_id id;

  template <class T>
  T value(cl_device_info what, T otherwise) const {
    T answer{};
    std::size_t bytes = 0;
    const cl_int rc = driver.clGetDeviceInfo(id, what, sizeof answer, &answer, &bytes);
    return rc == CL_SUCCESS && bytes == sizeof answer ? answer : otherwise;
  }
  bool flag(cl_device_info what) const { return value<cl_bool>(what, CL_FALSE) != CL_FALSE; }
  std::uint32_t size(cl_device_info what, std::uint32_t otherwise) const {
    constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(value<std::size_t>(what, otherwise), most));
  }

  template <class Ask>
  std::string whole_text(Ask ask) const {
    constexpr std::size_t text_bytes_max = 1 << 16;
    std::size_t bytes = 0;
    if (ask(0, nullptr, &bytes) != CL_SUCCESS || bytes > text_bytes_max) return {};
    std::string answer(bytes, '\0');
    if (ask(bytes, answer.data(), nullptr) != CL_SUCCESS) return {};
    answer.resize(std::min(answer.size(), answer.find('\0')));
    while (!answer.empty() && answer.back() == ' ') answer.pop_back();
    return answer;
  }
  std::string text(cl_device_info what) const {
    return whole_text([&](std::size_t bytes, char* to, std::size_t* needed) {
      return driver.clGetDeviceInfo(id, what, bytes, to, needed);
    });
  }
  std::string platform_text(cl_platform_info what) const {
    return whole_text([&](std::size_t bytes, char* to, std::size_t* needed) {
      return driver.clGetPlatformInfo(platform, what, bytes, to, needed);
    });
  }

  /// Of a list of sizes: the first.
  std::uint32_t first_size(cl_device_info what) const {
    std::size_t sizes[16] = {}, bytes = 0;
    const cl_int rc = driver.clGetDeviceInfo(id, what, sizeof sizes, sizes, &bytes);
    return rc == CL_SUCCESS && bytes >= sizeof sizes[0] ? static_cast<std::uint32_t>(sizes[0]) : 0;
  }
};

device_kind kind_of(const opencl_questions& ask, cl_device_type type, std::string_view name) {
  const std::string words = lower(std::string(name));
  for (const char* computes_on_the_processor : {"llvmpipe", "softpipe", "oclgrind", "swiftshader"})
    if (words.find(computes_on_the_processor) != words.npos) return device_kind::software;
  if ((type & CL_DEVICE_TYPE_CPU) != 0) return device_kind::software;
  if ((type & CL_DEVICE_TYPE_GPU) == 0) return device_kind::accelerator;
  return ask.flag(CL_DEVICE_HOST_UNIFIED_MEMORY) ? device_kind::integrated : device_kind::discrete;
}

// Why kernels cannot be compiled for it; empty: they can.
std::string why_unusable(const opencl_questions& ask) {
  if (!ask.flag(CL_DEVICE_AVAILABLE)) return "is not available";
  if (!ask.flag(CL_DEVICE_COMPILER_AVAILABLE)) return "has no compiler";
  if (!ask.flag(CL_DEVICE_ENDIAN_LITTLE)) return "has another order of bytes";
  const std::string version = ask.text(CL_DEVICE_VERSION);  // "OpenCL 1.2 ..."
  if (version < "OpenCL 1.2") return "is of '" + version + "', which is older than 1.2";
  return {};
}

device_limits limits_of(const opencl_questions& ask) {
  device_limits made;
  made.group_items_max = ask.size(CL_DEVICE_MAX_WORK_GROUP_SIZE, made.group_items_max);
  std::size_t sizes[3] = {};
  if (ask.driver.clGetDeviceInfo(ask.id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof sizes, sizes,
                                 nullptr) == CL_SUCCESS)
    for (std::size_t i = 0; i < 3; ++i)
      made.group_size_max[i] =
          static_cast<std::uint32_t>(std::min<std::size_t>(sizes[i], made.group_items_max));
  // Items are counted in addresses of the device, and drivers keep CUDA's limits of y and z.
  const bool is_64_bit = ask.value<cl_uint>(CL_DEVICE_ADDRESS_BITS, 32) == 64;
  made.groups_max[0] = is_64_bit ? std::numeric_limits<std::int32_t>::max()
                                 : std::numeric_limits<std::uint32_t>::max() / made.group_items_max;
  made.local_bytes = static_cast<std::uint32_t>(
      std::min<cl_ulong>(ask.value<cl_ulong>(CL_DEVICE_LOCAL_MEM_SIZE, 0), 1u << 31));
  made.buffers_max = opencl_buffers_max;
  const std::uint32_t arguments = ask.size(CL_DEVICE_MAX_PARAMETER_SIZE, 256);
  made.parameter_bytes =
      std::min(opencl_parameter_bytes_max,
               arguments - std::min<std::uint32_t>(arguments, opencl_buffers_max * 8)) &
      ~3u;
  made.memory_bytes = ask.value<cl_ulong>(CL_DEVICE_GLOBAL_MEM_SIZE, 0);
  made.buffer_bytes_max = ask.value<cl_ulong>(CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0);
  made.binding_bytes_max = made.buffer_bytes_max;
  return made;
}

device_features features_of(const opencl_questions& ask, cl_device_type type) {
  const std::string extensions = " " + ask.text(CL_DEVICE_EXTENSIONS) + " ";
  const auto has = [&](const char* name) {
    return extensions.find(" " + std::string(name) + " ") != extensions.npos;
  };
  device_features made;
  made.storage_16bit = made.storage_8bit = true;  // vload_half is in every OpenCL C
  made.arithmetic_f16 = has("cl_khr_fp16");
  made.int64 = ask.text(CL_DEVICE_PROFILE) == "FULL_PROFILE" || has("cles_khr_int64");
  made.like_a_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
  made.unified_memory = made.like_a_cpu || ask.flag(CL_DEVICE_HOST_UNIFIED_MEMORY);
  if (has("cl_intel_required_subgroup_size"))
    made.subgroup_size = ask.first_size(subgroup_sizes_intel);
  else if (has("cl_nv_device_attribute_query"))
    made.subgroup_size = ask.value<cl_uint>(warp_size_nvidia, 0);
  made.subgroups = made.subgroup_size != 0 && has("cl_khr_subgroups") &&
                   has("cl_khr_subgroup_shuffle") && has("cl_khr_subgroup_ballot");
  if (!made.subgroups) made.subgroup_size = 0;
  return made;
}

}  // namespace

result<device_info> describe_opencl(const opencl_driver& driver, cl_platform_id platform,
                                    cl_device_id id) {
  const opencl_questions ask{driver, platform, id};
  device_info made;
  made.backend = "opencl";
  made.name = ask.text(CL_DEVICE_NAME);
  if (std::string why = why_unusable(ask); !why.empty())
    return compute_error(errc::unsupported, "'" + made.name + "' " + std::move(why));
  made.vendor = ask.text(CL_DEVICE_VENDOR);
  made.driver = ask.platform_text(CL_PLATFORM_NAME) + " " + ask.text(CL_DRIVER_VERSION);
  const auto type = ask.value<cl_device_type>(CL_DEVICE_TYPE, CL_DEVICE_TYPE_DEFAULT);
  made.kind = kind_of(ask, type, made.name + " " + made.driver);
  made.units = std::max<cl_uint>(1, ask.value<cl_uint>(CL_DEVICE_MAX_COMPUTE_UNITS, 1));
  if (ask.text(CL_DEVICE_EXTENSIONS).find("cl_khr_device_uuid") != std::string::npos)
    made.uuid = ask.value<decltype(made.uuid)>(device_uuid_khr, {});
  made.limits = limits_of(ask);
  made.features = features_of(ask, type);
  if (made.features.unified_memory) {
    const std::uint64_t base = ask.value<cl_uint>(CL_DEVICE_MEM_BASE_ADDR_ALIGN, 0) / 8;
    made.limits.import_alignment = std::max<std::uint64_t>(ports::page_bytes(), base);
  }
  return made;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
