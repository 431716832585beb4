// SPDX-License-Identifier: Apache-2.0
#pragma once

// The store's spill files: records written in batches and read one by one, through the port, never
// blocking. They lie in a folder of this agent's own inside one that agents share; what dead agents
// left there is swept. The store says what is where; here is only how it gets there and back.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "beamlet/base/result.hpp"
#include "ports/files.hpp"
#include "ports/port.hpp"
#include "store/actions.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What happened to files.
class spill_events {
 public:
  virtual void on_spill_written(store::file_id file, const result<void>& how) = 0;
  virtual void on_restored(const object_id& id, const result<void>& how) = 0;

 protected:
  ~spill_events() = default;
};

struct spill_options {
  std::string folder;  ///< shared by agents; empty: every request fails
  std::string name;    ///< of this agent's own in it
  /// Whether the agent whose folder has this name is dead: then it is removed. Unset: none is.
  std::function<bool(const std::string& name)> is_dead;
};

/// Thread: the port's loop thread.   Blocks: no.   Memory: about 1 MiB per file at work, of which
/// there are eight at most; what waits costs its description.
class spill_files {
 public:
  /// A part of a segment as it is mapped here; empty where there is none.
  using memory = std::function<std::span<std::byte>(const store::extent&)>;

  /// Begins to open the folders, and to sweep.   REQUIRES: port and events outlive it.
  spill_files(ports::port& port, spill_events& events, memory bytes, spill_options options);
  /// REQUIRES: !busy().
  ~spill_files();

  // Answers come in a turn, or at once where there is no folder.

  /// Writes a new file. Answer: on_spill_written.
  /// Errors: of ports::file_operation; unsupported (no folder), closed (stop() was called).
  void write(store::write_spill what);
  /// Reads a record to its place and checks it. Answer: on_restored.
  /// Errors: malformed (short, gone, a link, damaged); else as write().
  void read(store::read_spill what);
  void remove(store::file_id file);

  /// What waits fails, what is under way ends early, then all files and the folder are removed.
  /// Requests that fail because of it are answered. Where memory runs out, the files stay for the
  /// next sweep, and what is open is closed.
  void stop();
  /// Whether requests are in flight: memory and port are needed until that ends.
  bool busy() const { return !active_.empty(); }
  /// Memory ran out in the midst of a request: nothing more is begun or answered, and what is under
  /// way ends. Only stop(), busy() and the destructor may follow.
  bool failed() const { return failed_; }

 private:
  /// One request at a time, and what comes after it.
  struct job {
    using step = void (spill_files::*)(job&);
    ports::file_request request;
    spill_files* home = nullptr;
    step next = nullptr;    // what the request leads to
    step begin = nullptr;   // once there is a folder
    step answer = nullptr;  // at the end, with `why`
    error why;
    int file = ports::no_folder;
    store::file_id id = 0;
    std::vector<store::spill_entry> entries;
    std::size_t index = 0;             // of the entry to be written next
    std::uint64_t position = 0;        // in the file
    std::vector<std::byte> buffer;     // to be written, or a head that was read
    std::span<const std::byte> large;  // a payload that is written from where it lies
    std::vector<std::string> folders;  // to be emptied and removed
    std::vector<std::string> names;    // to be removed from the first of them
  };
  enum class folder_state : std::uint8_t { closed, opening, open };

  void add(job::step begin, job::step answer, store::file_id file,
           std::vector<store::spill_entry> entries);
  void pump();
  void run(job::step begin, job::step answer);
  void fail_waiting(const error& why);
  void ask(job& j, ports::file_operation what, int file, job::step next);
  static void on_done(ports::file_request& request);
  bool has_failed(job& j);
  void close(job& j);
  void finish(job& j);
  void give_up();
  void let_go(job& j);

  void begin_open(job& j);
  void on_base_open(job& j);
  void on_own_open(job& j);
  void tell_open(job& j);
  void begin_sweep(job& j);
  void on_base_listed(job& j);
  void next_folder(job& j);
  void on_folder_open(job& j);
  void on_folder_listed(job& j);
  void remove_next(job& j);
  void on_folder_closed(job& j);
  void on_folder_removed(job& j);
  void begin_cleanup(job& j);

  void begin_write(job& j);
  void on_created(job& j);
  void fill_buffer(job& j);
  void write_next(job& j);
  void on_written(job& j);
  void tell_written(job& j);
  void begin_read(job& j);
  void on_opened(job& j);
  void on_head(job& j);
  void on_payload(job& j);
  void tell_restored(job& j);
  void begin_remove(job& j);
  void on_removed(job& j);

  ports::port& port_;
  spill_events& events_;
  memory bytes_;
  spill_options options_;
  folder_state state_ = folder_state::closed;
  int base_ = ports::no_folder, own_ = ports::no_folder;
  bool swept_ = false, stopping_ = false, failed_ = false;
  std::deque<std::unique_ptr<job>> waiting_;
  std::vector<std::unique_ptr<job>> active_;
  std::unique_ptr<job> last_;       // closes the folders where there is no memory for another one
  std::set<store::file_id> files_;  // that may be on disk
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
