// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <limits>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ports/descriptor.hpp"
#include "ports/files.hpp"
#include "ports/port_error.hpp"
#include "ports/posix/private_folder.hpp"
#include "ports/posix/system_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

error operation_failed(const file_request& request, const char* verb, int number) {
  std::string what = request.name.empty() ? std::string("a file") : "'" + request.name + "'";
  return system_error(what + " could not be " + verb, number);
}

result<void> make_or_open_folder(file_request& request) {
  int base = request.file;
  if (base != no_folder) BEAMLET_TRY_VOID(check_file_name(request.name));
  if (base == no_folder) base = AT_FDCWD;
  BEAMLET_TRY(auto folder, open_private_folder(base, request.name));
  request.opened = folder.release();
  return {};
}

result<void> create_file(file_request& request) {
  BEAMLET_TRY_VOID(check_file_name(request.name));
  constexpr int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  request.opened = openat(request.file, request.name.c_str(), flags, 0600);
  if (request.opened < 0) return operation_failed(request, "made", errno);
  return {};
}

result<void> open_file(file_request& request) {
  BEAMLET_TRY_VOID(check_file_name(request.name));
  // O_NONBLOCK, or a pipe in the file's place would hold this thread for ever.
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  descriptor opened(openat(request.file, request.name.c_str(), flags));
  struct stat status {};
  if (!opened || fstat(opened.number(), &status) != 0) {
    return operation_failed(request, "opened", errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return port_error(errc::permission, "'" + request.name + "' is no plain file");
  }
  request.count = static_cast<std::uint64_t>(status.st_size);
  request.opened = opened.release();
  return {};
}

// An offset of 64 bits may be more than a small system's files have.
result<void> check_range(const file_request& request, std::size_t bytes) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (request.offset <= most && bytes <= most - request.offset) return {};
  return port_error(errc::too_large, "offset " + std::to_string(request.offset) +
                                         " is more than a file here can have");
}

