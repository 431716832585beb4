// SPDX-License-Identifier: Apache-2.0
#include "ports/linux/cgroup.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <unistd.h>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

bool holds_controller(std::string_view all, std::string_view controller) {
  while (!all.empty()) {
    if (take_until(all, ',') == controller) return true;
  }
  return false;
}

// A container may see its own cgroup as the root or may see a path of the host that is not mounted
// in it; looking at every parent up to the mount's root covers both.
void walk_up(const std::string& mount, std::string_view path,
             const std::function<void(const std::string&)>& look) {
  for (;;) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    look(mount + std::string(path));
    if (path.empty()) return;
    path = path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

// The kernel's files are short: the limit only bounds a strange one.
std::string read_kernel_text(const std::string& path) {
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

std::string_view take_until(std::string_view& rest, char separator) {
  std::size_t length = std::min(rest.find(separator), rest.size());
  std::string_view taken = rest.substr(0, length);
  rest.remove_prefix(std::min(length + 1, rest.size()));
  return taken;
}

std::uint64_t positive_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void for_each_cgroup(const char* root, std::string_view controller,
                     const std::function<void(const std::string& folder)>& look) {
  const std::string mounts = std::string(root) + "/sys/fs/cgroup";
  const std::string lines = read_kernel_text(std::string(root) + "/proc/self/cgroup");
  std::string_view rest = lines;
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    std::string_view hierarchy = take_until(line, ':');
    std::string_view controllers = take_until(line, ':');
    if (line.empty() || line[0] != '/') continue;
    if (line.find("/..") != line.npos) line = "/";  // above the root of a cgroup namespace
    if (hierarchy == "0" && controllers.empty()) {
      walk_up(mounts, line, look);
    } else if (holds_controller(controllers, controller)) {
      walk_up(mounts + "/" + std::string(controllers), line, look);
      if (controllers != controller) walk_up(mounts + "/" + std::string(controller), line, look);
    }
  }
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
