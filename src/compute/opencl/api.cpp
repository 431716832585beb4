// SPDX-License-Identifier: Apache-2.0
#include "compute/opencl/api.hpp"

#include <algorithm>

#include "compute/errors.hpp"
#include "ports/dynamic_library.hpp"

#if BEAMLET_OPENCL

#include <CL/cl_icd.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

namespace {

using get_platforms = cl_int CL_API_CALL(cl_uint, cl_platform_id*, cl_uint*);
constexpr cl_uint opencl_platforms_max = 64;
// Of cl_khr_icd: the loader is there and knows no driver.
constexpr cl_int no_platform_found = -1001;

error not_a_driver(errc code, const std::string& library, const std::string& why, cl_int rc = 0) {
  return compute_error(code, library + ": " + why, rc);
}

result<void> ask_for_platforms(opencl_driver& of, get_platforms* ask) {
  cl_uint count = 0;
  of.platforms.resize(opencl_platforms_max);
  const cl_int rc = ask(opencl_platforms_max, of.platforms.data(), &count);
  if (rc != CL_SUCCESS && rc != no_platform_found)
    return not_a_driver(errc::not_found, of.library, "clGetPlatformIDs: " + name_of_opencl(rc), rc);
  of.platforms.resize(rc == CL_SUCCESS ? std::min(count, opencl_platforms_max) : 0);
  std::erase(of.platforms, nullptr);
  if (of.platforms.empty())
    return not_a_driver(errc::not_found, of.library, "it is there and knows no driver", rc);
  return {};
}

// A driver may have the functions under their own names, as a loader has ...
bool take_functions(opencl_driver& to, const ports::dynamic_library& from) {
#define BEAMLET_X(name)                                                 \
  to.name = from.find<std::remove_pointer_t<decltype(&::name)>>(#name); \
  if (to.name == nullptr) return false;
  BEAMLET_OPENCL_FUNCTIONS(BEAMLET_X)
#undef BEAMLET_X
  return true;
}

// ... or only what a loader asks for: a table that every object of it begins with.
bool take_table(opencl_driver& to, cl_platform_id platform) {
  const auto* table = *reinterpret_cast<const cl_icd_dispatch* const*>(platform);
  if (table == nullptr) return false;
#define BEAMLET_X(name)                                       \
  to.name = reinterpret_cast<decltype(&::name)>(table->name); \
  if (to.name == nullptr) return false;
  BEAMLET_OPENCL_FUNCTIONS(BEAMLET_X)
#undef BEAMLET_X
  return true;
}

}  // namespace

result<std::shared_ptr<const opencl_driver>> load_opencl(const std::string& library) {
  BEAMLET_TRY(const auto loaded, ports::dynamic_library::open(library));
  auto made = std::make_shared<opencl_driver>();
  made->library = library;
  auto* own = loaded.find<get_platforms>("clGetPlatformIDs");
  if (own != nullptr && take_functions(*made, loaded)) {
    BEAMLET_TRY_VOID(ask_for_platforms(*made, own));
    return std::shared_ptr<const opencl_driver>(std::move(made));
  }
  auto* extension = loaded.find<void * CL_API_CALL(const char*)>("clGetExtensionFunctionAddress");
  auto* for_loaders = extension == nullptr
                          ? nullptr
                          : reinterpret_cast<get_platforms*>(extension("clIcdGetPlatformIDsKHR"));
  if (for_loaders == nullptr)
    return not_a_driver(errc::unsupported, library, "it is no driver of OpenCL 1.2");
  BEAMLET_TRY_VOID(ask_for_platforms(*made, for_loaders));
  if (!take_table(*made, made->platforms.front()))
    return not_a_driver(errc::unsupported, library, "it lacks functions of OpenCL 1.2");
  return std::shared_ptr<const opencl_driver>(std::move(made));
}

errc code_of_opencl(cl_int code, opencl_step step) noexcept {
  constexpr cl_int nvidia_bad_access = -9999;  // a kernel read or wrote where it may not
  switch (code) {
    case CL_SUCCESS: return errc::ok;
    case CL_OUT_OF_RESOURCES:
      return step == opencl_step::make ? errc::no_memory : errc::device_lost;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_MAP_FAILURE:
    case CL_OUT_OF_HOST_MEMORY: return errc::no_memory;
    case CL_INVALID_BUFFER_SIZE: return errc::too_large;
    case CL_COMPILER_NOT_AVAILABLE:
    case CL_INVALID_OPERATION:
    case CL_INVALID_QUEUE_PROPERTIES:
    case CL_INVALID_WORK_GROUP_SIZE:
    case CL_INVALID_WORK_ITEM_SIZE: return errc::unsupported;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case CL_INVALID_DEVICE:
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST:
    case nvidia_bad_access: return errc::device_lost;
    default: return errc::invalid_argument;
  }
}

std::string name_of_opencl(cl_int code) {
  const char* name = "OpenCL error";
  switch (code) {
#define BEAMLET_X(known) \
  case known: name = #known; break;
    BEAMLET_X(CL_DEVICE_NOT_FOUND)
    BEAMLET_X(CL_DEVICE_NOT_AVAILABLE)
    BEAMLET_X(CL_COMPILER_NOT_AVAILABLE)
    BEAMLET_X(CL_MEM_OBJECT_ALLOCATION_FAILURE)
    BEAMLET_X(CL_OUT_OF_RESOURCES)
    BEAMLET_X(CL_OUT_OF_HOST_MEMORY)
    BEAMLET_X(CL_MEM_COPY_OVERLAP)
    BEAMLET_X(CL_BUILD_PROGRAM_FAILURE)
    BEAMLET_X(CL_MAP_FAILURE)
    BEAMLET_X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
    BEAMLET_X(CL_INVALID_VALUE)
    BEAMLET_X(CL_INVALID_PLATFORM)
    BEAMLET_X(CL_INVALID_DEVICE)
    BEAMLET_X(CL_INVALID_CONTEXT)
    BEAMLET_X(CL_INVALID_QUEUE_PROPERTIES)
    BEAMLET_X(CL_INVALID_COMMAND_QUEUE)
    BEAMLET_X(CL_INVALID_HOST_PTR)
    BEAMLET_X(CL_INVALID_MEM_OBJECT)
    BEAMLET_X(CL_INVALID_BINARY)
    BEAMLET_X(CL_INVALID_BUILD_OPTIONS)
    BEAMLET_X(CL_INVALID_PROGRAM_EXECUTABLE)
    BEAMLET_X(CL_INVALID_KERNEL_NAME)
    BEAMLET_X(CL_INVALID_KERNEL)
    BEAMLET_X(CL_INVALID_ARG_INDEX)
    BEAMLET_X(CL_INVALID_ARG_VALUE)
    BEAMLET_X(CL_INVALID_ARG_SIZE)
    BEAMLET_X(CL_INVALID_KERNEL_ARGS)
    BEAMLET_X(CL_INVALID_WORK_GROUP_SIZE)
    BEAMLET_X(CL_INVALID_WORK_ITEM_SIZE)
    BEAMLET_X(CL_INVALID_EVENT)
    BEAMLET_X(CL_INVALID_OPERATION)
    BEAMLET_X(CL_INVALID_BUFFER_SIZE)
    BEAMLET_X(CL_INVALID_GLOBAL_WORK_SIZE)
#undef BEAMLET_X
    default: break;
  }
  return std::string(name) + " (" + std::to_string(code) + ")";
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet

#endif
