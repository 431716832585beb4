// SPDX-License-Identifier: Apache-2.0
#include "ports/doorbell.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "ports/port.hpp"
#include "ports/posix/system_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

result<doorbell> doorbell::make() {
  int both[2];
  if (pipe2(both, O_CLOEXEC | O_NONBLOCK) != 0) {
    return system_error("a pipe to wake by could not be made", errno);
  }
  return doorbell(descriptor(both[0]), descriptor(both[1]));
}

void doorbell::ring() noexcept {
  // A full pipe has been rung often enough. Nobody gets SIGPIPE: the other end is ours, too.
  while (write(writing_.number(), "", 1) < 0 && errno == EINTR) {}
}

void doorbell::clear() noexcept {
  char bytes[64];
  for (;;) {
    ssize_t count = read(reading_.number(), bytes, sizeof bytes);
    if (count == sizeof bytes || (count < 0 && errno == EINTR)) continue;
    return;
  }
}

waited wait_ready(int descriptor, unsigned events, const doorbell& bell, std::uint64_t timeout_ns) {
  constexpr std::uint64_t ms = 1'000'000, longest_ms = 1'000'000'000;
  int wanted =
      ((events & ready_to_read) != 0 ? POLLIN : 0) | ((events & ready_to_write) != 0 ? POLLOUT : 0);
  pollfd both[2] = {{.fd = descriptor, .events = static_cast<short>(wanted), .revents = 0},
                    {.fd = bell.number(), .events = POLLIN, .revents = 0}};
  std::uint64_t rounded = timeout_ns / ms + (timeout_ns % ms != 0 ? 1 : 0);
  // An endless wait is made of very long ones: to return early is allowed.
  if (poll(both, 2, static_cast<int>(std::min(rounded, longest_ms))) <= 0) return {};
  waited seen{.events = 0, .rung = both[1].revents != 0};
  if ((both[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) seen.events = events;
  if ((both[0].revents & POLLIN) != 0) seen.events |= ready_to_read;
  if ((both[0].revents & POLLOUT) != 0) seen.events |= ready_to_write;
  return seen;
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
