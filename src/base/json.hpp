// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "beamlet/config.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace base {

/// Appends `text` as a JSON string with its quotes. Bytes that are no valid UTF-8 become U+FFFD, so
/// that the document stays valid whatever a task was called.
void append_json_string(std::string& out, std::string_view text);

}  // namespace base
}  // namespace BEAMLET_ABI
}  // namespace beamlet
