// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "beamlet/runtime/tensor.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace detail {

/// What a type, a shape and strides mean, whoever made them up: nothing here overflows.
struct tensor_layout {
  std::int64_t elements = 1;
  std::int64_t lowest = 0, highest = 0;  ///< places of elements, counted from the first one
  std::int64_t spread = 1;               ///< elements of memory from the lowest to the highest
  dimensions row_major;                  ///< strides; all 0 when there is no element

  /// Errors: invalid_argument, too_large.
  static result<tensor_layout> of(dtype type, const dimensions& shape);
  static result<tensor_layout> of(dtype type, const dimensions& shape, const dimensions& strides);

  static error fault(std::string what);
  static error overflow();
  static std::int64_t offset_of(const tensor& from) noexcept { return from.offset_; }
};

}  // namespace detail
}  // namespace BEAMLET_ABI
}  // namespace beamlet
