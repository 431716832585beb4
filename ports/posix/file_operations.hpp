// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ports/files.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Does what `request` says, on the calling thread, and fills in its results; does not call `done`.
///
/// Thread: any.   Blocks: yes, as long as the disk takes.
void perform(file_request& request);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
