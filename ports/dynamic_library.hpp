// SPDX-License-Identifier: Apache-2.0
#pragma once

// Libraries that are loaded at run time: drivers of devices. Never unloaded, because what they have
// started (threads, handlers at exit) would be left without its code.

#include <beamlet/base/result.hpp>

#include <string>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

class dynamic_library {
 public:
  /// By a file name that the system's loader looks for, or by a path.
  ///
  /// Thread: any.   Blocks: reads files, and runs what the library does when it is loaded.
  /// Errors: not_found (no such library, or one that it needs), unsupported (it is there and cannot
  /// be loaded: of another architecture; or this program is static and cannot load anything), each
  /// with the loader's words.
  static result<dynamic_library> open(const std::string& name);
  /// False: this program is static, and open() refuses every library.
  ///
  /// Thread: any.   Blocks: no.
  static bool can_open() noexcept;

  /// Null where it has no such function. Function and name must agree: nothing can check that.
  template <class Function>
  Function* find(const char* name) const noexcept {
    return reinterpret_cast<Function*>(address_of(name));
  }

 private:
  explicit dynamic_library(void* handle) noexcept : handle_(handle) {}
  void* address_of(const char* name) const noexcept;

  void* handle_;
};

/// Sets a variable of the environment that a library reads when it starts, unless it is set.
///
/// REQUIRES: no other thread reads or changes the environment meanwhile.   Blocks: no.
void set_environment_default(const char* name, const std::string& value);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
