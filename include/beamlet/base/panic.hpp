// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/config.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {

/// What was violated, and where. All strings have static lifetime.
struct panic_info {
  const char* condition;
  const char* message;
  const char* file;
  int line;
};

/// Called once when a programmer's mistake is found; must not return (when it does, the program
/// aborts).
using panic_handler = void (*)(const panic_info&);

/// Installs the embedder's handler and returns the previous one; null restores the default, which
/// aborts.
///
/// Thread: any.   Blocks: no.   Cost: one atomic exchange.
panic_handler set_panic_handler(panic_handler handler) noexcept;

/// Ends the program through the installed handler. The library's only way to abort.
[[noreturn]] void panic(const panic_info& info) noexcept;

}  // namespace BEAMLET_ABI
}  // namespace beamlet

/// Checks a precondition that only a programmer's mistake can violate. Stays on in release builds.
#define BEAMLET_ASSERT(condition, text)                \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::beamlet::panic({#condition, text, __FILE__, __LINE__}))
