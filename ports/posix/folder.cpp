// SPDX-License-Identifier: Apache-2.0
// The folder that this process is in, and paths for processes in another one.
#include <cerrno>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "ports/posix/system_error.hpp"
#include "ports/processes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

std::string current_folder() {
  // Without a buffer, as every C library allows: a path may be longer than PATH_MAX.
  char* found = getcwd(nullptr, 0);
  std::string folder(found == nullptr ? "" : found);
  std::free(found);
  return folder;
}

result<void> enter_folder(const std::string& path) {
  if (chdir(path.c_str()) == 0) return {};
  return system_error("the folder '" + path + "' cannot be entered", errno);
}

std::string absolute_path(const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  std::string folder = current_folder();
  if (folder.empty()) return path;
  if (folder.back() != '/') folder += '/';
  return folder + path;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
