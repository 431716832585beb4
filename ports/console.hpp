// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/version.hpp>

#include <cstdio>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// True when `file` leads to a screen on which a line can be drawn again. The file stays untouched.
///
/// REQUIRES: `file` is open.   Thread: any.   Blocks: no.
bool is_terminal(std::FILE* file);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
