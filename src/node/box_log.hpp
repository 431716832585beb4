// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "beamlet/base/log.hpp"
#include "beamlet/base/result.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

/// What an agent that nobody watches has to say: a line per message in a file beside its socket.
/// A file that gets too long becomes FILE.1, in place of the one before.
///
/// Thread: any.   Blocks: for the disk.
class box_log {
 public:
  static constexpr std::uint64_t file_bytes_max = std::uint64_t{1} << 20;
  static constexpr std::size_t message_bytes_max = 2048;  ///< of one line; the rest is left out

  box_log() = default;
  ~box_log();
  box_log(const box_log&) = delete;
  box_log& operator=(const box_log&) = delete;

  /// Goes on with the file that is there. Before that messages are dropped, and also when the disk
  /// takes no more.
  ///
  /// Errors: io, permission.
  result<void> open(std::string path);
  const std::string& path() const noexcept { return path_; }

  log_sink sink() noexcept { return {.write = write, .context = this}; }
  void say(log_level level, std::string_view message);

 private:
  static void write(void* context, const log_record& record);
  void rotate();

  std::mutex lock_;
  std::string path_;
  std::FILE* file_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
