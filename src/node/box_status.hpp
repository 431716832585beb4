// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "beamlet/base/result.hpp"
#include "beamlet/base/time.hpp"
#include "wire/messages.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// Asks the agent of the box `name` what there is; who asks is left out.
///
/// Thread: any.   Blocks: until the answer, or the time has passed.
/// Errors: those of attach_to_box(), unsupported (another version), timeout, agent_lost.
result<wire::status> ask_status(const std::string& folder, const std::string& name,
                                std::uint32_t objects_max, base::time_ns timeout_ns);

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
