// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace demo {

/// How far a long job is, on stderr: a bar that is redrawn where that is a terminal, elsewhere (a
/// log) one plain line every ten seconds.
///
/// Thread: one.   Cost: a look at the clock per `add`.
class progress {
 public:
  progress(std::string title, double megapixels_total);
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  /// Wipes the bar away.
  ~progress();

  void add(double megapixels);

 private:
  using clock = std::chrono::steady_clock;

  std::string title_;
  double total_;
  double done_ = 0;
  bool on_terminal_;
  clock::time_point start_ = clock::now();
  clock::time_point shown_ = start_;
};

/// "plain loop   50 %, 100.0 of 200.0 megapixels, 25.0 per second".
std::string progress_text(const std::string& title, double done, double total, double seconds);

/// "[###   ]" with `width` signs between the brackets.
std::string progress_bar(double done, double total, int width);

}  // namespace demo
