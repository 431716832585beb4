// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernels of choice.cpp in every language.

#include "compute/backend.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {
namespace embedded {

#define BEAMLET_KERNEL(name, file, options) extern const kernel_code name;
#include "bench/compute/kernels/kernels.def"

}  // namespace embedded
}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
