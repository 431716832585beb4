// SPDX-License-Identifier: Apache-2.0
#pragma once

// Child processes, without a signal handler: a child is watched by a descriptor and asked about by
// its own number, so that the program's other children, its SIGCHLD and its dispositions stay its
// own.

#include <beamlet/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/descriptor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

struct spawn_options {
  /// What to run. Empty: the file of this program once more, even where that was replaced
  /// meanwhile.
  std::string path;
  /// With the program's name as the first. Empty: the path alone.
  std::vector<std::string> arguments;
  /// Changes to this program's own: "NAME=VALUE" sets, "NAME" removes; the last one counts.
  std::vector<std::string> environment;
  /// `number` of this process becomes `as` in the child. Besides these the child has 0, 1 and 2 of
  /// this process, where they are not replaced, and no other.
  struct given {
    int number = -1;
    int as = -1;
  };
  std::vector<given> descriptors;
  /// Processor time that ends the child with SIGXCPU; 0: no limit beyond this process's own.
  std::uint64_t cpu_seconds_max = 0;
  /// Private, writable memory, past which the child's allocations fail; 0: no limit beyond this
  /// process's own. What it shares with others does not count, stacks of threads count whole. A
  /// kernel before 4.7 counts only a part. In force when spawn() has returned.
  std::uint64_t memory_bytes_max = 0;
  /// Apart from this process: in a session of its own, so that no terminal's signals reach it, and
  /// with nothing behind 0, 1 and 2.
  bool detached = false;
};

/// How a process ended.
struct process_end {
  /// False: something else asked first (the program ignores SIGCHLD, or waits for any child).
  bool known = false;
  int status = 0;  ///< what it gave to exit()
  int signal = 0;  ///< the number of the one that ended it; 0: it ended by itself

  bool succeeded() const { return known && signal == 0 && status == 0; }
};

/// For people: "ended with status 3", "was ended by signal 9 (SIGKILL)".
std::string describe(const process_end& end);

/// A name for the life of this process that no other process of this machine ever has: digits,
/// letters and '-'. Empty where that cannot be known. For what a process leaves behind if it dies.
///
/// Thread: any.   Blocks: reads a few files of the kernel.
std::string own_life();
/// Whether the process that had this name has ended. False for one that cannot be seen from here:
/// of another machine, of another container, of before the machine was started again.
bool life_has_ended(const std::string& life);

/// From now on this process is killed when the thread that started it ends, however that happens:
/// for one whose own threads may all be in somebody's function. Where the system has no such thing
/// it does nothing.
void end_with_parent();

/// What spawn_options::path takes to run the file that this process runs, even where that was
/// replaced meanwhile. Of use as long as the process lives.
std::string program_of(std::uint32_t process);
/// The name of the file that `process` runs, without its folder; empty where that is not known. Of
/// a file that was removed the system may say so at the end of the name.
std::string program_name(std::uint32_t process);
/// Two processes that run different files, or what was at different times in one, have different
/// numbers, as good as certainly. 0: not known.
std::uint64_t program_identity(std::uint32_t process);

/// Where this process's relative paths begin. Empty where that is not known, as in a folder that
/// was removed.
///
/// Thread: any.
std::string current_folder();
/// From now on they begin in the folder `path`, for all threads.
///
/// Errors, after which nothing has changed: not_found, permission, invalid_argument (no folder, or
/// too long a path), io.
result<void> enter_folder(const std::string& path);
/// `path` for a process in another folder; as it is where current_folder() is not known.
std::string absolute_path(const std::string& path);

/// A child of this process.
///
/// Thread: one at a time.   Lifetime: in a fork it is nobody's child: it must only be destroyed.
class process {
 public:
  /// Starts one. Its signal mask is empty and its dispositions are the system's, whatever this
  /// process has set.
  ///
  /// REQUIRES: no thread changes the environment meanwhile.
  /// Thread: any.   Blocks: until the child runs its new program, about a millisecond.
  /// Errors: not_found or permission (the path), exhausted (processes or descriptors),
  /// invalid_argument (a descriptor that is not open, two given as one), no_memory, unsupported
  /// (this program's file is not known: no /proc). Nothing runs then.
  static result<process> spawn(const spawn_options& options);

  process(process&& other) noexcept { swap(other); }
  process& operator=(process&& other) noexcept {
    process taken(std::move(other));
    swap(taken);
    return *this;
  }
  /// Ends a child that has not ended, at once, and waits until it is gone.
  ~process();

  std::uint32_t id() const noexcept { return static_cast<std::uint32_t>(id_); }
  /// Becomes ready to read, and stays so, when the child has ended: for port::watch_descriptor().
  /// On kernels below 5.3 that may be later, when its own children have ended too.
  int end_descriptor() const noexcept { return ending_.number(); }
  /// How it ended, if it has. On old kernels not always at once when end_descriptor() is ready.
  ///
  /// Blocks: no.   Cost: a system call while it runs.
  std::optional<process_end> poll();
  /// Waits until it has ended.   Blocks: yes.
  process_end wait();

  /// It goes on by itself: the destructor neither ends it nor waits for it.
  void leave() noexcept { id_ = 0; }

  /// SIGTERM, SIGKILL; nothing if it has ended.
  void ask_to_end() noexcept;
  void kill() noexcept;

 private:
  process() = default;
  void swap(process& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(generation_, other.generation_);
    std::swap(handle_, other.handle_);
    std::swap(ending_, other.ending_);
    std::swap(end_, other.end_);
  }
  void send_signal(int signal) noexcept;
  std::optional<process_end> ask(int flags);

  int id_ = 0;
  std::uint32_t generation_ = 0;
  bool handle_ = false;  // `ending_` stands for the process; else it is a pipe's end
  descriptor ending_;
  std::optional<process_end> end_;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
