// SPDX-License-Identifier: Apache-2.0
#pragma once

// The errors of this layer.

#include <cstddef>
#include <string>

#include "beamlet/base/error.hpp"
#include "cluster/records.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace cluster {

/// `first` is what it follows from: its message becomes the cause, its system number is kept.
error cluster_error(errc code, std::string sentence, const std::string& function = {},
                    const error* first = nullptr);

/// More of something than `limits::<what>` allows.
error limit_error(errc code, const char* what, std::size_t most);

/// What a call to an ended actor fails with.
error actor_died_error(const actor& ended, const std::string& function);

}  // namespace cluster
}  // namespace BEAMLET_ABI
}  // namespace beamlet
