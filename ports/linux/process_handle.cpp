// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/posix/system.hpp"
#include "ports/processes.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

// By number, as older headers lack them. The same on all processors but for the socket's option,
// which an old kernel, or another processor's, refuses.
constexpr long call_send_signal = 424, call_open_process = 434;
constexpr int wait_by_descriptor = 3;
constexpr int option_peer_process = 77;

}  // namespace

int open_process(int id) { return static_cast<int>(syscall(call_open_process, id, 0)); }

int open_peer_process(int socket) {
  int opened = -1;
  socklen_t bytes = sizeof opened;
  if (getsockopt(socket, SOL_SOCKET, option_peer_process, &opened, &bytes) == 0) return opened;
  std::uint32_t process = 0, user = 0, group = 0;
  if (int failed = read_peer(socket, process, user, group)) {
    errno = failed;
    return -1;
  }
  return open_process(static_cast<int>(process));  // before 6.5
}

int read_peer(int socket, std::uint32_t& process, std::uint32_t& user, std::uint32_t& group) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return errno;
  process = static_cast<std::uint32_t>(peer.pid);
  user = peer.uid;
  group = peer.gid;
  return 0;
}

int wait_for_child(int id, int descriptor, int flags, siginfo_t& info) {
  if (descriptor >= 0) {
    auto by_descriptor = static_cast<idtype_t>(wait_by_descriptor);
    if (waitid(by_descriptor, static_cast<id_t>(descriptor), &info, flags) == 0) return 0;
    if (errno != EINVAL) return errno;  // before 5.4
  }
  return waitid(P_PID, static_cast<id_t>(id), &info, flags) == 0 ? 0 : errno;
}

int signal_process(int descriptor, int signal) {
  return syscall(call_send_signal, descriptor, signal, nullptr, 0) == 0 ? 0 : errno;
}

int limit_cpu_seconds(int id, std::uint64_t seconds) {
  rlimit limit{};
  if (prlimit(id, RLIMIT_CPU, nullptr, &limit) != 0) return errno;
  rlim_t most = limit.rlim_max;
  auto wanted = static_cast<rlim_t>(std::min<std::uint64_t>(seconds, RLIM_INFINITY - 2));
  limit.rlim_cur = std::min(wanted, most);
  limit.rlim_max = std::min(wanted + 1, most);
  return prlimit(id, RLIMIT_CPU, &limit, nullptr) == 0 ? 0 : errno;
}

// Not RLIMIT_AS: that counts the objects which a worker maps to read, and what is only reserved.
int limit_memory(int id, std::uint64_t bytes) {
  rlimit limit{};
  if (prlimit(id, RLIMIT_DATA, nullptr, &limit) != 0) return errno;
  auto wanted = static_cast<rlim_t>(std::min<std::uint64_t>(bytes, RLIM_INFINITY - 1));
  limit.rlim_max = limit.rlim_cur = std::min(wanted, limit.rlim_max);
  return prlimit(id, RLIMIT_DATA, &limit, nullptr) == 0 ? 0 : errno;
}

const char* own_program() {
  constexpr const char* path = "/proc/self/exe";
  return access(path, X_OK) == 0 ? path : nullptr;
}

std::string program_of(std::uint32_t process) {
  return "/proc/" + std::to_string(process) + "/exe";
}

std::string program_name(std::uint32_t process) {
  char file[PATH_MAX];
  const ssize_t bytes = readlink(program_of(process).c_str(), file, sizeof file);
  if (bytes <= 0 || bytes == sizeof file) return {};  // the second would be a part of it
  std::string_view path(file, static_cast<std::size_t>(bytes));
  return std::string(path.substr(path.rfind('/') + 1));
}

std::uint64_t program_identity(std::uint32_t process) {
  struct stat file {};
  if (stat(program_of(process).c_str(), &file) != 0) return 0;
  std::uint64_t identity = 0xcbf29ce484222325u;  // FNV-1a, by words
  for (auto part :
       {static_cast<std::uint64_t>(file.st_dev), static_cast<std::uint64_t>(file.st_ino),
        static_cast<std::uint64_t>(file.st_size), static_cast<std::uint64_t>(file.st_mtim.tv_sec),
        static_cast<std::uint64_t>(file.st_mtim.tv_nsec)}) {
    identity = (identity ^ part) * 0x100000001b3u;
  }
  return identity;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
