// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/error.hpp>

#include <string>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// An error of this layer that says more than its code; `system` is errno or libuv's negative
/// number.
inline error port_error(errc code, std::string message, int system = 0) {
  error_detail detail;
  detail.message = std::move(message);
  return error(code, error_layer::ports, std::move(detail), system);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
