// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the library's messages go. It prints nothing by itself: without a sink they are dropped.
// There is no global logger; a runtime owns one and hands it down.

#include <beamlet/base/result.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace beamlet {
inline namespace BEAMLET_ABI {

enum class log_level : std::uint8_t { trace, debug, info, warning, error, off };

std::string_view to_string(log_level level) noexcept;

/// Errors: invalid_argument, naming the text and the levels there are.
result<log_level> parse_log_level(std::string_view text);

/// The level that BEAMLET_LOG names, `otherwise` when it is unset or names none.
///
/// Thread: not while another one changes the environment.
log_level log_level_from_environment(log_level otherwise) noexcept;

/// One message. Valid during the call of the sink only.
struct log_record {
  log_level level = log_level::info;
  error_layer layer = error_layer::user;
  std::string_view message;
  std::uint64_t time_ns = 0;  ///< the port's monotonic clock
};

/// The embedder's receiver of messages. Called on whichever thread has one, several at once: it
/// must be thread-safe, must not throw, and must not call the runtime whose message it holds.
struct log_sink {
  void (*write)(void* context, const log_record& record) = nullptr;
  void* context = nullptr;  ///< must outlive the logger
};

/// Hands messages at or above a level to a sink.
///
/// Thread: any.   Blocks: as the sink does.   Cost: one relaxed load for a level that is off.
class logger {
 public:
  /// Without a sink every level is off.
  explicit logger(log_sink sink = {}, log_level level = log_level::off) noexcept : sink_(sink) {
    set_level(level);
  }
  logger(const logger&) = delete;
  logger& operator=(const logger&) = delete;

  /// Ask before putting a message together.
  bool enabled(log_level level) const noexcept {
    return level >= level_.load(std::memory_order_relaxed);
  }

  void set_level(log_level level) noexcept {
    level_.store(sink_.write != nullptr ? level : silent, std::memory_order_relaxed);
  }

  void write(log_level level, error_layer layer, std::uint64_t time_ns,
             std::string_view message) const noexcept {
    if (enabled(level) && level < log_level::off)
      sink_.write(sink_.context, {level, layer, message, time_ns});
  }

 private:
  static constexpr log_level silent = log_level{255};

  log_sink sink_;
  std::atomic<log_level> level_{silent};
};

}  // namespace BEAMLET_ABI
}  // namespace beamlet
