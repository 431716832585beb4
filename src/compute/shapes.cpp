// SPDX-License-Identifier: Apache-2.0
#include "compute/shapes.hpp"

#include <algorithm>

#include "compute/errors.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace compute {

std::string text_of(const dimensions& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

result<dimensions> broadcast(const dimensions& a, const dimensions& b) {
  const dimensions& longer = a.size() >= b.size() ? a : b;
  const dimensions& shorter = a.size() >= b.size() ? b : a;
  dimensions made = longer;
  const std::size_t more = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& size = made[more + i];
    if (size == shorter[i] || shorter[i] == 1) continue;
    if (size != 1)
      return compute_error(errc::invalid_argument,
                           "shapes " + text_of(a) + " and " + text_of(b) + " do not broadcast");
    size = shorter[i];
  }
  return made;
}

operand stretched(const operand& what, const dimensions& shape) {
  operand made = what;
  made.shape = made.strides = shape;
  const std::size_t more = shape.size() - what.shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool is_new = i < more;
    made.strides[i] = is_new || what.shape[i - more] != shape[i] ? 0 : what.strides[i - more];
  }
  return made;
}

result<std::size_t> dimension_of(std::int64_t dimension, const dimensions& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t from_first = dimension < 0 ? dimension + rank : dimension;
  if (from_first < 0 || from_first >= rank)
    return compute_error(errc::invalid_argument, "there is no dimension " +
                                                     std::to_string(dimension) + " in a shape of " +
                                                     std::to_string(rank));
  return static_cast<std::size_t>(from_first);
}

walk walk_together(std::span<const operand> all) {
  walk made;
  const dimensions& shape = all.front().shape;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    const std::size_t last = made.rank - 1;
    const bool goes_on = made.rank > 0 && std::ranges::all_of(all, [&](const operand& o) {
                           const auto which = static_cast<std::size_t>(&o - all.data());
                           return o.strides[d] == made.stride[which][last] * made.size[last];
                         });
    if (goes_on) {
      made.size[last] *= shape[d];
      continue;
    }
    made.size[made.rank] = shape[d];
    for (std::size_t which = 0; which < all.size(); ++which)
      made.stride[which][made.rank] = all[which].strides[d];
    ++made.rank;
  }
  return made;
}

}  // namespace compute
}  // namespace BEAMLET_ABI
}  // namespace beamlet
