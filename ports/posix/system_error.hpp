// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/base/result.hpp>

#include <string>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// The error of an errno: `what` failed, the system's reason, and the remedy where a limit is the
/// cause.
error system_error(std::string what, int number);

/// Whether RLIMIT_FSIZE allows a file of `bytes`. To be asked before the file grows: the system
/// answers with a signal that ends the program.
///
/// Errors: too_large.
result<void> check_file_limit(const char* what, std::uint64_t bytes);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
