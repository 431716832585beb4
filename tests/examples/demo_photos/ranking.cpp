// SPDX-License-Identifier: Apache-2.0
#include "ranking.hpp"

#include <algorithm>
#include <iterator>

namespace demo {
namespace {

constexpr int columns_max = 6;
constexpr int gap = 8;
constexpr int cell = thumbnail_side + gap;
constexpr std::uint8_t paper = 32;

void paste(const picture& image, picture& sheet, int left, int top) {
  for (int y = 0; y < image.size.height; ++y) {
    std::copy_n(image.row(y), image.row_bytes(), sheet.row(top + y) + left * sheet.channels);
  }
}

}  // namespace

bool ranking::sharper::operator()(const ranked& a, const ranked& b) const {
  if (a.photo.sharpness != b.photo.sharpness) return a.photo.sharpness > b.photo.sharpness;
  return a.photo.file < b.photo.file;
}

void ranking::add(const row& photo, const picture& thumbnail) {
  places_.insert({photo, thumbnail});
  if (places_.size() > places_max) places_.erase(std::prev(places_.end()));
}

std::vector<ranked> ranking::best() const { return {places_.begin(), places_.end()}; }

picture contact_sheet(const std::vector<ranked>& best) {
  const int count = static_cast<int>(best.size());
  if (count == 0) return {};
  const int columns = std::min(count, columns_max);
  const int lines = (count + columns - 1) / columns;
  picture sheet({columns * cell + gap, lines * cell + gap}, 3);
  std::fill(sheet.bytes.begin(), sheet.bytes.end(), paper);
  for (int i = 0; i < count; ++i) {
    const picture& image = best[i].thumbnail;
    paste(image, sheet, gap + i % columns * cell + (thumbnail_side - image.size.width) / 2,
          gap + i / columns * cell + (thumbnail_side - image.size.height) / 2);
  }
  return sheet;
}

}  // namespace demo
