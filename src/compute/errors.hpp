// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "beamlet/base/error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// `system`: the driver's own number.
inline error compute_error(errc code, std::string message, std::int32_t system = 0) {
  return error(code, error_layer::compute,
               {.message = std::move(message), .type = {}, .function = {}, .cause = {}}, system);
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
