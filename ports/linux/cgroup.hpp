// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/version.hpp>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// How many processors the cpu quotas of this process's cgroup and its parents leave (v1 or v2,
/// rounded up, the smallest counts); 0 where there is none. Files are looked up below `root`: ""
/// for the system's.
unsigned cgroup_cpus(const char* root);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
