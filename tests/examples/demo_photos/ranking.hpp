// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "report.hpp"

#include <set>

namespace demo {

/// One place of the ranking.
struct ranked {
  row photo;
  picture thumbnail;
};

/// The sharpest photos seen so far. A plain struct: the plain loop calls it, the Beamlet version
/// makes an actor of it without changing a line. It keeps `places_max` thumbnails, however many
/// photos it is shown, and its answer does not depend on the order in which they come.
class ranking {
 public:
  static constexpr std::size_t places_max = 48;

  /// The same file may come again and again; it takes one place.
  void add(const row& photo, const picture& thumbnail);

  /// The sharpest first.
  std::vector<ranked> best() const;

 private:
  struct sharper {
    bool operator()(const ranked& a, const ranked& b) const;
  };
  std::set<ranked, sharper> places_;
};

/// The ranking as one picture: thumbnails from left to right and top to bottom. Bounded by
/// `ranking::places_max`; a picture without pixels when there are none.
picture contact_sheet(const std::vector<ranked>& best);

/// The longest side of a thumbnail.
inline constexpr int thumbnail_side = 160;

}  // namespace demo
