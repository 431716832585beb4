// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensors of floats that a test makes, what it got, and how long it waits.

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <chrono>
#include <thread>
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

/// Fails where it does not come to be so.
template <class Condition>
void wait_until(Condition is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (!is_so()) {
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < end, "what is waited for does not come");
    std::this_thread::yield();
  }
}

}  // namespace device_tests
