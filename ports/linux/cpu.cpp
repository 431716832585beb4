// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "ports/linux/cgroup.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// Empty where the file is missing. The kernel's files are short: the limit only bounds a strange
// one.
std::string read_text(const std::string& path) {
  constexpr std::size_t bytes_max = 65536;
  std::string text;
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  char buffer[4096];
  while (text.size() < bytes_max) {
    ssize_t count = read(file, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  close(file);
  return text;
}

// The text up to `separator`, which goes from `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  std::size_t length = std::min(rest.find(separator), rest.size());
  std::string_view taken = rest.substr(0, length);
  rest.remove_prefix(std::min(length + 1, rest.size()));
  return taken;
}

// 0 for "max", "-1" and nonsense: all mean that there is no limit.
std::uint64_t positive_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void lower(unsigned& limit, std::string_view quota_us, std::string_view period_us) {
  std::uint64_t quota = positive_number(quota_us);
  std::uint64_t period = positive_number(period_us);
  if (quota == 0 || period == 0) return;
  std::uint64_t cpus = std::min<std::uint64_t>(quota / period + (quota % period != 0), UINT32_MAX);
  limit = limit == 0 ? static_cast<unsigned>(cpus) : std::min(limit, static_cast<unsigned>(cpus));
}

void read_quota(unsigned& limit, const std::string& folder) {
  std::string both = read_text(folder + "/cpu.max");  // v2
  std::string_view rest = both;
  std::string_view quota = take_until(rest, ' ');
  lower(limit, quota, rest);
  lower(limit, read_text(folder + "/cpu.cfs_quota_us"), read_text(folder + "/cpu.cfs_period_us"));
}

bool holds_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    if (take_until(controllers, ',') == "cpu") return true;
  }
  return false;
}

// A container may see its own cgroup as the root or may see a path of the host that is not mounted
// in it; looking at every parent up to the mount's root covers both.
void walk_up(unsigned& limit, const std::string& mount, std::string_view path) {
  for (;;) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    read_quota(limit, mount + std::string(path));
    if (path.empty()) return;
    path = path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/'));
  }
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
  std::string mounts = std::string(root) + "/sys/fs/cgroup";
  std::string lines = read_text(std::string(root) + "/proc/self/cgroup");
  std::string_view rest = lines;
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    std::string_view hierarchy = take_until(line, ':');
    std::string_view controllers = take_until(line, ':');
    if (line.empty() || line[0] != '/') continue;
    if (line.find("/..") != line.npos) line = "/";  // above the root of a cgroup namespace
    if (hierarchy == "0" && controllers.empty()) {
      walk_up(limit, mounts, line);
    } else if (holds_cpu(controllers)) {
      walk_up(limit, mounts + "/" + std::string(controllers), line);
      if (controllers != "cpu") walk_up(limit, mounts + "/cpu", line);
    }
  }
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
