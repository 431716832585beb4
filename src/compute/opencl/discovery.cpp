// SPDX-License-Identifier: Apache-2.0
// Which libraries lead to OpenCL devices, and which devices those are.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/errors.hpp"
#include "compute/opencl/opencl_device.hpp"
#include "ports/dynamic_library.hpp"

#if BEAMLET_OPENCL

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using device_pointers = std::vector<std::unique_ptr<device>>;

constexpr const char* opencl_loaders[] = {"libOpenCL.so.1", "libOpenCL.so",
                                          "/vendor/lib64/libOpenCL.so",
                                          "/system/vendor/lib64/libOpenCL.so"};
// What vendors install.
constexpr const char* opencl_drivers[] = {
    "libmali.so.1",          "libmali.so",
    "libGLES_mali.so",       "/vendor/lib64/egl/libGLES_mali.so",
    "libPVROCL.so.1",        "libPVROCL.so",
    "libnvidia-opencl.so.1", "libamdocl64.so",
    "libRusticlOpenCL.so.1", "libpocl.so.2"};

// Whoever says by these where a loader finds drivers means no others.
bool are_drivers_named() {
  return std::getenv("OCL_ICD_VENDORS") != nullptr || std::getenv("OCL_ICD_FILENAMES") != nullptr;
}

// Drivers read these when they are first asked for their platforms. PoCL does not work at all where
// its folder cannot be written to, so it is told only of one that can.
std::shared_ptr<const blob_cache> open_caches(const std::string& folder) {
  auto made = std::make_shared<blob_cache>();
  if (folder.empty()) return made;
  if (auto own = blob_cache::open(folder); own.has_value()) *made = std::move(*own);
  if (const std::string pocl = folder + "/pocl"; blob_cache::open(pocl).has_value())
    ports::set_environment_default("POCL_CACHE_DIR", pocl);
  return made;
}

// What was found, and in words what was not.
struct opencl_search {
  std::shared_ptr<const blob_cache> cache;
  device_pointers found;
  std::string said, missing;
  errc why = errc::not_found;

  void note(const std::string& sentence) {
    if (said.find(sentence) != said.npos) return;  // two libraries may lead to one driver
    if (!said.empty()) said += "; ";
    said += sentence;
  }
};

void list_devices(opencl_search& to, const std::shared_ptr<const opencl_driver>& driver,
                  cl_platform_id platform) {
  constexpr cl_uint devices_max = 64;
  cl_device_id ids[devices_max] = {};
  cl_uint count = 0;
  const cl_int rc = driver->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, devices_max, ids, &count);
  if (rc != CL_SUCCESS || count == 0) {
    char name[128] = {};
    driver->clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, nullptr);
    to.note("'" + std::string(name) + "' shows no device");
    if (std::string_view(name).find("Portable Computing") != std::string_view::npos)
      to.note(
          "PoCL shows none where it cannot make its cache folder: give cache_folder, or "
          "POCL_CACHE_DIR, a folder that can be written to");
    return;
  }
  for (cl_uint i = 0; i < std::min(count, devices_max); ++i) {
    auto info = describe_opencl(*driver, platform, ids[i]);
    if (!info.has_value()) {
      to.note(std::string(info.error().message()));
      continue;
    }
    info->index = static_cast<std::uint32_t>(to.found.size());
    to.found.push_back(std::make_unique<opencl_device>(driver, ids[i], std::move(*info), to.cache));
  }
}

// The library's devices, or in words why there are none.
void search_library(opencl_search& search, const char* library) {
  auto driver = load_opencl(library);
  if (driver.has_value()) {
    for (cl_platform_id platform : (*driver)->platforms) list_devices(search, *driver, platform);
    return;
  }
  const std::string words(driver.error().message());
  if (driver.error().code() == errc::unsupported) search.why = errc::unsupported;
  // Else it is there and something that it needs is not, or it knows no driver.
  const bool is_missing = driver.error().code() == errc::not_found &&
                          driver.error().layer() == error_layer::ports &&
                          words.find(library) != words.npos;
  if (is_missing) search.missing += (search.missing.empty() ? "" : ", ") + std::string(library);
  else search.note(words);
}

// Until one shows a device.
void search_libraries(opencl_search& search, std::span<const char* const> libraries) {
  for (const char* library : libraries)
    if (search.found.empty()) search_library(search, library);
}

}  // namespace

opencl_libraries known_opencl_libraries() noexcept { return {opencl_loaders, opencl_drivers}; }

result<device_pointers> opencl_devices_of(const opencl_libraries& libraries,
                                          const backend_options& options) {
  opencl_search search{open_caches(options.cache_folder), {}, {}, {}};
  search_libraries(search, libraries.loaders);
  if (libraries.loaders.empty() || !are_drivers_named())
    search_libraries(search, libraries.drivers);
  if (!search.found.empty()) return std::move(search.found);
  if (!search.missing.empty()) search.note("there is none of " + search.missing);
  return compute_error(search.why, "no OpenCL device: " + search.said);
}

result<device_pointers> opencl_devices(const backend_options& options) {
  return opencl_devices_of(known_opencl_libraries(), options);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
