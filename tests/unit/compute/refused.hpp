// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of refused ops share: inputs that an op must refuse, with which code and words.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "beamlet/compute/ops.hpp"

namespace refused {

using namespace beamlet;
using namespace beamlet::compute;
using types = std::vector<tensor_type>;

inline void refuses(const op& what, const types& inputs, errc code, const std::string& words) {
  const auto made = outputs_of(what, inputs);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().code() == code);
  CHECK_MESSAGE(made.error().message().find(words) != std::string::npos, made.error().message());
}

}  // namespace refused
