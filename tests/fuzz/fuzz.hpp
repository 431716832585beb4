// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a fuzz target brings. It is in libFuzzer's form and builds with it (clang
// -fsanitize=fuzzer); with driver.cpp it is a program that runs a given number of seeded inputs,
// for ctest and for g++.

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {
using input = std::vector<std::uint8_t>;

/// Valid inputs that the driver begins with; libFuzzer finds its own. At least one.
std::vector<input> seeds();
}  // namespace fuzz
