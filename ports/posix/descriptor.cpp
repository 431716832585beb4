// SPDX-License-Identifier: Apache-2.0
#include "ports/descriptor.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ports/port_error.hpp"
#include "ports/posix/system_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

errc code_of(int number) {
  switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
    case EAGAIN:
    case ETOOMANYREFS: return errc::exhausted;
    case ENOMEM: return errc::no_memory;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: return errc::permission;
    case ENOENT: return errc::not_found;
    case EEXIST: return errc::already_exists;
    case EBUSY: return errc::busy;
    case EFBIG: return errc::too_large;
    case EBADF:
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG: return errc::invalid_argument;
    case ENOSYS:
    case EOPNOTSUPP: return errc::unsupported;
    case EPIPE:
    case ECONNRESET: return errc::closed;
    case ECONNREFUSED: return errc::connection_refused;
    case ECANCELED: return errc::cancelled;
    default: return errc::io;
  }
}

const char* remedy_for(int number) {
  switch (number) {
    case EMFILE: return "; raise RLIMIT_NOFILE (ulimit -n)";
    case ENFILE: return "; the machine is out of descriptors: raise fs.file-max";
    case ENOSPC: return "; free space there, or choose another place";
    case EDQUOT: return "; the user's quota there is used up";
    case ENOMEM: return "; free memory, or raise the container's limit";
    case ELOOP: return "; symbolic links are not followed here";
    case EROFS: return "; choose a place that can be written";
    case EFBIG: return "; raise RLIMIT_FSIZE (ulimit -f)";
    case ETOOMANYREFS: return "; too many descriptors are on their way: raise RLIMIT_NOFILE";
    default: return "";
  }
}

}  // namespace

error system_error(std::string what, int number) {
  // The category's text, as strerror() is not for several threads.
  what += ": " + std::generic_category().message(number);
  return port_error(code_of(number), std::move(what) + remedy_for(number), number);
}

result<void> check_file_limit(const char* what, std::uint64_t bytes) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  if (bytes <= limit.rlim_cur) return {};
  return system_error(what, EFBIG);
}

void descriptor::close() noexcept {
  if (number_ < 0) return;
  int before = errno;
  ::close(release());
  errno = before;
}

result<descriptor> duplicate(int number) {
  int copy = fcntl(number, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return system_error("a descriptor could not be duplicated", errno);
  return descriptor(copy);
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
