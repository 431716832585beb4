// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>

#include <string>

#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// Whether `name` is one file's name within a folder and leads nowhere else.
///
/// Errors: invalid_argument.
result<void> check_file_name(const std::string& name);

/// Opens the folder `path`, relative to the folder `base` (AT_FDCWD: as the system reads it), and
/// makes it, for this user alone, if it is not there. What is in it can then be reached through the
/// descriptor whatever becomes of the path.
///
/// Errors: permission (a link, another user's, or one that others may write to), not_found (its
/// parent), exhausted, io.
result<descriptor> open_private_folder(int base, const std::string& path);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
