// SPDX-License-Identifier: Apache-2.0
#include "compute/backend.hpp"
#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

#define BEAMLET_BACKEND(name) \
  result<std::vector<std::unique_ptr<device>>> name##_devices(const backend_options&);
#include "compute/backends.def"

namespace {

#if !BEAMLET_OPENCL || !BEAMLET_VULKAN
error left_out_of_build(const char* backend, const char* option) {
  return compute_error(errc::unsupported, std::string("this program was built without the ") +
                                              backend + " backend (" + option + "=0)");
}
#endif

}  // namespace

#if !BEAMLET_VULKAN
result<std::vector<std::unique_ptr<device>>> vulkan_devices(const backend_options&) {
  return left_out_of_build("vulkan", "BEAMLET_VULKAN");
}
#endif
#if !BEAMLET_OPENCL
result<std::vector<std::unique_ptr<device>>> opencl_devices(const backend_options&) {
  return left_out_of_build("opencl", "BEAMLET_OPENCL");
}
#endif

std::span<const backend> backends() noexcept {
  static constexpr backend all[] = {
#define BEAMLET_BACKEND(name) {#name, backend_api_version, name##_devices},
#include "compute/backends.def"
  };
  return all;
}

const backend* find_backend(std::string_view name) noexcept {
  for (const backend& one : backends())
    if (name == one.name) return &one;
  return nullptr;
}

const char* name_of(device_kind kind) noexcept {
  switch (kind) {
    case device_kind::cpu: return "cpu";
    case device_kind::integrated: return "integrated";
    case device_kind::discrete: return "discrete";
    case device_kind::accelerator: return "accelerator";
    case device_kind::software: return "software";
  }
  return "unknown";
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
