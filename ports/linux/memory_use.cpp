// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "ports/linux/cgroup.hpp"
#include "ports/memory.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// The number behind `name` and blanks at the start of a line; 0 where there is no such line.
std::uint64_t number_behind(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    std::string_view line = take_until(lines, '\n');
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    std::size_t digits = std::min(line.find_first_not_of(": \t"), line.size());
    if (digits == 0) continue;  // a longer name
    return positive_number(line.substr(digits));
  }
  return 0;
}

// Pages of /proc/<process>/statm: all that are resident, and those of them that are shared.
struct resident_pages {
  std::uint64_t all = 0, shared = 0;
};
resident_pages pages_of(const std::string& process) {
  const std::string text = read_kernel_text("/proc/" + process + "/statm");
  std::string_view rest = text;
  take_until(rest, ' ');
  resident_pages found;
  found.all = positive_number(take_until(rest, ' '));
  found.shared = positive_number(take_until(rest, ' '));
  return found;
}

memory_use use_of_machine(const char* root) {
  const std::string text = read_kernel_text(std::string(root) + "/proc/meminfo");
  constexpr std::uint64_t unit = 1024;
  const std::uint64_t all = number_behind(text, "MemTotal");
  std::uint64_t left = number_behind(text, "MemAvailable");
  if (left == 0)  // before 3.14
    left = number_behind(text, "MemFree") + number_behind(text, "Buffers") +
           number_behind(text, "Cached");
  return {.used = (all - std::min(all, left)) * unit, .limit = all * unit, .of_container = false};
}

// `prefix`: of the names in memory.stat that count the groups below, too.
memory_use use_of_group(const std::string& folder, const char* limit, const char* used,
                        const std::string& prefix) {
  memory_use found{
      .used = 0, .limit = positive_number(read_kernel_text(folder + limit)), .of_container = true};
  if (found.limit == 0) return found;
  found.used = positive_number(read_kernel_text(folder + used));
  const std::string counts = read_kernel_text(folder + "/memory.stat");
  const std::uint64_t files = number_behind(counts, prefix + "inactive_file") +
                              number_behind(counts, prefix + "active_file");
  found.used -= std::min(found.used, files);
  return found;
}

bool is_fuller(const memory_use& one, const memory_use& other) {
  if (one.limit == 0 || other.limit == 0) return one.limit != 0;
  return static_cast<double>(one.used) / static_cast<double>(one.limit) >
         static_cast<double>(other.used) / static_cast<double>(other.limit);
}

}  // namespace

memory_use memory_use_of(const char* root) {
  memory_use fullest = use_of_machine(root);
  for_each_cgroup(root, "memory", [&](const std::string& folder) {
    const memory_use v2 = use_of_group(folder, "/memory.max", "/memory.current", "");
    const memory_use v1 =
        use_of_group(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_");
    for (const memory_use& each : {v2, v1})
      if (is_fuller(each, fullest)) fullest = each;
  });
  return fullest;
}

memory_use used_memory() { return memory_use_of(""); }

std::uint64_t resident_bytes() { return pages_of("self").all * page_bytes(); }

std::uint64_t private_bytes(std::uint32_t process) {
  const resident_pages found = pages_of(std::to_string(process));
  return (found.all - std::min(found.all, found.shared)) * page_bytes();
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
