// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/files.hpp"
#include "ports/local_socket.hpp"
#include "ports/port_error.hpp"
#include "ports/posix/private_folder.hpp"
#include "ports/posix/system_error.hpp"
#include "ports/threads.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

constexpr int connections_waiting_max = 128;

result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return port_error(errc::invalid_argument,
                      "'" + path + "' is empty or longer than the " +
                          std::to_string(sizeof address.sun_path - 1) +
                          " bytes of a socket's path; choose a shorter folder");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

descriptor new_stream_socket() {
  return descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

const sockaddr* plain(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// 0 or an errno; a socket that does not block is connected at once or never.
int connect_to(int socket, const sockaddr_un& address) {
  int failed = 0;
  do failed = ::connect(socket, plain(address), sizeof address) == 0 ? 0 : errno;
  while (failed == EINTR);
  return failed;
}

}  // namespace

result<std::vector<std::string>> socket_names(const std::string& folder) {
  descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return system_error("the folder '" + folder + "' cannot be listed", errno);
  file_request list;
  list.operation = file_operation::list;
  list.file = opened.number();
  perform(list);
  if (list.why.code() != errc::ok) return list.why;
  std::vector<std::string> names;
  for (file_entry& each : list.entries) {
    struct stat file {};  // of what a link leads to, as connect() follows it
    if (fstatat(opened.number(), each.name.c_str(), &file, 0) == 0 && S_ISSOCK(file.st_mode))
      names.push_back(std::move(each.name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

result<local_socket> local_socket::connect(const std::string& path, const socket_limits& limits) {
  BEAMLET_TRY(auto address, address_of(path));
  descriptor socket = new_stream_socket();
  int failed = socket ? connect_to(socket.number(), address) : errno;
  if (failed == 0) return adopt(std::move(socket), limits);
  if (failed == EAGAIN) {
    return port_error(errc::busy, "'" + path + "' has too many connections waiting", failed);
  }
  if (failed == ENOENT) {
    return port_error(errc::connection_refused, "nobody listens at '" + path + "'", failed);
  }
  return system_error("'" + path + "' cannot be connected to", failed);
}

local_listener::local_listener(descriptor folder, std::string path, const socket_limits& limits)
    : folder_(std::move(folder)),
      path_(std::move(path)),
      limits_(limits),
      generation_(fork_generation()) {}

result<local_listener> local_listener::listen(const std::string& folder, const std::string& name,
                                              const socket_limits& limits) {
  BEAMLET_TRY_VOID(check_file_name(name));
  BEAMLET_TRY(auto opened, open_private_folder(AT_FDCWD, folder));
  local_listener made(std::move(opened), folder + "/" + name, limits);
  error failed = made.open(name);
  if (failed.code() != errc::ok) return failed;
  return made;
}

// The lock is held while it is found out whether somebody listens and the file is replaced: of two
// programs that start at once, one gets the name, and none removes the other's file. A listener
// that died left a file that refuses connections.
error local_listener::open(const std::string& name) {
  auto failure = [&](const char* what, int number) {
    return system_error("'" + path_ + "' " + what, number);
  };
  BEAMLET_TRY(auto address, address_of(path_));
  constexpr int flags = O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  descriptor lock(openat(folder_.number(), (name + ".lock").c_str(), flags, 0600));
  if (!lock) return failure("cannot be locked", errno);
  if (flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    return port_error(errc::busy, "another program is about to listen at '" + path_ + "'", errno);
  }
  descriptor listening = new_stream_socket(), probe = new_stream_socket();
  if (!listening || !probe) return failure("cannot be listened at", errno);
  int answer = connect_to(probe.number(), address);
  if (answer == 0 || answer == EAGAIN) {
    return port_error(errc::already_exists, "another program listens at '" + path_ + "'");
  }
  if (answer == ECONNREFUSED) unlinkat(folder_.number(), name.c_str(), 0);
  struct stat file {};
  if (bind(listening.number(), plain(address), sizeof address) != 0 ||
      fstatat(folder_.number(), name.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::listen(listening.number(), connections_waiting_max) != 0) {
    return failure("cannot be listened at", errno);
  }
  file_ = file.st_ino;
  socket_ = std::move(listening);
  return {};
}

local_listener::~local_listener() {
  if (!socket_ || generation_ != fork_generation()) return;
  std::string name = path_.substr(path_.rfind('/') + 1);
  struct stat file {};
  if (fstatat(folder_.number(), name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0 &&
      file.st_ino == file_) {
    unlinkat(folder_.number(), name.c_str(), 0);
  }
}

result<std::optional<local_socket>> local_listener::accept() {
  descriptor accepted(accept4(number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted) {
    int failed = errno;
    if (failed == EAGAIN || failed == EWOULDBLOCK || failed == EINTR || failed == ECONNABORTED) {
      return std::optional<local_socket>();
    }
    return system_error("a connection at '" + path_ + "' cannot be accepted", failed);
  }
  BEAMLET_TRY(auto made, local_socket::adopt(std::move(accepted), limits_));
  return std::optional<local_socket>(std::move(made));
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
