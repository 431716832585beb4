// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/panic.hpp"

#include <atomic>
#include <cstdlib>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
std::atomic<panic_handler> installed_panic_handler{nullptr};
}  // namespace

panic_handler set_panic_handler(panic_handler handler) noexcept {
  return installed_panic_handler.exchange(handler, std::memory_order_acq_rel);
}

void panic(const panic_info& info) noexcept {
  if (panic_handler handler = installed_panic_handler.load(std::memory_order_acquire))
    handler(info);
  std::abort();
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
