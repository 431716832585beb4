// SPDX-License-Identifier: Apache-2.0
#include "ports/dynamic_library.hpp"

#include <cstdlib>

#include <dlfcn.h>

#include "ports/posix/system.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

result<dynamic_library> dynamic_library::open(const std::string& name) {
  // glibc's dlopen of a static program looks for the very same glibc as a shared library, and may
  // crash where it finds another.
  if (!can_open())
    return error(errc::unsupported, error_layer::ports,
                 {.message = "a static program loads no drivers: link it dynamically with libc",
                  .type = {},
                  .function = {},
                  .cause = {}});
  if (void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL); handle != nullptr)
    return dynamic_library(handle);
  const char* said = ::dlerror();
  const std::string why = said != nullptr ? said : name + " cannot be loaded";
  const bool missing = why.find("No such file") != std::string::npos;
  return error(missing ? errc::not_found : errc::unsupported, error_layer::ports,
               {.message = why, .type = {}, .function = {}, .cause = {}});
}

bool dynamic_library::can_open() noexcept { return !is_static_program(); }

void* dynamic_library::address_of(const char* name) const noexcept {
  return ::dlsym(handle_, name);
}

void set_environment_default(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), 0);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
