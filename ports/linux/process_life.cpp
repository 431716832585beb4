// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/descriptor.hpp"
#include "ports/processes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// One line of the kernel's, without its end.
std::string read_line(const std::string& path) {
  descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[1024];
  ssize_t count = file ? read(file.number(), text, sizeof text) : 0;
  std::string line(text, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return line.substr(0, line.find('\n'));
}

// When a process was started, in ticks since the machine was; 0 if that is not known. It tells two
// processes apart that had the same number.
std::uint64_t start_of(int id) {
  std::string line = read_line("/proc/" + std::to_string(id) + "/stat");
  // The program's name, the second field, is in parentheses and may hold anything.
  std::size_t at = line.rfind(')');
  for (int field = 3; field <= 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at, nullptr, 10);
}

// Who can see this process by its number: the machine since it was started, and the container.
std::string place_of_life() {
  std::string boot = read_line("/proc/sys/kernel/random/boot_id");
  struct stat container {};
  if (boot.empty() || stat("/proc/self/ns/pid", &container) != 0) return {};
  std::erase(boot, '-');
  return boot + '-' + std::to_string(container.st_ino) + '-';
}

}  // namespace

std::string own_life() {
  std::string place = place_of_life();
  std::uint64_t start = start_of(getpid());
  if (place.empty() || start == 0) return {};
  return place + std::to_string(getpid()) + '-' + std::to_string(start);
}

void end_with_parent() { (void)prctl(PR_SET_PDEATHSIG, SIGKILL); }

bool life_has_ended(const std::string& life) {
  std::string place = place_of_life();
  if (place.empty() || !life.starts_with(place)) return false;
  char* end = nullptr;
  long id = std::strtol(life.c_str() + place.size(), &end, 10);
  if (id <= 0 || id > INT_MAX || *end != '-') return false;
  std::uint64_t start = std::strtoull(end + 1, &end, 10);
  if (start == 0 || *end != 0) return false;
  if (kill(static_cast<pid_t>(id), 0) != 0 && errno == ESRCH) return true;
  std::uint64_t now = start_of(static_cast<int>(id));
  return now != 0 && now != start;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
