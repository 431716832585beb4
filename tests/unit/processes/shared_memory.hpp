// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

/// Whether an address of this process lies in a mapping that others share.
inline bool is_shared(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    std::size_t dash = line.find('-'), space = line.find(' ');
    if (at >= std::stoull(line.substr(0, dash), nullptr, 16) &&
        at < std::stoull(line.substr(dash + 1, space), nullptr, 16))
      return line[space + 4] == 's';
  }
  return false;
}
