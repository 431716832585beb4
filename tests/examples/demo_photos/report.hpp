// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image.hpp"
#include "steps.hpp"

namespace demo {

/// What is known about one photo: its measurements, or why there are none (`error` is not empty).
struct row {
  std::string file;
  picture_size size;
  double sharpness = 0;
  double edge_density = 0;
  double mean = 0;
  double entropy = 0;
  std::string error;
  std::string message;

  bool failed() const { return !error.empty(); }
};

/// The last step of every photo: brings its measurements together.
row make_row(const std::string& file, picture_size size, const picture& edges, double sharpness,
             const histogram& tones);

row make_failed_row(const std::string& file, std::string_view error, std::string_view message);

/// The report as text: a header, then one line per row in the order given. `rank` counts from the
/// sharpest photo; photos with equal sharpness rank by name, failed ones have none.
std::string to_csv(const std::vector<row>& rows);

}  // namespace demo
