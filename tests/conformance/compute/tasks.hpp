// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runtimes whose devices are those of a driver.

#include <doctest/doctest.h>

#include <beamlet/beamlet.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device_service.hpp"
#include "tests/conformance/compute/devices.hpp"
#include "tests/unit/devices/floats.hpp"

namespace conformance {
using device_tests::filled;
using device_tests::values_of;

/// The drivers' devices for a runtime of its own, which opens them anew. Kept for ever, as in
/// devices.hpp.
inline std::vector<detail::given_device>& given(const char* backend_name,
                                                const std::string& cache_folder = {}) {
  static auto& kept = *new std::map<std::string, std::vector<detail::given_device>>;
  auto& all = kept[backend_name];
  all.clear();
  for (const backend& one : backends()) {
    if (std::string(one.name) != backend_name) continue;
    backend_options options;
    options.cache_folder = cache_folder;
    auto found = one.devices(options);
    if (!found.has_value()) continue;
    for (std::size_t i = 0; i < found->size(); ++i) {
      compute::device_record record;
      record.info = (*found)[i]->info();
      all.push_back({record, [&one, i, options]() -> result<std::unique_ptr<device>> {
                       BEAMLET_TRY(auto again, one.devices(options));
                       BEAMLET_TRY_VOID(again[i]->open());
                       return std::move(again[i]);
                     }});
    }
  }
  if (all.empty()) MESSAGE("SKIPPED: there is no device of " << std::string(backend_name));
  return all;
}

/// The device beside a runtime that uses it: whether it imports memory is known when it is open.
inline std::unique_ptr<device> opened(const detail::given_device& one) {
  auto made = one.open();
  REQUIRE_MESSAGE(made.has_value(), made.error().describe());
  return *std::move(made);
}

inline runtime_options options_on(std::vector<detail::given_device>& devices) {
  runtime_options options;
  options.workers = 2;
  options.given_devices = &devices;
  options.allow_software_devices = true;
  return options;
}

inline runtime start_on(std::vector<detail::given_device>& devices) {
  return runtime::start(options_on(devices)).value();
}

}  // namespace conformance
