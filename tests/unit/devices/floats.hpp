// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensors of floats that a test makes, and what it got.

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <utility>
#include <vector>

namespace device_tests {
using namespace beamlet;

inline tensor filled(const dimensions& shape, float from, float step = 1) {
  auto made = tensor_builder<float>::make(shape);
  REQUIRE(made.has_value());
  for (float& x : made->values()) x = from, from += step;
  return std::move(*made).freeze();
}

inline std::vector<float> values_of(const result<tensor>& got) {
  REQUIRE_MESSAGE(got.has_value(), got.error().describe());
  auto seen = got->view<float>();
  REQUIRE(seen.has_value());
  return std::vector<float>(seen->begin(), seen->end());
}

}  // namespace device_tests
