// SPDX-License-Identifier: Apache-2.0
#pragma once

// The devices that the suites run on, opened once for all cases of a program.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "compute/backend.hpp"
#include "compute/cpu/cpu_device.hpp"

namespace conformance {
using namespace beamlet;
using namespace beamlet::compute;

using device_list = std::vector<std::unique_ptr<device>>;

/// Runs the pieces on threads of their own.
inline void run_on_threads(std::size_t count, const std::function<void(std::size_t)>& piece) {
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < count; ++i) threads.emplace_back(piece, i);
  piece(0);
  for (std::thread& one : threads) one.join();
}

/// One device per instruction set that this machine has, on the calling thread, and the best once
/// more on three threads.
struct cpu_backend {
  static constexpr const char* name = "cpu";
  static const device_list& devices() {
    static const device_list all = [] {
      device_list made;
      for (isa set : isas)
        if (supports(set)) made.push_back(make_cpu_device(set, {}));
      backend_options shared;
      shared.parallel = run_on_threads;
      shared.threads = 3;
      made.push_back(make_cpu_device(best_isa(), shared));
      for (auto& one : made) REQUIRE(one->open().has_value());
      return made;
    }();
    return all;
  }
};

/// Those that a driver of this machine shows, kept by the callers for ever: when static objects
/// end, drivers have lost what they hold for each thread, and some crash. None: the cases say so
/// and pass, as the program would run without that driver, too.
inline device_list devices_of(const char* backend_name) {
  device_list made;
  for (const backend& one : backends()) {
    if (std::string(one.name) != backend_name) continue;
    auto found = one.devices({});
    if (!found.has_value()) {
      MESSAGE("SKIPPED on " << std::string(backend_name) << ": " << found.error().message());
      return made;
    }
    for (auto& d : *found) {
      auto opened = d->open();
      if (opened.has_value()) {
        made.push_back(std::move(d));
        continue;
      }
      MESSAGE("SKIPPED " << d->info().id() << ": " << opened.error().message());
      CHECK(opened.error().code() == errc::unsupported);  // too old, say
    }
  }
  if (made.empty())
    MESSAGE("SKIPPED on " << std::string(backend_name) << ": its driver shows no device");
  return made;
}

struct opencl_backend {
  static constexpr const char* name = "opencl";
  static const device_list& devices() {
    static const auto& all = *new device_list(devices_of(name));
    return all;
  }
};

struct vulkan_backend {
  static constexpr const char* name = "vulkan";
  static const device_list& devices() {
    static const auto& all = *new device_list(devices_of(name));
    return all;
  }
};

}  // namespace conformance
