// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <tuple>

namespace demo {
namespace {

// Unlike printf and streams, independent of the user's locale.
std::string format(double value, int decimals) {
  char text[400];  // the largest double has 309 digits before the point
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr;
  return std::string(text, end);
}

std::string quote(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// The rank of each row, 0 for a failed one.
std::vector<std::size_t> rank(const std::vector<row>& rows) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(-rows[a].sharpness, std::string_view(rows[a].file), a) <
           std::tuple(-rows[b].sharpness, std::string_view(rows[b].file), b);
  });
  std::vector<std::size_t> ranks(rows.size());
  std::size_t next = 1;
  for (const std::size_t index : order) {
    if (!rows[index].failed()) ranks[index] = next++;
  }
  return ranks;
}

std::string measurements(const row& photo, std::size_t rank) {
  return std::to_string(rank) + ',' + std::to_string(photo.size.width) + ',' +
         std::to_string(photo.size.height) + ',' +
         format(static_cast<double>(photo.size.pixels()) / 1e6, 3) + ',' +
         format(photo.sharpness, 3) + ',' + format(photo.edge_density, 5) + ',' +
         format(photo.mean, 3) + ',' + format(photo.entropy, 4);
}

}  // namespace

row make_row(const std::string& file, picture_size size, const picture& edges, double sharpness,
             const histogram& tones) {
  return {.file = file,
          .size = size,
          .sharpness = sharpness,
          .edge_density = edge_density(edges),
          .mean = tones.mean(),
          .entropy = tones.entropy(),
          .error = {},
          .message = {}};
}

row make_failed_row(const std::string& file, std::string_view error, std::string_view message) {
  row photo;
  photo.file = file;
  photo.error = error;
  photo.message = message;
  return photo;
}

std::string to_csv(const std::vector<row>& rows) {
  const std::vector<std::size_t> ranks = rank(rows);
  std::string text =
      "file,rank,width,height,megapixels,sharpness,edge_density,mean,entropy,error,message\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += quote(rows[i].file) + ',';
    text += rows[i].failed() ? ",,,,,,," : measurements(rows[i], ranks[i]);
    text += ',' + quote(rows[i].error) + ',' + quote(rows[i].message) + '\n';
  }
  return text;
}

}  // namespace demo