// Calls `step(offset, done)` for the number of bytes it moved until `bytes` are, or it moves none.
template <class Step>
int move_all(file_request& request, std::size_t bytes, Step step) {
  request.count = 0;
  while (request.count < bytes) {
    auto done = static_cast<std::size_t>(request.count);
    ssize_t moved = step(static_cast<off_t>(request.offset + done), done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return errno;
    if (moved == 0) break;
    request.count += static_cast<std::uint64_t>(moved);
  }
  return 0;
}

result<void> write_file(file_request& request) {
  auto from = request.from;
  BEAMLET_TRY_VOID(check_range(request, from.size()));
  if (!from.empty()) {
    BEAMLET_TRY_VOID(check_file_limit("a file cannot grow", request.offset + from.size()));
  }
  int failed = move_all(request, from.size(), [&](off_t offset, std::size_t done) {
    return pwrite(request.file, from.data() + done, from.size() - done, offset);
  });
  if (failed == 0 && request.count < from.size()) failed = EIO;
  if (failed != 0) return operation_failed(request, "written", failed);
  return {};
}

result<void> read_file(file_request& request) {
  auto into = request.into;
  BEAMLET_TRY_VOID(check_range(request, into.size()));
  int failed = move_all(request, into.size(), [&](off_t offset, std::size_t done) {
    return pread(request.file, into.data() + done, into.size() - done, offset);
  });
  if (failed != 0) return operation_failed(request, "read", failed);
  return {};
}

result<void> sync_file(file_request& request) {
  // EINVAL: not a thing of a disk (a folder on some file systems), nothing to do.
  if (fdatasync(request.file) == 0 || errno == EINVAL) return {};
  return operation_failed(request, "synced", errno);
}

result<void> remove_file(file_request& request) {
  BEAMLET_TRY_VOID(check_file_name(request.name));
  int failed = unlinkat(request.file, request.name.c_str(), 0) == 0 ? 0 : errno;
  if (failed == EISDIR || failed == EPERM) {
    failed = unlinkat(request.file, request.name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  }
  if (failed != 0) return operation_failed(request, "removed", failed);
  return {};
}

result<void> rename_file(file_request& request) {
  BEAMLET_TRY_VOID(check_file_name(request.name));
  BEAMLET_TRY_VOID(check_file_name(request.new_name));
  if (renameat(request.file, request.name.c_str(), request.file, request.new_name.c_str()) == 0)
    return {};
  return operation_failed(request, "renamed", errno);
}

result<void> list_folder(file_request& request) {
  request.entries.clear();
  // Another descriptor, as reading moves a position that all copies of one share.
  descriptor opened(openat(request.file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* folder = opened ? fdopendir(opened.number()) : nullptr;
  if (folder == nullptr) return operation_failed(request, "listed", errno);
  int number = opened.release();  // closedir() closes it
  bool too_many = false;
  errno = 0;
  for (dirent* each = readdir(folder); each != nullptr && !too_many; each = readdir(folder)) {
    std::string name = each->d_name;
    struct stat status {};
    bool gone = fstatat(number, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0;
    errno = 0;
    if (gone || name == "." || name == "..") continue;
    too_many = request.entries.size() == file_entries_max;
    if (too_many) break;
    std::uint64_t bytes = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
    request.entries.push_back({std::move(name), bytes, S_ISDIR(status.st_mode)});
  }
  int failed = errno;
  closedir(folder);
  if (failed != 0) return operation_failed(request, "listed", failed);
  if (too_many) return port_error(errc::too_large, "a folder has too many files to be listed");
  return {};
}

result<void> ask_free_space(file_request& request) {
  struct statvfs status {};
  if (fstatvfs(request.file, &status) != 0) return operation_failed(request, "looked at", errno);
  request.count = std::uint64_t{status.f_bavail} * status.f_frsize;
  return {};
}

result<void> close_file(file_request& request) {
  // EINTR: closed all the same.
  if (::close(request.file) == 0 || errno == EINTR) return {};
  return operation_failed(request, "closed", errno);
}

}  // namespace

result<void> check_file_name(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
      name.find('\0') == std::string::npos) {
    return {};
  }
  return port_error(errc::invalid_argument, "'" + name + "' is not the name of a file");
}

result<descriptor> open_private_folder(int base, const std::string& path) {
  std::string what = "the folder '" + path + "'";
  if (mkdirat(base, path.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(what + " could not be made", errno);
  }
  // What is no folder is told to be no folder, also when it is a link.
  descriptor folder(openat(base, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!folder || fstat(folder.number(), &status) != 0) {
    if (errno == ENOTDIR) return port_error(errc::permission, what + " is a link or a file", errno);
    return system_error(what + " could not be opened", errno);
  }
  if (status.st_uid != geteuid()) {
    return port_error(errc::permission, what + " belongs to another user; choose another one");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return port_error(errc::permission, what + " can be written by others; chmod go-w it");
  }
  return folder;
}

void perform(file_request& request) {
  auto operate = [&]() -> result<void> {
    switch (request.operation) {
      case file_operation::open_folder: return make_or_open_folder(request);
      case file_operation::create: return create_file(request);
      case file_operation::open: return open_file(request);
      case file_operation::close: return close_file(request);
      case file_operation::write: return write_file(request);
      case file_operation::read: return read_file(request);
      case file_operation::sync: return sync_file(request);
      case file_operation::remove: return remove_file(request);
      case file_operation::rename: return rename_file(request);
      case file_operation::list: return list_folder(request);
      case file_operation::free_space: return ask_free_space(request);
    }
    return errc::invalid_argument;
  };
  request.why = operate().error();
}

std::uint64_t file_stamp(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return 0;
  const auto ns = static_cast<std::uint64_t>(file.st_mtim.tv_sec) * 1'000'000'000 +
                  static_cast<std::uint64_t>(file.st_mtim.tv_nsec);
  return (ns ^ static_cast<std::uint64_t>(file.st_size) << 32 ^
          static_cast<std::uint64_t>(file.st_ino)) |
         1;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
