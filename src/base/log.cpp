// SPDX-License-Identifier: Apache-2.0
#include "beamlet/base/log.hpp"

#include <cstdlib>
#include <iterator>
#include <string>

#include "beamlet/base/limits.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace {
constexpr std::string_view log_level_names[] = {"trace",   "debug", "info",
                                                "warning", "error", "off"};

// Apart from parse_log_level, because a bad environment variable must cost no allocation.
bool find_log_level(std::string_view text, log_level& out) noexcept {
  for (std::size_t i = 0; i < std::size(log_level_names); ++i) {
    if (text != log_level_names[i]) continue;
    out = static_cast<log_level>(i);
    return true;
  }
  return false;
}
}  // namespace

std::string_view to_string(log_level level) noexcept {
  auto index = static_cast<std::size_t>(level);
  return index < std::size(log_level_names) ? log_level_names[index] : "unknown";
}

result<log_level> parse_log_level(std::string_view text) {
  log_level level = log_level::off;
  if (find_log_level(text, level)) return level;
  std::string message = "no log level is called '";
  message.append(text.substr(0, 32)).append("'; there are: trace debug info warning error off");
  return error(errc::invalid_argument, error_layer::base,
               {.message = std::move(message), .type = {}, .function = {}, .cause = {}});
}

log_level log_level_from_environment(log_level otherwise) noexcept {
  const char* text = std::getenv("BEAMLET_LOG");
  log_level level = otherwise;
  if (text != nullptr && find_log_level(text, level)) return level;
  return otherwise;
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
