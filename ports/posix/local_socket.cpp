// SPDX-License-Identifier: Apache-2.0
#include "ports/local_socket.hpp"

#include <beamlet/base/panic.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ports/port_error.hpp"
#include "ports/posix/system.hpp"
#include "ports/posix/system_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {
namespace {

constexpr std::size_t socket_read_bytes = std::size_t{64} << 10;
// Queued frames with descriptors: each holds some of this process's own limit.
constexpr std::size_t socket_attachments_max = 64;
constexpr std::array<std::byte, 8> socket_padding{};

// Room for the descriptors of one message, aligned for its header.
union socket_control {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(int) * frame_descriptors_max)];
};

// How many bytes the system took, 0 if it takes none now, or a negative errno.
ssize_t send_some(int socket, std::span<iovec> parts, std::span<const int> descriptors) {
  socket_control control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(parts.size());
  if (!descriptors.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen =
        static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(descriptors.size_bytes()));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(descriptors.size_bytes()));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

iovec part_of(std::span<const std::byte> bytes) {
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

error send_failed(ssize_t negative) {
  return system_error("a frame could not be sent", static_cast<int>(-negative));
}

// All that the kernel gave, whatever the message says: what is not taken here would stay open.
std::vector<descriptor> received_descriptors(msghdr& message) {
  std::vector<descriptor> all;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
       each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(each) + i * sizeof number, sizeof number);
      all.emplace_back(number);
    }
  }
  return all;
}

error descriptors_lost(std::size_t received) {
  if (received == frame_descriptors_max) {
    return port_error(errc::malformed, "a message with too many descriptors");
  }
  return system_error("descriptors that were sent could not be received", EMFILE);
}

bool is_socket(int number) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

}  // namespace

std::uint32_t current_user() { return static_cast<std::uint32_t>(geteuid()); }

result<std::pair<local_socket, local_socket>> local_socket::make_pair(const socket_limits& limits) {
  int both[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both) != 0) {
    return system_error("a pair of sockets could not be made", errno);
  }
  descriptor first(both[0]), second(both[1]);
  BEAMLET_TRY(auto one, adopt(std::move(first), limits));
  BEAMLET_TRY(auto other, adopt(std::move(second), limits));
  return std::pair(std::move(one), std::move(other));
}

result<local_socket> local_socket::adopt(descriptor socket, const socket_limits& limits) {
  BEAMLET_ASSERT(limits.frame_bytes_max < UINT32_MAX, "a frame's length is 32 bits");
  BEAMLET_ASSERT(limits.queue_bytes_max >= frame_header_bytes + limits.frame_bytes_max + 7,
                 "the queue must have room for the largest frame");
  if (!is_socket(socket.number())) {
    return port_error(errc::invalid_argument, "the descriptor is not that of a stream socket");
  }
  return local_socket(std::move(socket), limits);
}

result<socket_peer> local_socket::peer() const {
  socket_peer peer;
  int failed = read_peer(number(), peer.process, peer.user, peer.group);
  if (failed == 0) return peer;
  return system_error("who is at the other end of a socket cannot be known", failed);
}

result<descriptor> local_socket::peer_process() const {
  descriptor process(open_peer_process(number()));
  if (process) return process;
  int failed = errno;
  std::string what = "the process at the other end of a socket cannot be watched";
  if (failed == ESRCH) return port_error(errc::not_found, std::move(what), failed);
  return system_error(std::move(what), failed);
}

