// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernels of kernels/ops.def, as the build compiled them: embedded::elementwise_f32, ...

#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {
namespace embedded {

#define BEAMLET_KERNEL(name, file, options) extern const kernel_code name;
#include "kernels/ops.def"

}  // namespace embedded
}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
