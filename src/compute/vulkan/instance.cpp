// SPDX-License-Identifier: Apache-2.0
#include "compute/vulkan/instance.hpp"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "beamlet/version.hpp"
#include "ports/dynamic_library.hpp"

#if BEAMLET_VULKAN
namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

constexpr const char* vulkan_loaders[] = {"libvulkan.so.1", "libvulkan.so"};
// Mesa's, NVIDIA's (one driver under two names: the first needs X's libraries), Arm's, and Mesa's
// own on the processor last.
constexpr const char* vulkan_drivers[] = {"libGLX_nvidia.so.0",
                                          "libEGL_nvidia.so.0",
                                          "libvulkan_radeon.so",
                                          "libvulkan_intel.so",
                                          "libvulkan_intel_hasvk.so",
                                          "libvulkan_nouveau.so",
                                          "libvulkan_broadcom.so",
                                          "libvulkan_freedreno.so",
                                          "libvulkan_panfrost.so",
                                          "libvulkan_asahi.so",
                                          "libvulkan_powervr_mesa.so",
                                          "libmali.so.1",
                                          "libmali.so",
                                          "libvulkan_lvp.so"};

// What a driver speaks with a loader: 5 is the first version in which both may be of Vulkan 1.1.
constexpr std::uint32_t driver_interface_version = 5;

// How a library is entered. One that has the driver's way is a driver, whatever else it has.
result<PFN_vkGetInstanceProcAddr> entry_of(const ports::dynamic_library& library) {
  using entry = std::remove_pointer_t<PFN_vkGetInstanceProcAddr>;
  if (auto* of_driver = library.find<entry>("vk_icdGetInstanceProcAddr")) {
    using negotiation = VkResult VKAPI_PTR(std::uint32_t*);
    std::uint32_t version = driver_interface_version;
    auto* negotiate = library.find<negotiation>("vk_icdNegotiateLoaderICDInterfaceVersion");
    if (negotiate != nullptr) {
      const VkResult code = negotiate(&version);
      if (code != VK_SUCCESS) return vulkan_error(code, "vk_icdNegotiateLoaderICDInterfaceVersion");
    }
    return of_driver;
  }
  if (auto* of_loader = library.find<entry>("vkGetInstanceProcAddr")) return of_loader;
  return compute_error(errc::unsupported, "neither a Vulkan loader nor a driver");
}

result<vulkan_instance> start_vulkan(const char* name) {
  BEAMLET_TRY(const auto library, ports::dynamic_library::open(name));
  BEAMLET_TRY(const auto find, entry_of(library));
  auto version =
      reinterpret_cast<PFN_vkEnumerateInstanceVersion>(find(nullptr, "vkEnumerateInstanceVersion"));
  auto create = reinterpret_cast<PFN_vkCreateInstance>(find(nullptr, "vkCreateInstance"));
  std::uint32_t has = VK_API_VERSION_1_0;
  if (version != nullptr && version(&has) != VK_SUCCESS) has = VK_API_VERSION_1_0;
  if (create == nullptr || has < VK_API_VERSION_1_1)
    return compute_error(errc::unsupported, "older than Vulkan 1.1");
  VkApplicationInfo program{};
  program.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  program.pEngineName = "beamlet";
  program.engineVersion = BEAMLET_VERSION_MAJOR;
  program.apiVersion = VK_API_VERSION_1_1;
  VkInstanceCreateInfo how{};
  how.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  how.pApplicationInfo = &program;
  vulkan_instance made{.library = name, .handle = nullptr, .vk = {}};
  const VkResult code = create(&how, nullptr, &made.handle);
  if (code != VK_SUCCESS) return vulkan_error(code, "vkCreateInstance");
  BEAMLET_TRY(made.vk, load_instance_api(find, made.handle));
  return made;
}

// Once for the process where it works; what failed may work later (a device is plugged in).
result<const vulkan_instance*> enter_vulkan(const char* name) {
  static std::mutex one_at_a_time;
  static auto& entered = *new std::vector<std::unique_ptr<vulkan_instance>>;
  const std::lock_guard lock(one_at_a_time);
  for (const auto& known : entered)
    if (known->library == name) return known.get();
  BEAMLET_TRY(auto made, start_vulkan(name));
  entered.push_back(std::make_unique<vulkan_instance>(std::move(made)));
  return entered.back().get();
}

result<std::vector<found_vulkan_device>> devices_of(const vulkan_instance& in) {
  // Devices may come between the two calls: then there is one answer of too few, and one more.
  for (int attempt = 0; attempt < 4; ++attempt) {
    std::uint32_t count = 0;
    VkResult code = in.vk.EnumeratePhysicalDevices(in.handle, &count, nullptr);
    std::vector<VkPhysicalDevice> handles(count);
    if (code == VK_SUCCESS && count > 0)
      code = in.vk.EnumeratePhysicalDevices(in.handle, &count, handles.data());
    if (code == VK_INCOMPLETE) continue;
    if (code != VK_SUCCESS) return vulkan_error(code, "vkEnumeratePhysicalDevices");
    std::vector<found_vulkan_device> found;
    for (std::uint32_t i = 0; i < count; ++i) found.push_back({&in, handles[i]});
    return found;
  }
  return compute_error(errc::busy, "devices come and go");
}

// What became of each library that was looked for.
class vulkan_search {
 public:
  std::vector<found_vulkan_device> devices_in(const char* library) {
    auto entered = enter_vulkan(library);
    auto found = entered.has_value() ? devices_of(**entered)
                                     : result<std::vector<found_vulkan_device>>(entered.error());
    if (found.has_value() && !found->empty()) return std::move(*found);
    looked_for_ += (looked_for_.empty() ? "" : ", ") + std::string(library);
    if (found.has_value()) looked_for_ += " (which shows no device)";
    else if (const std::string why(found.error().message());
             found.error().code() != errc::not_found && looked_for_.find(why) == std::string::npos)
      looked_for_ += " (" + why + ")";
    return {};
  }
  result<std::vector<found_vulkan_device>> result_of(std::vector<found_vulkan_device> found) {
    if (!found.empty()) return found;
    return compute_error(errc::not_found, "there is no Vulkan device; looked for " + looked_for_);
  }

 private:
  std::string looked_for_;
};

}  // namespace

vulkan_libraries known_vulkan_libraries() noexcept { return {vulkan_loaders, vulkan_drivers}; }

result<std::vector<found_vulkan_device>> find_vulkan_devices(const vulkan_libraries& libraries) {
  vulkan_search search;
  std::vector<found_vulkan_device> found;
  for (const char* loader : libraries.loaders) {
    found = search.devices_in(loader);
    if (!found.empty()) return found;
  }
  const bool are_named = !libraries.loaders.empty() && (std::getenv("VK_DRIVER_FILES") != nullptr ||
                                                        std::getenv("VK_ICD_FILENAMES") != nullptr);
  if (are_named) return search.result_of({});
  for (const char* driver : libraries.drivers)
    for (const found_vulkan_device& one : search.devices_in(driver)) found.push_back(one);
  return search.result_of(std::move(found));
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
#endif