result<void> local_socket::send(std::span<const std::byte> bytes,
                                std::span<const int> descriptors) {
  if (bytes.size() > limits_.frame_bytes_max) {
    return port_error(errc::too_large, "a frame of " + std::to_string(bytes.size()) +
                                           " bytes; the limit is " +
                                           std::to_string(limits_.frame_bytes_max));
  }
  if (descriptors.size() > frame_descriptors_max) {
    return port_error(errc::invalid_argument, "too many descriptors for one frame");
  }
  std::size_t padding = frame_padding(bytes.size());
  std::size_t total = frame_header_bytes + bytes.size() + padding;
  bool crowded = !descriptors.empty() && attachments_.size() == socket_attachments_max;
  if (crowded || unsent_bytes() + total > limits_.queue_bytes_max) {
    return port_error(errc::queue_full, "the other end of a socket does not read");
  }
  auto header = frame_header(bytes.size(), descriptors.size());
  ssize_t sent = 0;
  if (unsent_bytes() == 0) {
    std::array parts{part_of(header), part_of(bytes),
                     part_of(std::span(socket_padding).first(padding))};
    sent = send_some(number(), parts, descriptors);
    if (sent < 0) return send_failed(sent);
    sent_bytes_ += static_cast<std::uint64_t>(sent);
    if (static_cast<std::size_t>(sent) == total) return {};
  }
  return queue_frame(header, bytes, static_cast<std::size_t>(sent), descriptors);
}

result<void> local_socket::queue_frame(std::span<const std::byte> header,
                                       std::span<const std::byte> bytes, std::size_t sent,
                                       std::span<const int> descriptors) {
  if (sent == 0 && !descriptors.empty()) {
    attachment held{.position = sent_bytes_ + unsent_bytes(), .descriptors = {}};
    for (int number : descriptors) {
      BEAMLET_TRY(auto copy, duplicate(number));
      held.descriptors.push_back(std::move(copy));
    }
    attachments_.push_back(std::move(held));
  }
  for (auto part : {header, bytes, std::span(socket_padding).first(frame_padding(bytes.size()))}) {
    std::size_t skipped = std::min(sent, part.size());
    sent -= skipped;
    queue_.insert(queue_.end(), part.begin() + static_cast<std::ptrdiff_t>(skipped), part.end());
  }
  return {};
}

void local_socket::shut_down() { (void)::shutdown(number(), SHUT_RDWR); }

result<void> local_socket::flush() {
  while (unsent_bytes() > 0) {
    std::vector<int> descriptors;
    std::uint64_t until = sent_bytes_ + unsent_bytes();
    auto next = attachments_.begin();
    if (next != attachments_.end() && next->position == sent_bytes_) {
      for (const descriptor& each : next->descriptors) descriptors.push_back(each.number());
      ++next;
    }
    if (next != attachments_.end()) until = next->position;
    auto count = static_cast<std::size_t>(until - sent_bytes_);
    std::array parts{part_of(std::span(queue_).subspan(queue_begin_, count))};
    ssize_t sent = send_some(number(), parts, descriptors);
    if (sent < 0) return send_failed(sent);
    if (sent == 0) break;
    if (!descriptors.empty()) attachments_.erase(attachments_.begin());
    queue_begin_ += static_cast<std::size_t>(sent);
    sent_bytes_ += static_cast<std::uint64_t>(sent);
  }
  // Each byte is moved at most once for each that was sent.
  if (queue_begin_ >= unsent_bytes()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_begin_));
    queue_begin_ = 0;
  }
  if (queue_.empty() && queue_.capacity() > socket_read_bytes) queue_ = {};
  return {};
}

result<void> local_socket::fill() {
  std::span<std::byte> room = reader_.room(socket_read_bytes);
  iovec part{.iov_base = room.data(), .iov_len = room.size()};
  socket_control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t count = recvmsg(number(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {};
    if (errno != ECONNRESET) return system_error("a socket cannot be read", errno);
    count = 0;  // the peer left without reading all; what it had sent has been read
  }
  std::vector<descriptor> descriptors = received_descriptors(message);
  if ((message.msg_flags & MSG_CTRUNC) != 0) return descriptors_lost(descriptors.size());
  if (count == 0) reader_.end();
  reader_.filled(static_cast<std::size_t>(count), std::move(descriptors));
  return {};
}

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
