// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a kernel in SPIR-V asks for. Drivers trust what they are given: a module that is cut off, or
// that uses what is not switched on, can end the process. So every word that says how the module is
// built is looked at before a driver is; whether its instructions make sense is the compiler's
// word.

#include <cstdint>
#include <span>
#include <vector>

#include "beamlet/base/result.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

struct spirv_facts {
  std::vector<std::uint32_t> capabilities;  ///< as the specification numbers them
  std::uint32_t bindings = 0;               ///< the highest one and 1
  std::uint64_t read_only = 0;              ///< bit i: binding i is never written
};

/// Errors: invalid_argument, with what is wrong with it.
result<spirv_facts> read_spirv(std::span<const std::uint32_t> words);

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
