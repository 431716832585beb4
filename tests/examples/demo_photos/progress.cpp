// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace demo {
namespace {

constexpr auto bar_interval = std::chrono::milliseconds(100);
constexpr auto line_interval = std::chrono::seconds(10);
constexpr int bar_width = 30;

double share(double done, double total) {
  return total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0.0;
}

}  // namespace

std::string progress_text(const std::string& title, double done, double total, double seconds) {
  char text[120];
  std::snprintf(text, sizeof text, " %3.0f %%, %.1f of %.1f megapixels, %.1f per second",
                100 * share(done, total), done, total, seconds > 0 ? done / seconds : 0.0);
  return title + text;
}

std::string progress_bar(double done, double total, int width) {
  const auto filled = static_cast<std::size_t>(share(done, total) * width);
  return '[' + std::string(filled, '#') + std::string(width - filled, ' ') + ']';
}

progress::progress(std::string title, double megapixels_total)
    : title_(std::move(title)),
      total_(megapixels_total),
      on_terminal_(isatty(STDERR_FILENO) == 1) {}

progress::~progress() {
  if (on_terminal_) std::fputs("\r\x1b[K", stderr);
}

void progress::add(double megapixels) {
  done_ += megapixels;
  const auto now = clock::now();
  if (on_terminal_ ? now - shown_ < bar_interval : now - shown_ < line_interval) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::string text = progress_text(title_, done_, total_, seconds);
  if (on_terminal_) {
    const std::string bar = progress_bar(done_, total_, bar_width);
    std::fprintf(stderr, "\r%s %s\x1b[K", bar.c_str(), text.c_str());
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

}  // namespace demo
