// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include <sched.h>
#include <unistd.h>

#include "ports/linux/cgroup.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

void lower(unsigned& limit, std::string_view quota_us, std::string_view period_us) {
  std::uint64_t quota = positive_number(quota_us);
  std::uint64_t period = positive_number(period_us);
  if (quota == 0 || period == 0) return;
  std::uint64_t cpus = std::min<std::uint64_t>(quota / period + (quota % period != 0), UINT32_MAX);
  limit = limit == 0 ? static_cast<unsigned>(cpus) : std::min(limit, static_cast<unsigned>(cpus));
}

void read_quota(unsigned& limit, const std::string& folder) {
  std::string both = read_kernel_text(folder + "/cpu.max");  // v2
  std::string_view rest = both;
  std::string_view quota = take_until(rest, ' ');
  lower(limit, quota, rest);
  lower(limit, read_kernel_text(folder + "/cpu.cfs_quota_us"),
        read_kernel_text(folder + "/cpu.cfs_period_us"));
}

unsigned cpus_by_affinity() {
  for (std::size_t count = 1024; count <= (1U << 20); count *= 2) {
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) break;
    std::size_t bytes = CPU_ALLOC_SIZE(count);
    bool known = sched_getaffinity(0, bytes, set) == 0;
    bool too_small = !known && errno == EINVAL;
    unsigned cpus = known ? static_cast<unsigned>(CPU_COUNT_S(bytes, set)) : 0;
    CPU_FREE(set);
    if (known) return cpus;
    if (!too_small) break;
  }
  return static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

}  // namespace

unsigned cgroup_cpus(const char* root) {
  unsigned limit = 0;
  for_each_cgroup(root, "cpu", [&](const std::string& folder) { read_quota(limit, folder); });
  return limit;
}

unsigned usable_cpus() {
  unsigned cpus = std::max(cpus_by_affinity(), 1U);
  unsigned quota = cgroup_cpus("");
  return quota == 0 ? cpus : std::min(cpus, quota);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
