// SPDX-License-Identifier: Apache-2.0
#include "node/box_log.hpp"

#include <cerrno>
#include <chrono>
#include <string_view>
#include <utility>

#include "node/link_error.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {
namespace {

constexpr char log_file_mode[] = "abe";  // appended to, and not for programs that this one starts

/// "2026-11-21 18:14:14", in UTC.
std::string log_time() {
  namespace calendar = std::chrono;
  const auto now = calendar::floor<calendar::seconds>(calendar::system_clock::now());
  const auto day = calendar::floor<calendar::days>(now);
  const calendar::year_month_day date(day);
  const calendar::hh_mm_ss time(now - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

}  // namespace

box_log::~box_log() {
  if (file_ != nullptr) std::fclose(file_);
}

result<void> box_log::open(std::string path) {
  std::lock_guard hold(lock_);
  std::FILE* opened = std::fopen(path.c_str(), log_file_mode);
  if (opened == nullptr) {
    const int failed = errno;
    return error(failed == EACCES ? errc::permission : errc::io, error_layer::node,
                 {.message = "the log '" + path + "' cannot be opened",
                  .type = {},
                  .function = {},
                  .cause = {}},
                 failed);
  }
  const long size = std::fseek(opened, 0, SEEK_END) == 0 ? std::ftell(opened) : -1;
  if (file_ != nullptr) std::fclose(file_);
  file_ = opened;
  bytes_ = size < 0 ? 0 : static_cast<std::uint64_t>(size);
  path_ = std::move(path);
  return {};
}

void box_log::write(void* context, const log_record& record) {
  static_cast<box_log*>(context)->say(record.level, record.message);
}

/// What a program calls itself may be in a message: it must not look like other lines.
void box_log::say(log_level level, std::string_view message) {
  std::string line = log_time().append(" ").append(to_string(level)).append(" ");
  for (char c : message.substr(0, message_bytes_max))
    line.push_back(static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c);
  line.push_back('\n');
  std::lock_guard hold(lock_);
  if (file_ != nullptr && bytes_ + line.size() > file_bytes_max) rotate();
  if (file_ == nullptr) return;
  bytes_ += std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

void box_log::rotate() {
  std::fclose(file_);
  bool gone = std::rename(path_.c_str(), (path_ + ".1").c_str()) == 0;
  // Rather that than without end; somebody else may have taken it away.
  if (!gone) gone = std::remove(path_.c_str()) == 0 || errno == ENOENT;
  file_ = gone ? std::fopen(path_.c_str(), log_file_mode) : nullptr;
  bytes_ = 0;
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
