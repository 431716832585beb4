// SPDX-License-Identifier: Apache-2.0
#pragma once

// The processor as a device: kernels are functions, memory is the program's, and a launch has run
// when launch() returns.

#include "compute/backend.hpp"
#include "compute/cpu/isa.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

/// With kernels of one instruction set, which must be supported.
std::unique_ptr<device> make_cpu_device(isa set, const backend_options& options);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
