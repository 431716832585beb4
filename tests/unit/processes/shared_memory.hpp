// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <beamlet/beamlet.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

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

/// With one worker process, which all isolated tasks share.
inline beamlet::runtime start_with_store(std::uint64_t bytes = std::uint64_t{512} << 20) {
  auto rt = beamlet::runtime::start(
      {.workers = 2, .object_store_memory = bytes, .worker_processes_max = 1});
  REQUIRE(rt.has_value());
  return *std::move(rt);
}

template <class T>
T must(beamlet::result<T> r) {
  if (!r.has_value()) FAIL(r.error().describe());
  return *std::move(r);
}
