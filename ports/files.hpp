// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files of Beamlet's own: spilled objects, logs, caches. They lie in folders that only this user
// may write to, are named within their folder and reached through its descriptor: a link or a pipe
// in the place of a file is refused, and one in the place of the folder's path changes nothing.
//
// Everything is a request, begun with port::start() and finished in a turn. Requests that are in
// flight together run in any order: who needs an order waits for the first. Nothing is durable, not
// a file's name either, before the file, and the folder, were synced.

#include <beamlet/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// What a request does; each names the fields that it reads and the ones that it fills.
enum class file_operation : std::uint8_t {
  /// Opens the folder `name`, and makes it if it is not there: a path, or, where `file` is a
  /// folder,
  /// a name in it. Fills `opened`. Errors: permission (a link, another user's, one that others may
  /// write to), not_found (its parent).
  open_folder,
  /// Makes the file `name` in the folder `file`, for reading and writing, and fills `opened`.
  /// Errors: already_exists.
  create,
  /// Opens the file `name` in the folder `file` for reading; fills `opened` and `count` (its size).
  /// Errors: not_found, permission (a link, or no plain file).
  open,
  /// Closes the file or folder `file`, which is gone even if that fails.
  close,
  /// Writes all of `from` at `offset`. After an error `count` bytes, and maybe more, were written.
  /// Errors: exhausted (no space), too_large (RLIMIT_FSIZE).
  write,
  /// Reads into `into` at `offset` and fills `count`: less than there is room for only where the
  /// file
  /// ends.
  read,
  /// Makes what was written to the file `file`, or made and removed in the folder `file`, survive a
  /// loss of power. After an error nothing is known about what was written since the last one.
  sync,
  /// Removes the file or empty folder `name` from the folder `file`. Open ones stay readable.
  /// Errors: not_found.
  remove,
  /// Names the file `name` in the folder `file` `new_name`, in the place of a file that has that
  /// name: whoever opens it finds the one or the other.
  /// Errors: not_found.
  rename,
  /// Fills `entries` with what is in the folder `file`, in no order.
  /// Errors: too_large (more than file_entries_max; filled with that many).
  list,
  /// Fills `count` with the bytes that this user can still write to the disk of the folder `file`.
  free_space,
};

inline constexpr std::size_t file_entries_max = 100'000;

/// For `file` of open_folder: `name` is a path.
inline constexpr int no_folder = -1;

struct file_entry {
  std::string name;
  std::uint64_t bytes = 0;  ///< 0 for what is no plain file
  bool folder = false;
};

/// One thing to do with a file. Its owner fills in the first part, and may use it again when it is
/// done.
struct file_request {
  file_operation operation = file_operation::open_folder;
  int file = no_folder;  ///< an open file or folder: `opened` of an earlier request
  std::string name, new_name;
  std::uint64_t offset = 0;
  std::span<const std::byte> from;
  std::span<std::byte> into;
  void (*done)(file_request& request) = nullptr;
  void* user = nullptr;

  /// errc::ok, or what went wrong. Any operation: cancelled, io, exhausted, invalid_argument.
  error why;
  int opened = -1;  ///< to be closed by a request; at the latest the end of the process does
  std::uint64_t count = 0;
  std::vector<file_entry> entries;

  file_request() = default;
  file_request(const file_request&) = delete;
  file_request& operator=(const file_request&) = delete;

  /// The port's own, from start() until `done`.
  struct link {
    link* next = this;
    link* previous = this;

    bool linked() const { return next != this; }
    void insert_before(link& other) {
      next = &other;
      previous = other.previous;
      previous->next = other.previous = this;
    }
    void remove() {
      next->previous = previous;
      previous->next = next;
      next = previous = this;
    }
  };
  struct in_flight : link {
    file_request* request = nullptr;
    std::uint64_t due_ns = 0;
    alignas(std::max_align_t) std::byte system[160];
  } of_port;
};

/// Does what `request` says to the system's disk, on the calling thread, and fills in its results;
/// does not call `done`. For what has no port: work of a port goes through port::start().
///
/// Thread: any.   Blocks: yes, as long as the disk takes.
void perform(file_request& request);

/// A number that becomes another one when the bytes of a file, or what there is in a folder,
/// change; 0 where there is nothing of that name.
///
/// Thread: any.   Blocks: for the file system.
std::uint64_t file_stamp(const std::string& path);

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
