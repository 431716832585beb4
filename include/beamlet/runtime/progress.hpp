// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/version.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace beamlet {
inline namespace BEAMLET_ABI {

struct progress_options {
  std::string title = {};
  std::uint64_t total = 0;  ///< 0: nobody knows
  std::string unit = "items";
  /// How much of what `add` counts makes one unit: 1e6 shows pixels as megapixels.
  double unit_size = 1;
  /// Where the text goes. The file stays the caller's and open.
  std::FILE* file = nullptr;
  /// In place of `file`. Called by one thread at a time; must not throw.
  std::function<void(std::string_view)> write = {};
  /// A bar that is drawn again and again, or plain lines. Unset: a bar where `file` is a terminal.
  std::optional<bool> terminal = {};
  /// Monotonic time, for tests. Unset: the steady clock.
  std::function<std::uint64_t()> now_ns = {};
};

/// How far a job is. Amounts are in the options' unit.
struct progress_state {
  double done = 0;
  double total = 0;  ///< 0: not known
  double seconds = 0;
  double per_second = 0;     ///< on average since the start
  double seconds_left = -1;  ///< at that rate; negative: not known
};

/// Shows how far a long job is: a bar on a terminal, elsewhere one plain line every ten seconds.
/// It draws while it is told of progress; a job that may say nothing for long calls `update` from a
/// timer: `rt.every(1s, [&] { shown.update(); })`.
///
/// Thread: any, several at once.   Blocks: as the file does, one thread at a time and no others.
/// Cost: `add` is one atomic addition and one look at the clock; a drawing costs a short write.
/// Limits: title and unit are cut to 60 and 20 bytes.
class progress {
 public:
  explicit progress(progress_options options);
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  /// Finishes it.
  ~progress();

  void add(std::uint64_t amount = 1) noexcept;
  /// Draws when it is time to.
  void update() noexcept;
  /// Prints the final line, once; nothing is drawn afterwards.
  void finish() noexcept;
  progress_state state() const noexcept;

 private:
  std::uint64_t now() const noexcept;
  void write(std::string_view text) noexcept;

  progress_options options_;
  bool terminal_;
  std::uint64_t start_ns_;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> next_ns_;
  std::mutex drawing_;
  bool finished_ = false;  // under drawing_
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
