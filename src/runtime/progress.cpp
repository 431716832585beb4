// SPDX-License-Identifier: Apache-2.0
#include "beamlet/runtime/progress.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ports/console.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace {

constexpr std::uint64_t bar_interval_ns = 100'000'000;
constexpr std::uint64_t line_interval_ns = 10'000'000'000;
constexpr int bar_columns = 24;
constexpr std::size_t title_bytes_max = 60;
constexpr std::size_t unit_bytes_max = 20;
constexpr double seconds_shown_max = 999 * 3600.0;

/// A line of bounded length: nothing here takes memory, so nothing can fail.
class line {
 public:
  template <class First, class... A>
  void format(const char* how, First first, A... others) noexcept {
    int n = std::snprintf(text_ + size_, sizeof text_ - size_, how, first, others...);
    if (n > 0) size_ = std::min(size_ + static_cast<std::size_t>(n), sizeof text_ - 1);
  }
  void add(std::string_view s) noexcept { format("%.*s", static_cast<int>(s.size()), s.data()); }
  /// 9 s, 2:05, 1:02:03
  void add_duration(double seconds) noexcept {
    auto s = static_cast<unsigned>(std::clamp(seconds + 0.5, 0.0, seconds_shown_max));
    if (s < 60) format("%u s", s);
    else if (s < 3600) format("%u:%02u", s / 60, s % 60);
    else format("%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
  }
  std::string_view view() const noexcept { return {text_, size_}; }

 private:
  char text_[320];
  std::size_t size_ = 0;
};

double share(const progress_state& s) noexcept {
  return s.total > 0 ? std::clamp(s.done / s.total, 0.0, 1.0) : 0;
}

void add_bar(line& out, const progress_state& s) noexcept {
  char bar[bar_columns + 1] = {};
  std::fill_n(bar, bar_columns, ' ');
  std::fill_n(bar, static_cast<int>(share(s) * bar_columns), '#');
  out.format("[%s] ", bar);
}

void add_amounts(line& out, const progress_options& o, const progress_state& s) noexcept {
  int digits = o.unit_size == 1 ? 0 : 1;
  out.format("%.*f ", digits, s.done);
  if (s.total > 0) out.format("of %.*f ", digits, s.total);
  out.add(o.unit);
}

line running_line(const progress_options& o, const progress_state& s, bool bar) noexcept {
  line out;
  out.add(o.title);
  if (!o.title.empty()) out.add(bar ? " " : ": ");
  if (bar && s.total > 0) add_bar(out, s);
  if (s.total > 0) out.format("%.0f %%, ", 100 * share(s));
  add_amounts(out, o, s);
  out.format(", %.1f per second", s.per_second);
  if (s.seconds_left >= 0) {
    out.add(", ");
    out.add_duration(s.seconds_left);
    out.add(" left");
  }
  return out;
}

line final_line(const progress_options& o, const progress_state& s) noexcept {
  line out;
  out.add(o.title);
  if (!o.title.empty()) out.add(": ");
  add_amounts(out, o, s);
  out.add(" in ");
  out.add_duration(s.seconds);
  out.format(", %.1f per second", s.per_second);
  return out;
}

}  // namespace

progress::progress(progress_options options) : options_(std::move(options)) {
  if (options_.title.size() > title_bytes_max) options_.title.resize(title_bytes_max);
  if (options_.unit.size() > unit_bytes_max) options_.unit.resize(unit_bytes_max);
  if (!(options_.unit_size > 0)) options_.unit_size = 1;
  bool has_terminal = options_.file != nullptr && !options_.write && !options_.terminal.has_value();
  terminal_ = has_terminal ? ports::is_terminal(options_.file) : options_.terminal.value_or(false);
  start_ns_ = now();
  next_ns_.store(start_ns_ + (terminal_ ? 0 : line_interval_ns), std::memory_order_relaxed);
}

progress::~progress() { finish(); }

std::uint64_t progress::now() const noexcept {
  if (options_.now_ns) return options_.now_ns();
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

void progress::write(std::string_view text) noexcept {
  if (options_.write) return options_.write(text);
  if (options_.file == nullptr) return;
  std::fwrite(text.data(), 1, text.size(), options_.file);
  std::fflush(options_.file);
}

void progress::add(std::uint64_t amount) noexcept {
  done_.fetch_add(amount, std::memory_order_relaxed);
  update();
}

void progress::update() noexcept {
  std::uint64_t time = now(), due = next_ns_.load(std::memory_order_relaxed);
  if (time < due) return;
  std::uint64_t next = time + (terminal_ ? bar_interval_ns : line_interval_ns);
  if (!next_ns_.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
  std::unique_lock hold(drawing_, std::try_to_lock);
  if (!hold.owns_lock() || finished_) return;
  if (terminal_) write("\r");
  write(running_line(options_, state(), terminal_).view());
  write(terminal_ ? "\x1b[K" : "\n");
}

void progress::finish() noexcept {
  std::lock_guard hold(drawing_);
  if (std::exchange(finished_, true)) return;
  if (terminal_) write("\r");
  write(final_line(options_, state()).view());
  write(terminal_ ? "\x1b[K\n" : "\n");
}

progress_state progress::state() const noexcept {
  progress_state s;
  s.done = static_cast<double>(done_.load(std::memory_order_relaxed)) / options_.unit_size;
  s.total = static_cast<double>(options_.total) / options_.unit_size;
  s.seconds = static_cast<double>(now() - start_ns_) / 1e9;
  if (s.seconds > 0) s.per_second = s.done / s.seconds;
  if (s.total > 0 && s.per_second > 0)
    s.seconds_left = std::max(0.0, s.total - s.done) / s.per_second;
  return s;
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
