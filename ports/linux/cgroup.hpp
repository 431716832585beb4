// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the cgroups of this process and their parents say, v1 or v2. Files are looked up below
// `root`: "" for the system's.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "ports/memory.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// How many processors the cpu quotas leave (rounded up, the smallest counts); 0 where there is
/// none.
unsigned cgroup_cpus(const char* root);

/// The memory of the machine, or of the group around this process that is nearest its limit,
/// whichever is fuller.
memory_use memory_use_of(const char* root);

// -- for both

/// Calls `look` with the folder of each group that may bound `controller`, and of its parents.
void for_each_cgroup(const char* root, std::string_view controller,
                     const std::function<void(const std::string& folder)>& look);

/// A file of the kernel; empty where it is missing.
std::string read_kernel_text(const std::string& path);
/// The text up to `separator`, which goes from `rest` with it.
std::string_view take_until(std::string_view& rest, char separator);
/// 0 for "max", "-1" and nonsense: all mean that there is no limit.
std::uint64_t positive_number(std::string_view text);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
