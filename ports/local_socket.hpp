// SPDX-License-Identifier: Apache-2.0
#pragma once

// Streams of frames between processes of one machine, with descriptors beside them. Nothing here
// blocks: who owns a socket watches its number() (port::watch_descriptor) for reading, and for
// writing while unsent_bytes() is not 0.

#include <beamlet/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ports/descriptor.hpp"
#include "ports/frame.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

struct socket_limits {
  std::size_t frame_bytes_max = std::size_t{1} << 20;  ///< of one frame, in both directions
  std::size_t queue_bytes_max = std::size_t{4} << 20;  ///< of frames that the peer has not taken
};

/// Who connected, or who listened: as the kernel saw it when that happened.
struct socket_peer {
  std::uint32_t process = 0, user = 0, group = 0;
};

/// The user whose rights this process has; compare with socket_peer::user.
std::uint32_t current_user();

/// The names in `folder`, in order, at which somebody listens, or did until it died.
///
/// Thread: any.   Blocks: while the folder is read.
/// Errors: not_found, invalid_argument (no folder), permission, too_large (more than
/// file_entries_max files), exhausted, io.
result<std::vector<std::string>> socket_names(const std::string& folder);

/// One end of a connection.
///
/// Thread: one at a time for send(), flush() and unsent_bytes(), another one at a time for fill()
/// and next(); none beside them for the rest.
/// Lifetime: a fork has the connection too, and must only destroy it.
class local_socket {
 public:
  /// Two ends that are connected with each other; one may be given to a child process.
  ///
  /// Errors: exhausted, no_memory.
  static result<std::pair<local_socket, local_socket>> make_pair(const socket_limits& limits = {});

  /// Connects to who listens at `path`. It may be anybody who could make that file: look at peer().
  ///
  /// Thread: any.   Blocks: no.
  /// Errors: connection_refused (nobody listens), busy (too many wait to be accepted: try later),
  /// invalid_argument (the path is too long), permission, exhausted.
  static result<local_socket> connect(const std::string& path, const socket_limits& limits = {});

  /// Takes over a connected socket that came from elsewhere (in a child process, from its maker).
  ///
  /// REQUIRES: frame_bytes_max < 2^32, and queue_bytes_max leaves room for such a frame.
  /// Errors: invalid_argument (no socket).
  static result<local_socket> adopt(descriptor socket, const socket_limits& limits = {});

  local_socket(local_socket&&) noexcept = default;
  local_socket& operator=(local_socket&&) noexcept = default;

  int number() const { return socket_.number(); }
  /// For a child: gives up the descriptor, with all that has been read or queued.
  descriptor release() { return std::move(socket_); }

  /// Errors: unsupported, closed.
  result<socket_peer> peer() const;
  /// Ready to read when the process that connected has ended, which may be long after its end of
  /// the socket was closed, or long before where others hold that too.
  ///
  /// Errors: unsupported (a kernel below 5.3), not_found (it has ended), exhausted.
  result<descriptor> peer_process() const;

  /// Sends a frame: hands to the system what it takes, queues the rest for flush(). `descriptors`
  /// stay the caller's and may be closed at once.
  ///
  /// Blocks: no.   Cost: a system call when nothing is queued; else a copy.
  /// Errors, after which the frame was not sent and the connection goes on: queue_full (the peer
  /// does not read), too_large, invalid_argument (more than frame_descriptors_max), exhausted
  /// (descriptors). And closed: the peer is gone, though what it sent may still be read.
  result<void> send(std::span<const std::byte> bytes, std::span<const int> descriptors = {});

  /// Ends the connection at both ends, as their fill() will tell. What is queued is not sent.
  ///
  /// Thread: any, also beside the others.   Blocks: no.
  void shut_down();

  /// Sends what is queued as far as the system takes it.   Errors: closed, exhausted (see send()).
  result<void> flush();
  std::size_t unsent_bytes() const { return queue_.size() - queue_begin_; }

  /// Reads once, up to 64 KiB, if there is something; the end of the stream is for next() to tell.
  /// Frames given before are gone. One read per event, then next() until it has none, keeps one
  /// busy peer from starving others.
  ///
  /// Blocks: no.   Errors: malformed (more descriptors than a frame may have), exhausted
  /// (descriptors were lost: RLIMIT_NOFILE), io. The connection cannot be read any further.
  result<void> fill();

  /// The next frame that fill() has completed; see frame_reader::next(). `closed` comes after all
  /// that the peer has sent.
  result<std::optional<frame>> next() { return reader_.next(); }

 private:
  local_socket(descriptor socket, const socket_limits& limits)
      : socket_(std::move(socket)), limits_(limits), reader_(limits.frame_bytes_max) {}

  // Descriptors that go with the byte at this position of all that is ever sent.
  struct attachment {
    std::uint64_t position = 0;
    std::vector<descriptor> descriptors;
  };
  result<void> queue_frame(std::span<const std::byte> header, std::span<const std::byte> bytes,
                           std::size_t sent, std::span<const int> descriptors);

  descriptor socket_;
  socket_limits limits_;
  frame_reader reader_;
  std::vector<std::byte> queue_;  // from queue_begin_ on
  std::size_t queue_begin_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::vector<attachment> attachments_;  // few: a deque would allocate to be moved
};

/// A name at which programs of this user connect.
///
/// Thread: one at a time.
class local_listener {
 public:
  /// Listens at `folder`/`name`. The folder is made, with access for this user alone, if it is not
  /// there; what a dead listener left is replaced.
  ///
  /// Thread: any.   Blocks: for file operations.
  /// Errors: already_exists (somebody listens there), busy (somebody is just about to, or to look),
  /// permission (the folder is a link, another user's, or open to others), invalid_argument (the
  /// name is empty or has a '/', the path is longer than a socket's may be), exhausted.
  static result<local_listener> listen(const std::string& folder, const std::string& name,
                                       const socket_limits& limits = {});

  local_listener(local_listener&& other) noexcept = default;
  local_listener& operator=(local_listener&&) = delete;
  /// Takes the name away; connections stay. In a fork nothing happens.
  ~local_listener();

  int number() const { return socket_.number(); }
  const std::string& path() const { return path_; }

  /// The next connection that waits, if one does. Whose it is, is peer()'s to say and the caller's
  /// to judge.
  ///
  /// Blocks: no.   Errors: exhausted (RLIMIT_NOFILE; the connection goes on waiting, so stop
  /// watching for a while), no_memory.
  result<std::optional<local_socket>> accept();

 private:
  local_listener(descriptor folder, std::string path, const socket_limits& limits);
  error open(const std::string& name);

  descriptor folder_, socket_;
  std::string path_;
  socket_limits limits_;
  std::uint64_t file_ = 0;  // the socket file's number, so that another's is not removed
  std::uint32_t generation_ = 0;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
