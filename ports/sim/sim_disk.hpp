// SPDX-License-Identifier: Apache-2.0
#pragma once

// A disk in memory that can fail in the ways that real ones do.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "ports/files.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace ports {

/// What goes wrong, and how long things take. Chances are in millionths, per request.
struct disk_faults {
  std::uint64_t latency_ns_min = 20'000;
  std::uint64_t latency_ns_max = 2'000'000;
  std::uint64_t capacity_bytes = UINT64_MAX;
  bool read_only = false;         ///< create, write, remove, rename: errc::permission, nothing done
  std::uint32_t io_error = 0;     ///< any operation but close: errc::io, nothing done
  std::uint32_t no_space = 0;     ///< create and write: errc::exhausted, nothing done
  std::uint32_t torn_write = 0;   ///< errc::io after a part was written
  std::uint32_t flipped_bit = 0;  ///< a read gives one bit wrong, and no error
  std::uint64_t fails_at = 0;     ///< counts down with the requests; the one that makes it 0 fails
  errc fails_with = errc::io;
};

class sim_disk {
 public:
  explicit sim_disk(std::uint64_t seed) : random_(seed) {}

  disk_faults& faults() { return faults_; }
  /// Flips one bit of a file for good. False: no such file, or an empty one.
  bool damage(const std::string& folder, const std::string& name);
  /// Puts a link in the place of a file, as an intruder would: it can be removed, not opened.
  bool replace_by_link(const std::string& folder, const std::string& name);
  /// Files and folders that were opened and not closed.
  std::size_t open_count() const { return opened_.size(); }

  // -- for the port

  std::uint64_t latency_ns();
  /// Whether a request in flight is already being worked on, by seed.
  bool has_begun() { return random_.below(2) == 0; }
  void perform(file_request& request);
  void cut_power();

 private:
  struct write {
    std::uint64_t offset;
    std::vector<std::byte> bytes;
  };
  // A file or folder: as it is now, and as the platter has it.
  struct node {
    enum class kind { file, folder, link } is = kind::file;
    std::vector<std::byte> bytes, synced_bytes;
    std::vector<write> unsynced;
    std::map<std::string, std::shared_ptr<node>> entries, synced_entries;
  };
  using node_pointer = std::shared_ptr<node>;

  bool chance(std::uint32_t millionths) {
    return millionths != 0 && random_.below(1'000'000) < millionths;
  }
  error fault(const file_request& request);
  error operate(file_request& request);
  error open_folder(file_request& request);
  error create(file_request& request, node& folder);
  error open(file_request& request, node& folder);
  error write_bytes(file_request& request, node& file);
  error read_bytes(file_request& request, node& file);
  error remove(file_request& request, node& folder);
  error rename(file_request& request, node& folder);
  node* find(const std::string& path);
  int hand_out(node_pointer opened);
  std::uint64_t used_bytes() const;
  void cut_power(node& node);

  base::rng random_;
  disk_faults faults_;
  std::map<std::string, node_pointer> roots_;  // folders by path
  std::map<int, node_pointer> opened_;
  int next_opened_ = 1000;
};

}  // namespace ports
}  // namespace BEAMLET_ABI
}  // namespace beamlet
